"""What a run is and did, read from its folder without building its objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from qep_qiskit.config import Config, check_config
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.report.tables import short_keys, value_with_error
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.summary import device_use, run_summary
from qep_qiskit.runs.training import kept_config
from qep_qiskit.runs.versions import naming_versions

_NUMBERS = ("test_accuracy", "final_train_accuracy", "train_accuracy", "test_loss", "final_train_loss", "train_loss")


_NO_DIAGNOSTICS = ("event", "step", "epoch", "loss", "loss_se", "shots", "circuits", "seconds")
_MAIN_KEYS = (
    "seed",
    "task.kind",
    "network.kind",
    "network.graph",
    "preparation.kind",
    "measurement.shots",
    "execution.backend",
    "contrast.kind",
    "contrast.beta",
    "update.kind",
    "update.learning_rate",
    "training.epochs",
    "training.batch_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOverview:
    """A run as its folder says.

    Args:
        folder: The folder.
        name: Name of the run.
        status: How far it is.
        config: All keys of the configuration, dotted.
        settings: Those that say most, and those that are not at their defaults.
        summary: Its last numbers, as in `summary.json`; empty before the first epoch.
        versions: Versions of the packages that wrote the folder.
        weights: Weights at the start and at the end by name; empty before the run is finished.
        diagnostics: Diagnostics of the last step, each with its standard error under the name with ``_se``.
    """

    folder: RunFolder
    name: str
    status: str
    config: Mapping[str, Any]
    settings: Mapping[str, Any]
    summary: Mapping[str, Any]
    versions: Mapping[str, str]
    weights: Mapping[str, Mapping[str, float]]
    diagnostics: Mapping[str, Any]

    def record(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        known = {"folder": str(self.folder.path), "name": self.name, "status": self.status}
        found = {"config": self.config, "summary": self.summary, "versions": self.versions}
        return known | found | {"diagnostics": self.diagnostics}


def overview_of(path: str | Path) -> RunOverview:
    """Read the folder of a run.

    Raises:
        RunFolderError: It is not the folder of a run, or is damaged.
    """
    folder = RunFolder.open(Path(path))
    stamps = folder.config()
    with naming_versions(stamps):
        config = check_config(kept_config(folder), f"{path}/config.json")
        state = folder.load_state()
    summary = folder.summary() or {}
    status = f"finished, {amount(summary['epochs'], 'epoch')}" if summary else "nothing trained yet"
    if not summary and state is not None:
        counted = folder.records()
        summary = run_summary(counted, state) | device_use(folder)
        status = f"not finished: step {state.step}, epoch {state.epoch} of {config.training.epochs}"
    return RunOverview(
        folder=folder,
        name=config.name,
        status=status,
        config=config.flat(),
        settings=_settings(config),
        summary=summary,
        versions={name: str(stamps[name]) for name in stamps if name not in ("config", "run")},
        weights=_weights(folder),
        diagnostics=_diagnostics(folder.records()),
    )


def _diagnostics(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the last step says beyond its losses and counts."""
    last: Mapping[str, Any] = next((record for record in reversed(records) if record["event"] == "step"), {})
    return {name: value for name, value in last.items() if name not in _NO_DIAGNOSTICS and value is not None}


def diagnostic_rows(run: RunOverview) -> list[tuple[str, str]]:
    """Return the diagnostics of the last step, and the worst error bounds of the gradients, as names and texts."""
    worst = {name: value for name, value in run.summary.items() if name.startswith("worst_")}
    found = {**run.diagnostics, **worst}
    names = [name for name in found if not name.endswith("_se") and isinstance(found[name], int | float)]
    return [(name.replace("_", " "), _with_error(found[name], found.get(f"{name}_se"))) for name in names]


def _settings(config: Config) -> dict[str, Any]:
    keys = config.flat()
    wanted = {*_MAIN_KEYS, *_changed(config)}
    return {key: value for key, value in keys.items() if key in wanted}


def _changed(section: BaseModel, prefix: str = "") -> Iterator[str]:
    """Yield the dotted keys that are not at their defaults."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if field.is_required() or value != field.get_default(call_default_factory=True):
            if isinstance(value, BaseModel):
                yield from _changed(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"


def _weights(folder: RunFolder) -> dict[str, dict[str, float]]:
    path = folder.path / "weights.json"
    try:
        return json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise RunFolderError(f"{path}: is damaged ({error})") from error


def differing_keys(runs: Sequence[RunOverview]) -> list[str]:
    """Return the keys of the configuration that are not the same in all runs, but for the name."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    return [
        key for key in keys if key != "name" and any(run.config.get(key) != runs[0].config.get(key) for run in runs)
    ]


def comparison(runs: Sequence[RunOverview]) -> tuple[list[str], list[list[str]]]:
    """Return a table of runs: columns, and a row for each run."""
    keys = differing_keys(runs)
    numbers = [name for name in _NUMBERS if any(run.summary.get(name) is not None for run in runs)]
    numbers = [name for name in numbers if f"final_{name}" not in numbers]
    on_device = any("qpu_seconds" in run.summary for run in runs)
    paths = [run.folder.path for run in runs]
    named = [path.name if len({path.name for path in paths}) == len(paths) else str(path) for path in paths]
    columns = ["run", *short_keys(keys).values(), *(name.replace("_", " ") for name in numbers), "shots in all"]
    columns += [*["QPU seconds"] * on_device, "warnings"]
    rows = []
    for run, name in zip(runs, named, strict=True):
        found = run.summary
        cells = [name, *(shown(run.config.get(key)) for key in keys)]
        cells += [_with_error(found.get(number), found.get(f"{number}_se")) for number in numbers]
        cells.append(f"{found['shots']:,}" if "shots" in found else "-")
        cells += [_with_error(found.get("qpu_seconds"), None)] * on_device
        cells.append(str(len(found.get("warnings", ()))))
        rows.append(cells)
    return columns, rows


def _with_error(value: object, error: object) -> str:
    if not isinstance(value, int | float):
        return "-"
    return value_with_error(value, error if isinstance(error, int | float) else None, digits=4)


def shown(value: object) -> str:
    """Return a value of a configuration as text."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value)
