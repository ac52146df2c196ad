"""Input of the commands: a configuration file, or the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Experiment, from_file
from qep_qiskit.config.load import with_overrides
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import StepShots
from qep_qiskit.runs.training import load_matching_state, open_run


def open_source(
    path: str, overrides: Sequence[str], *, own_section: str | None = None
) -> tuple[Experiment, NDArray[np.float64]]:
    """Return objects and weights of a configuration (initial weights) or of a run (current weights and shots).

    Args:
        path: A configuration file or the folder of a run.
        overrides: ``key.path=value`` texts.
        own_section: Section whose keys may be set also for a run, because only the command uses them.

    Raises:
        ConfigError: Keys of other sections are set for the folder of a run.
    """
    if Path(path).is_dir():
        if overrides and own_section is None:
            raise ConfigError("--set: goes with a configuration file; a run folder keeps its own configuration")
        folder, experiment = open_run(path)
        if own_section is not None:
            experiment = replace(experiment, config=with_overrides(experiment.config, overrides, own_section))
        state = load_matching_state(folder, experiment)
        if state is None:
            return experiment, _start_weights(experiment)
        estimator = StepShots.of(experiment.estimator, state.step_shots)
        return replace(experiment, estimator=estimator, step_shots=state.step_shots), state.weights
    experiment = from_file(path, overrides)
    return experiment, _start_weights(experiment)


def _start_weights(experiment: Experiment) -> NDArray[np.float64]:
    return experiment.network.layout.initial(experiment.seeds)


def checked_sample(experiment: Experiment, index: int) -> NDArray[np.int64]:
    """Return the index of a training sample as an array of length one.

    Args:
        experiment: The run.
        index: Index of the sample.

    Raises:
        ConfigError: The index is out of range.
    """
    count = experiment.task.train.num_samples
    if not 0 <= index < count:
        raise ConfigError(f"--sample: expected 0 to {count - 1}, the training samples of this task; got {index}")
    return np.array([index])
