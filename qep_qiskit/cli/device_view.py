"""What a run on a device will cost, and what it has cost, for the terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from qep_qiskit.cli.streams import tell
from qep_qiskit.core.amounts import amount
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.usage import QPU_SECONDS
from qep_qiskit.report.fitted_table import FittedTable

if TYPE_CHECKING:
    from qep_qiskit.plan.estimate import RunEstimate


def place_in_queue(position: int | None, starts: float | None) -> list[str]:
    """Return the place of a job in the queue in words, as far as the service says it.

    Args:
        position: Position in the queue, or None.
        starts: Estimated start in seconds since the epoch, or None.
    """
    words = [] if position is None else [f"position {position}"]
    return words + ([] if starts is None else [f"start {_clock(starts)}"])


def _clock(when: float) -> str:
    """Local time of the day, with the date where it is another day."""
    today = time.localtime(when)[:3] == time.localtime()[:3]
    return time.strftime("%H:%M" if today else "%m-%d %H:%M", time.localtime(when))


def show_start(estimate: RunEstimate) -> None:
    """Say what a new run is about to spend: a block on a terminal, otherwise one line."""
    cost, console, about = estimate.run, Console(stderr=True), "" if estimate.fixed else "about "
    name, price = _price(estimate)
    left = None if estimate.remaining_seconds is None else f"{estimate.remaining_seconds:,.0f} QPU seconds left"
    if not console.is_terminal:
        account = "" if left is None else f"; account: {left}"
        jobs, executions = amount(cost.jobs, "job"), amount(cost.executions, "execution")
        tell(f"{estimate.device}: {about}{jobs}, {about}{executions}, {name}: {price}{account}")
        return
    rows = {
        "device": f"{estimate.device}, {estimate.mode} mode",
        "jobs": f"{about}{cost.jobs:,}",
        "executions": f"{about}{cost.executions:,}",
        name: price,
    }
    rows |= {} if left is None else {"account": left}
    console.print(FittedTable.of(("", ""), list(rows.items()), plain=True))


def _price(estimate: RunEstimate) -> tuple[str, str]:
    """Unit of the price and the price in words."""
    if estimate.unit == QPU_SECONDS:
        return QPU_SECONDS, f"{estimate.run.qpu_seconds:,.1f} estimated, {estimate.max_qpu_seconds:,g} at most"
    if not estimate.unit:
        return "price", "not known"
    return estimate.unit, f"{estimate.run.price:,.2f} estimated, without a limit"


def show_spent(executor: RemoteExecutor, limit: float) -> None:
    """Say in one line what a run that goes on has spent so far; nothing where it has sent no job."""
    jobs, ledger = sum(entry.job_id is not None for entry in executor.ledger.entries()), executor.ledger
    if jobs:
        seconds = ledger.seconds()
        spent = f" and {seconds:,.1f} QPU seconds so far, {limit:,g} at most" if seconds else " so far"
        tell(f"{executor.backend_name}: {amount(jobs, 'job')}{spent}")
