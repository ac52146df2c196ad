"""``qep jobs``: the ledger of a run with the status of its jobs at the service."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qep_qiskit.cli.device_view import place_in_queue
from qep_qiskit.cli.streams import tell
from qep_qiskit.cli.working import require_device
from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import QepError
from qep_qiskit.device.jobs import StateAtService, refresh_charges, states_at_service
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.retries import RetryingDevice, RetryPolicy
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.other_settings import device_of_ledger
from qep_qiskit.runs.training import ledger_path, open_run, other_ledger_paths

_QUICK = RetryPolicy(without_answer=20.0)


def run(options: argparse.Namespace) -> int:
    """Print the jobs; the service is queried for pending jobs and, on request, for unknown charges."""
    folder, experiment = open_run(options.folder)
    others = other_ledger_paths(folder)
    if not others:
        require_device(experiment, "jobs")
    own = [ledger_path(folder)] if experiment.config.execution.is_remote else []
    listings = [_listing(path, folder, experiment, options) for path in (*own, *others)]
    if options.json:
        print(json.dumps([record for records in listings for record in records], indent=1))
        return 0
    for path, records in zip((*own, *others), listings, strict=True):
        _print(records, title=f"jobs of {path if path in others else folder.path}")
    return 0


def _listing(
    path: Path, folder: RunFolder, experiment: Experiment, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """The rows of one ledger with what the service says of them."""
    entries = JobLedger.read(path)
    if options.refresh and entries:
        device = device_of_ledger(folder, experiment, entries)
        assert device is not None
        with JobLedger(path) as ledger:
            refresh_charges(ledger, RetryingDevice(device, _QUICK))
            entries = ledger.entries()
    seen = {} if options.offline else _seen(folder, experiment, entries)
    return [_record(path, entry, seen.get(entry.number)) for entry in entries]


def _seen(folder: RunFolder, experiment: Experiment, entries: Sequence[JobEntry]) -> Mapping[int, StateAtService]:
    """Return states at the service by the number of the row; none if the service is not available."""
    if not any(entry.state in ("intended", "submitted") for entry in entries):
        return {}
    try:
        device = device_of_ledger(folder, experiment, entries)
        assert device is not None
        return states_at_service(entries, device, _QUICK)
    except QepError as error:
        tell(f"warning: the ledger alone is shown: {error}")
        return {}


def _record(path: Path, entry: JobEntry, seen: StateAtService | None) -> dict[str, Any]:
    described, key = entry.description, entry.description.key
    view = None if seen is None else seen.view
    return {
        "ledger": path.name,
        "row": entry.number,
        "purpose": key.purpose,
        "step": key.step,
        "stage": key.stage,
        "iteration": key.iteration,
        "part": described.part,
        "sending": entry.sending,
        "state": entry.state,
        "service": None if seen is None else seen.state,
        "position": None if view is None else view.position,
        "starts": None if view is None else view.starts,
        "job_id": entry.job_id,
        "tag": described.tag,
        "backend": described.backend,
        "instance": described.instance,
        "mode": described.mode,
        "batch": described.batch,
        "shots": described.shots,
        "executions": described.executions,
        "estimated_seconds": described.estimated_seconds,
        "usage_seconds": entry.usage_seconds,
        "duplicates": entry.duplicates,
        "posted": entry.posted,
        "reason": entry.reason,
    }


def _print(records: Sequence[Mapping[str, Any]], title: str) -> None:
    console = Console()
    console.print(_table(records, title))
    estimated = sum(record["estimated_seconds"] for record in records if record["state"] != "refused")
    charged = sum(record["usage_seconds"] or 0.0 for record in records)
    open_ = sum(record["usage_seconds"] is None and record["state"] != "refused" for record in records)
    twice = sum(record["duplicates"] for record in records)
    line = f"{amount(len(records), 'job')}; estimated {estimated:.1f} s, charged {charged:.1f} s so far"
    line += f", not yet known for {open_} (qep jobs --refresh)" if open_ else ""
    line += f"; {twice} more may be charged: sent twice and not cancelled, or given up" if twice else ""
    console.print(line, highlight=False)
    for record in records:
        if record["reason"]:
            console.print(f"{_purpose(record)}: {record['reason']}", highlight=False, markup=False)


def _table(records: Sequence[Mapping[str, Any]], title: str) -> FittedTable:
    rows = [
        (
            str(record["row"]),
            _purpose(record),
            time.strftime("%m-%d %H:%M", time.localtime(record["posted"])),
            record["state"] + (f" ({', '.join(_service(record))})" if record["service"] else ""),
            record["job_id"] or "",
            _charged(record),
        )
        for record in records
    ]
    return FittedTable.of(("row", "for", "sent", "state", "job", "charged"), rows, title, right=("charged",))


def _service(record: Mapping[str, Any]) -> list[str]:
    return [record["service"], *place_in_queue(record["position"], record["starts"])]


def _charged(record: Mapping[str, Any]) -> str:
    """Return QPU seconds as text, with a tilde for an estimate."""
    charged = record["usage_seconds"]
    return f"~{record['estimated_seconds']:.1f} s" if charged is None else f"{charged:.1f} s"


def _purpose(record: Mapping[str, Any]) -> str:
    words = [f"{record['purpose']} {record['step']}"]
    words += [f"{name} {record[name]}" for name in ("stage", "iteration", "part") if record[name]]
    words += [f"sending {record['sending'] + 1}"] if record["sending"] else []
    return " ".join(words)
