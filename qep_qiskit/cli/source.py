"""What the commands work on: a configuration file, or the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Config, Experiment, build, check_config, from_file
from qep_qiskit.errors import ConfigError, RunFolderError
from qep_qiskit.learning import RunFolder, TrainingState

__all__ = ["checked_sample", "load_matching_state", "open_run", "open_source", "stamped_config"]

_STAMPED = ("qep_qiskit", "qiskit", "qiskit-aer", "numpy", "scipy")


def stamped_config(config: Config) -> dict[str, Any]:
    """The resolved configuration with the versions it ran under."""
    return {name: metadata.version(name) for name in _STAMPED} | {"config": config.resolved()}


def open_run(path: str | Path) -> tuple[RunFolder, Experiment]:
    """A run's folder and its objects.

    Raises:
        RunFolderError: The folder is not one of a run, or is damaged.
    """
    folder = RunFolder.open(Path(path))
    content = folder.config().get("config")
    if not isinstance(content, dict):
        raise RunFolderError(f"{path}/config.json: expected a configuration under 'config'; the file is damaged")
    return folder, build(check_config(content, f"{path}/config.json"), folder.task())


def load_matching_state(folder: RunFolder, experiment: Experiment) -> TrainingState | None:
    """A run's last checkpoint (None if it was stopped before the first), checked against its objects.

    Raises:
        RunFolderError: The checkpoint is damaged or belongs to another run.
    """
    state = folder.load_state()
    if state is None:
        return None
    expected = experiment.trainer().state
    same_memory = {name: len(array) for name, array in state.memory.items()} == {
        name: len(array) for name, array in expected.memory.items()
    }
    if len(state.weights) != len(expected.weights) or not same_memory:
        raise RunFolderError(
            f"{folder.path}: the checkpoint does not fit the network and the optimiser of config.json; the parts of "
            "this folder do not belong together"
        )
    return state


def open_source(path: str, overrides: Sequence[str]) -> tuple[Experiment, NDArray[np.float64]]:
    """The objects and the weights of a configuration (at the start) or of a run (as trained).

    Raises:
        ConfigError: Overrides are given with the folder of a run.
    """
    if Path(path).is_dir():
        if overrides:
            raise ConfigError("--set: goes with a configuration file; a run folder keeps its own configuration")
        folder, experiment = open_run(path)
        state = load_matching_state(folder, experiment)
        return experiment, _start_weights(experiment) if state is None else state.weights
    experiment = from_file(path, overrides)
    return experiment, _start_weights(experiment)


def _start_weights(experiment: Experiment) -> NDArray[np.float64]:
    return experiment.network.layout.initial(experiment.seeds)


def checked_sample(experiment: Experiment, index: int) -> NDArray[np.int64]:
    """The index of a training sample as an array of one.

    Raises:
        ConfigError: It is out of range.
    """
    count = experiment.task.train.num_samples
    if not 0 <= index < count:
        raise ConfigError(f"--sample: expected 0 to {count - 1}, the training samples of this task; got {index}")
    return np.array([index])
