"""Final numbers of a run, computed from its metrics; used by the report of a run and by the table of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qep_qiskit.core.errors import SEVERITIES
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.device.remote import is_question
from qep_qiskit.learning.state import TrainingState
from qep_qiskit.report.tables import value_with_error
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import ledger_path
from qep_qiskit.runs.warning_summary import closing

_PARTS = {"train": "train {} (mean over the last epoch)", "final_train": "train {} (final weights)", "test": "test {}"}


def write_numbers(
    folder: RunFolder, names: Sequence[str], state: TrainingState, **others: float | None
) -> dict[str, Any]:
    """Write the weights and then the summary of a finished run; where the summary exists, the weights exist as well.

    Args:
        folder: Folder of the run.
        names: Names of the weights.
        state: Training state at the end.
        **others: More numbers of the summary, by name.

    Returns:
        The summary.
    """
    pairs = zip(names, state.initial_weights.tolist(), state.weights.tolist(), strict=True)
    folder.write_json("weights.json", {weight: {"start": start, "end": end} for weight, start, end in pairs})
    summary = run_summary(folder.records(), state) | device_use(folder) | others
    folder.write_json("summary.json", summary)
    return summary


def number_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the numbers of a run as names and texts.

    Args:
        summary: As in `summary.json`.
    """
    rows = [("epochs", str(summary["epochs"])), ("steps", str(summary["steps"]))]
    if "best_weights_epoch" in summary:
        rows.append(("epoch of the best weights", str(summary["best_weights_epoch"])))
    for part, label in _PARTS.items():
        errors = [name.removeprefix(f"{part}_") for name in summary if name.startswith(f"{part}_rmse_")]
        for what in ("loss", "accuracy", *(name for name in errors if not name.endswith("_se"))):
            value = summary.get(f"{part}_{what}")
            if value is not None:
                name = f"rms error of {what.removeprefix('rmse_')}" if what.startswith("rmse_") else what
                rows.append((label.format(name), value_with_error(value, summary[f"{part}_{what}_se"])))
    for part in ("train", "test"):
        name = f"baseline_{part}_accuracy"
        if name in summary:
            rows.append(
                (f"{part} accuracy of logistic regression", value_with_error(summary[name], summary[f"{name}_se"]))
            )
    rows += [("shots", f"{summary['shots']:,}"), ("circuits", f"{summary['circuits']:,}")]
    rows.append(("seconds", f"{summary['seconds']:.1f}"))
    rows += [("jobs", f"{summary['jobs']:,}")] if "jobs" in summary else []
    if summary.get("qpu_seconds"):  # 0 where a device has another price
        estimated = summary["qpu_seconds_estimated"]
        note = f", {estimated:,.1f} of them estimated" if estimated else ""
        rows.append(("QPU seconds", f"{summary['qpu_seconds']:,.1f}{note}"))
    return rows


def warning_rows(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the warnings of a run as severities and texts.

    Args:
        summary: As in `summary.json`.
    """
    return [(SEVERITIES[found["severity"]], f"{found['kind']}: {found['diagnosis']}") for found in summary["warnings"]]


def device_use(folder: RunFolder) -> dict[str, Any]:
    """Return the jobs and QPU seconds of a run on a device, without later gradients and predictions; else empty."""
    path = ledger_path(folder)
    if not path.is_file():
        return {}
    entries = [entry for entry in JobLedger.read(path) if entry.job_id is not None]
    training = [entry for entry in entries if not is_question(entry.description.key)]
    return {
        "jobs": len(training),
        "qpu_seconds": round(sum(entry.seconds for entry in training), 3),
        "qpu_seconds_estimated": round(sum(entry.seconds - (entry.usage_seconds or 0.0) for entry in training), 3),
    }


def run_summary(records: Sequence[Mapping[str, Any]], state: TrainingState) -> dict[str, Any]:
    """Return final and best numbers of a run.

    The minimum of many noisy losses is biased low. Compare runs by their best loss only if they have equally many
    epochs.
    """
    epochs = [record for record in records if record["event"] == "epoch"]
    last: Mapping[str, Any] = epochs[-1] if epochs else {}
    final: Mapping[str, Any] = next((record for record in reversed(records) if record["event"] == "final"), {})
    last = {**last, **{name: value for name, value in final.items() if name.startswith(("final_train_", "test_"))}}
    best_epoch = state.notes.get("early_stopping", {}).get("epoch")
    kept = [f"{part}_{what}" for part in ("train", "test") for what in ("loss", "loss_se", "accuracy", "accuracy_se")]
    return {
        "epochs": state.epoch,
        "steps": state.step,
        "shots": state.shots,
        "circuits": state.circuits,
        "seconds": round(state.seconds, 1),
        **({"best_weights_epoch": best_epoch} if final and best_epoch is not None else {}),
        **{name: last.get(name) for name in kept},
        **{name: last[name] for name in last if name.startswith(("final_train_", "test_rmse_"))},
        **_worst(records, "contrast_error", "discarded_weight"),
        **{key: value for part in ("train", "test") for key, value in _best(epochs, part).items()},
        "warnings": _warnings(state),
    }


def _warnings(state: TrainingState) -> list[dict[str, Any]]:
    """Return the warnings of a run, the most severe first, each with a sentence on its consequence."""
    sentences = closing(state.warnings, max(1, state.epoch))
    return [{**found, "diagnosis": one} for found, one in zip(state.warnings.summary(), sentences, strict=True)]


def _worst(records: Sequence[Mapping[str, Any]], *names: str) -> dict[str, Any]:
    """Return the largest values of the error bounds of the gradients, over the steps that have them."""
    known = {name: [record[name] for record in records if record.get(name) is not None] for name in names}
    return {f"worst_{name}": max(values) for name, values in known.items() if values}


def _best(epochs: Sequence[Mapping[str, Any]], part: str) -> dict[str, Any]:
    """Return the best loss and accuracy over the epochs, each with its error and epoch; None if never measured."""
    found: dict[str, Any] = {}
    for name, best_of in ((f"{part}_loss", min), (f"{part}_accuracy", max)):
        known = (record for record in epochs if record.get(name) is not None)
        best: Mapping[str, Any] = best_of(known, key=lambda record: record[name], default={})
        found |= {f"best_{name}": best.get(name), f"best_{name}_se": best.get(f"{name}_se")}
        found[f"best_{name}_epoch"] = best.get("epoch")
    return found
