"""Input of the commands: a configuration file, or the folder of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Config, Experiment, build, load_config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import StepShots
from qep_qiskit.runs.other_settings import open_trained


def open_source(
    path: str,
    overrides: Sequence[str],
    *,
    also: Sequence[str] = (),
    simulates: bool = True,
    check: Callable[[Config], None] = lambda _: None,
) -> tuple[Experiment, NDArray[np.float64]]:
    """Return objects and weights of a configuration (initial weights) or of a run (current weights and shots).

    Args:
        path: A configuration file or the folder of a run.
        overrides: ``key.path=value`` texts.
        also: Sections of the command itself, whose keys may be set also for a run.
        simulates: Whether states are simulated and have to fit in memory.
        check: Raises what the command has against a configuration, before data of a file are loaded.

    Raises:
        ConfigError: Keys of what was learned are set for the folder of a run.
    """
    if Path(path).is_dir():
        _, experiment, state = open_trained(path, overrides, also=also, simulates=simulates)
        check(experiment.config)
        if state is None:
            return experiment, _start_weights(experiment)
        estimator = StepShots.of(experiment.estimator, state.step_shots)
        return replace(experiment, estimator=estimator, step_shots=state.step_shots), state.weights
    config = load_config(path, overrides)
    check(config)
    experiment = build(config, simulates=simulates)
    return experiment, _start_weights(experiment)


def _start_weights(experiment: Experiment) -> NDArray[np.float64]:
    return experiment.network.layout.initial(experiment.seeds)


def checked_sample(experiment: Experiment, index: int) -> NDArray[np.int64]:
    """Return the index of a training sample as an array of length one.

    Raises:
        ConfigError: The index is out of range.
    """
    count = experiment.task.train.num_samples
    if not 0 <= index < count:
        raise ConfigError(f"--sample: expected 0 to {count - 1}, the training samples of this task; got {index}")
    return np.array([index])
