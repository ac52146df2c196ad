"""A trained network under other settings: other shots, another backend, preparation or contrast.

What was learned stays: samples, network, cost and weights. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.backend import IBM, Backend
from qep_qiskit.config.overrides import assign, parse_override, parse_overrides
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.device.ledger_rows import JobEntry
from qep_qiskit.device.service import RemoteDevice
from qep_qiskit.learning import StepShots, TrainingState
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.training import device_of, load_matching_state, open_run

SETTINGS = ("execution", "measurement", "preparation", "contrast")
"""Sections that say how a network is measured, not what it has learned."""

_OF_BACKEND = ("snapshot", "backend_options")
_OF_KIND_OF_BACKEND = (
    *("noise", "method", "device", "max_bond_dimension", "truncation", "measured_circuits"),
    *("instance", "mode", "rep_delay", "fractional_gates", "wait_seconds"),
)
_OF_SHOTS = ("allocation", "error_bars", "replicates", "remove_signal_bias", "adaptive")


def open_trained(
    path: str | Path, overrides: Sequence[str] = (), *, also: Sequence[str] = (), simulates: bool = True
) -> tuple[RunFolder, Experiment, TrainingState | None]:
    """Return the folder of a run, its objects under some settings, and its last checkpoint.

    Settings that a pilot has chosen are those of the checkpoint, unless keys of their sections are given. Warm starts
    are left out where the preparation is another one.

    Args:
        path: The folder.
        overrides: ``key.path=value`` texts, keys of `SETTINGS`.
        also: More sections whose keys may be given.
        simulates: Whether states are simulated and have to fit in memory.

    Raises:
        RunFolderError: The folder is not a run folder, or is damaged.
        ConfigError: A key belongs to another section, or a value is invalid.
    """
    folder, experiment = open_run(path)
    state = load_matching_state(folder, experiment)
    if not overrides:
        return folder, experiment, state
    chosen = None if state is None else state.step_shots
    config = with_settings(experiment.config, overrides, [*SETTINGS, *also], chosen)
    given = {parse_override(text)[0][0] for text in overrides}
    if state is not None and given & {"measurement", "contrast"}:
        state = replace(state, step_shots=None)
    if state is not None and config.preparation != experiment.config.preparation:
        state = replace(state, warm_starts={})
    return folder, build(config, folder.task(), simulates=simulates), state


def device_of_ledger(folder: RunFolder, experiment: Experiment, entries: Sequence[JobEntry]) -> RemoteDevice | None:
    """Log in and return the device of a ledger, which may be another one than that of the run.

    Args:
        folder: Folder of the run.
        experiment: Objects of the run.
        entries: Rows of the ledger, at least one.

    Raises:
        QepError: The device is not available.
    """
    described = entries[-1].description
    is_ibm = described.backend.startswith(IBM)
    backend = described.backend if is_ibm else described.instance  # a provider's is the name in the configuration
    if backend == experiment.config.execution.backend:
        return device_of(experiment, folder)
    given = [f"execution.backend={backend}", *([f"execution.instance={described.instance}"] if is_ibm else [])]
    return device_of(replace(experiment, config=with_settings(experiment.config, given, SETTINGS)))


def require_trained(state: TrainingState | None, path: str | Path) -> TrainingState:
    """Return the checkpoint of a run.

    Raises:
        RunFolderError: There is none yet.
    """
    if state is None:
        raise RunFolderError(f"{path}: nothing is trained here yet; use 'qep resume {path}'")
    return state


def with_settings(
    config: Config, overrides: Sequence[str], sections: Sequence[str], chosen: StepShots | None = None
) -> Config:
    """Return the checked configuration of a run with replaced keys of some sections.

    Args:
        config: The configuration of the run.
        overrides: ``key.path=value`` texts.
        sections: Sections whose keys may be replaced.
        chosen: Nudge and shots that the run has chosen, for the keys that are not replaced.

    Raises:
        ConfigError: A key belongs to another section, or a value is invalid.
    """
    content = config.resolved()
    given = [(text, *parse_override(text)) for text in overrides]
    for text, keys, _ in given:
        if keys[0] not in sections:
            raise ConfigError(
                f"--set {text}: the folder of a run keeps what was learned; expected a key of {_listed(sections)}"
            )
    named = {".".join(keys) for _, keys, _ in given}
    if chosen is not None and any(name.startswith(("measurement", "contrast")) for name in named):
        _fix(content, chosen)
    if config.execution.where.kind == "statevector":
        del content["execution"]["backend"]  # the default again, or Aer where a key of Aer is given
    for keys, value in parse_overrides(overrides):
        assign(content, keys, value)
    for _, keys, value in given:
        if keys == ["execution", "backend"]:
            _drop(content["execution"], _left_behind(config, value), named, "execution")
        if keys == ["measurement", "shots"]:
            _drop(content["measurement"], ("test_shots", *(_OF_SHOTS if value == "exact" else ())), named, keys[0])
    contrast, measurement = content["contrast"], content["measurement"]
    if contrast.get("beta") != "auto" and measurement.get("allocation") != "optimal":
        _drop(contrast, ("pilot",), named, "contrast")
    return check_config(content, "--set")


def _fix(content: dict[str, Any], chosen: StepShots) -> None:
    """Write what a run has chosen as its configuration."""
    content["contrast"]["beta"] = chosen.beta
    content["measurement"]["adaptive"] = None
    if chosen.shots is not None:
        content["measurement"]["shots"] = chosen.shots


def _left_behind(config: Config, backend: Any) -> tuple[str, ...]:
    """Return the keys that go with the backend of the run only."""
    old = config.execution.where
    if backend == old.name:
        return ()
    try:
        same_kind = Backend.named(str(backend)).kind == old.kind
    except ConfigError:  # the key says it
        return ()
    return _OF_BACKEND if same_kind else (*_OF_BACKEND, *_OF_KIND_OF_BACKEND)


def _drop(section: dict[str, Any], names: Sequence[str], given: set[str], of: str) -> None:
    for name in names:
        if not any(key.split(".")[:2] == [of, name] for key in given):
            section.pop(name, None)


def _listed(sections: Sequence[str]) -> str:
    return f"{', '.join(sections[:-1])} or {sections[-1]}" if len(sections) > 1 else sections[0]
