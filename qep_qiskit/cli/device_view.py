"""What a run on a device will cost, and what it has cost, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qep_qiskit.cli.streams import tell
from qep_qiskit.device.remote import RemoteExecutor
from qep_qiskit.device.usage import QPU_SECONDS, unbound
from qep_qiskit.report.fitted_table import FittedTable

if TYPE_CHECKING:
    from qep_qiskit.plan.estimate import RunEstimate


def show_start(estimate: RunEstimate) -> None:
    """Say what a new run is about to spend: a block on a terminal, otherwise one line.

    Args:
        estimate: Cost estimate of the run.
    """
    cost, console = estimate.run, Console(stderr=True)
    about = "" if estimate.fixed else "about "
    unit, seconds = estimate.unit, f"{about}{cost.qpu_seconds:,.1f} estimated, {estimate.max_qpu_seconds:,g} at most"
    if unit != QPU_SECONDS:
        price = f"{about}{cost.price:,.2f} {unit}. " if unit else ""
        tell(f"{estimate.device}: {about}{cost.jobs:,} jobs, {cost.executions:,} executions. {price}{unbound(unit)}")
        return
    left = "no limit" if estimate.remaining_seconds is None else f"{estimate.remaining_seconds:,.0f} QPU seconds left"
    if not console.is_terminal:
        tell(
            f"{estimate.device}: {about}{cost.jobs:,} jobs, {cost.executions:,} executions, {seconds} of QPU seconds; "
            f"account: {left}"
        )
        return
    table = FittedTable(plain=True)
    table.add_column()
    table.add_column()
    table.add_row("device", f"{estimate.device}, {estimate.mode} mode")
    table.add_row("jobs", f"{about}{cost.jobs:,}")
    table.add_row("executions", f"{about}{cost.executions:,}")
    table.add_row("QPU seconds", seconds)
    table.add_row("account", left)
    console.print(table)


def show_spent(executor: RemoteExecutor, limit: float) -> None:
    """Say in one line what a run that goes on has spent so far; nothing where it has sent no job.

    Args:
        executor: Executor of the run.
        limit: Largest number of QPU seconds of the run.
    """
    jobs, ledger = sum(entry.job_id is not None for entry in executor.ledger.entries()), executor.ledger
    if jobs:
        spent = f"{jobs:,} {'job' if jobs == 1 else 'jobs'} and {ledger.seconds():,.1f} QPU seconds so far"
        tell(f"{executor.backend_name}: {spent}, {limit:,g} at most")
