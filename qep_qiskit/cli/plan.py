"""``qep plan``: cost estimate of a run on a device; nothing is submitted."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from qiskit.providers import BackendV2
from rich.console import Console

from qep_qiskit.cli.source import open_source
from qep_qiskit.config import Config, Experiment
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.usage import QPU_SECONDS, Price, price_of, unbound
from qep_qiskit.runs.training import device_of


def run(options: argparse.Namespace) -> int:
    """Estimate the cost and print it; nothing is submitted."""
    backend = [] if options.backend is None else [f"execution.backend={json.dumps(options.backend)}"]
    experiment, _ = open_source(options.config, [*options.overrides, *backend], simulates=False, check=_check_device)
    plan = _planned(experiment)
    if options.json:
        print(json.dumps(plan, indent=1))
    else:
        _print(plan, title=f"{experiment.config.name} on {plan['device']}")
    return 0


def _check_device(config: Config) -> None:
    """Refuse backends whose runs cost nothing that circuits decide."""
    where = config.execution.where
    if where.anneals:
        raise ConfigError(
            f"execution.backend: '{config.execution.backend}' runs no circuits, of which a plan counts the cost; "
            "execution.max_qpu_seconds limits what D-Wave's annealers charge"
        )
    if not (where.is_device or where.is_of_provider):
        raise ConfigError(
            f"execution.backend: '{config.execution.backend}' charges nothing; name a device with --backend, such as "
            "fake_torino"
        )


def _planned(experiment: Experiment) -> dict[str, Any]:
    """Return the record of the estimate with possible savings. Qiskit is imported only here."""
    from qep_qiskit.plan.estimate import circuits_on, estimate_requests
    from qep_qiskit.plan.requests import record_run
    from qep_qiskit.plan.savings import savings

    device, fractional, remaining, price = _device(experiment)
    requests = record_run(experiment)
    circuits = circuits_on(experiment, device, price)
    plan = estimate_requests(requests, circuits, experiment, remaining_seconds=remaining)
    found = savings(experiment, requests, circuits, fractional)
    return plan.record() | {"savings": [asdict(saving) for saving in found]}


def _device(experiment: Experiment) -> tuple[BackendV2, BackendV2 | None, float | None, Price | None]:
    """Return the device, the same with fractional gates if the run lacks them, the remaining QPU seconds and the price.

    The price is None for that of IBM's service.
    """
    config, size = experiment.config, experiment.network.num_qubits
    remote = device_of(experiment)
    from qep_qiskit.config.local_device import fractional_of, local_device, whole_device
    from qep_qiskit.plan.estimate import remaining_seconds

    if remote is not None:
        remaining = remaining_seconds(experiment, remote)
        return remote.backend, fractional_of(config, remote.whole), remaining, remote.price
    if config.execution.where.is_of_provider:
        device = config.execution.provider_device(size)
        return device, None, None, price_of(device)
    return local_device(config, size), fractional_of(config, lambda: whole_device(config, size)), None, None


def _print(plan: dict[str, Any], title: str) -> None:
    from qep_qiskit.plan.tables import allocation_table, cost_table, savings_table, transpilation_table

    console = Console()
    console.print(cost_table(plan, title=title))
    if plan["unit"] == QPU_SECONDS:
        console.print(allocation_table(plan))
    for program in plan["programs"]:
        console.print(transpilation_table(program))
        console.print()
    if plan["savings"]:
        console.print(savings_table(plan["savings"]))
    for sentence in _sentences(plan):
        console.print(sentence, highlight=False, markup=False)


def _sentences(plan: dict[str, Any]) -> list[str]:
    """Return the assumptions of the tables, and whether the run would start."""
    in_seconds = plan["unit"] == QPU_SECONDS
    delay = f"Executions {1e6 * plan['rep_delay']:g} us apart; seconds by a fit to what was charged, good to 4 %."
    found = [delay] if in_seconds else [unbound(plan["unit"])]
    if not plan["fixed"]:
        found.append("Counts are an estimate: what is measured decides some of them (shots are those at the start).")
    if in_seconds and not plan["fits_into_jobs"]:
        found.append(
            f"The largest job has {plan['largest_job']:,} executions and {plan['largest_payload'] / 1e6:,.1f} MB; the "
            "service takes 10,000,000 and 50 MB."
        )
    limit = f"execution.max_qpu_seconds = {plan['max_qpu_seconds']:g}"
    seconds = f"{plan['run']['qpu_seconds']:,.1f} s"
    verdict = "would start" if plan["would_start"] else "would not start"
    remaining = plan["remaining_seconds"]
    account = "" if remaining is None else f", and {remaining:,.0f} s that the account has left"
    if plan["mode"] == "session":
        found.append("A session is charged by the clock from its first job on: its price is not less than this.")
    if not in_seconds:
        return found
    return [*found, f"On a device this run {verdict}: {seconds} against {limit}{account}."]
