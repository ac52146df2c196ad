"""A trained network that takes inputs in the units of its data, from a run folder or from memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.section import keys
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning import Record, StepShots, TrainingState, evaluate
from qep_qiskit.learning.warm_starts import nearest_warm_start
from qep_qiskit.runs.summary import write_numbers
from qep_qiskit.runs.training import load_matching_state, open_run, start_run
from qep_qiskit.tasks import Dataset, Task, decode, rows_from_arrays


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prediction:
    """Outputs of a trained network for some rows.

    Args:
        outputs: Expectations of the outputs, shape (samples, outputs); those of a regression in the units of its
            targets.
        standard_errors: Their standard errors by shots, shape (samples, outputs); zero where expectations are exact.
        labels: Names of the predicted classes, shape (samples,); None for a regression.

    Example:
        >>> model = qep.QEPClassifier(num_spins=2, epochs=1, random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
        >>> model.trained_.predict([[0.0], [0.5], [1.0]]).outputs.shape
        (3, 2)
    """

    outputs: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    labels: NDArray[np.str_] | None


class TrainedNetwork:
    """A network with its weights, that takes inputs in the units of its data: the scaling is inside.

    Args:
        experiment: The objects of the run.
        state: State at the end of the training.
        records: The metrics, one mapping for each step and epoch.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml", ["training.epochs=1"])
        >>> trainer = experiment.trainer()
        >>> trainer.run()
        'finished'
        >>> trained = qep.TrainedNetwork(experiment, trainer.state)
        >>> trained.hamiltonian([1, -1]).num_qubits
        4
    """

    def __init__(self, experiment: Experiment, state: TrainingState, records: Sequence[Record] = ()) -> None:
        self.experiment, self.state, self.records = experiment, state, tuple(records)

    def __repr__(self) -> str:
        return f"TrainedNetwork({self.config.name!r}, {self.state.epoch} epochs, {len(self.state.weights)} weights)"

    def __getstate__(self) -> tuple[dict[str, Any], Task, TrainingState, tuple[Record, ...]]:
        return self.config.resolved(), self.task, self.state, self.records

    def __setstate__(self, kept: tuple[dict[str, Any], Task, TrainingState, tuple[Record, ...]]) -> None:
        config, task, state, records = kept
        self.__init__(build(check_config(config, "pickle"), task), state, records)  # type: ignore[misc]

    @property
    def config(self) -> Config:
        """Configuration of the run."""
        return self.experiment.config

    @property
    def task(self) -> Task:
        """Training and test samples, scaled."""
        return self.experiment.task

    @property
    def weights(self) -> dict[str, float]:
        """Weights by name."""
        return dict(zip(self.experiment.network.layout.names, self.state.weights.tolist(), strict=True))

    @property
    def history(self) -> list[Record]:
        """Losses, accuracies and counters of every epoch."""
        return [record for record in self.records if record["event"] == "epoch"]

    def predict(self, inputs: ArrayLike, *, shots: int | None = None, exact: bool = False, draw: int = 0) -> Prediction:
        """Measure the outputs for some rows.

        Args:
            inputs: Inputs in the units of the data, shape (samples, num_inputs).
            shots: Shots of each batch; None for those of the run's test samples.
            exact: Whether to use exact states and expectations instead of the preparation and the backend of the run.
            draw: Number of the shot sample; the same number gives the same shots.

        Raises:
            ConfigError: The network has no outputs, the run is on a device behind a service, or shots and exact
                expectations are asked for together.
            DataError: The rows do not fit the data of the run.
        """
        if exact and shots is not None:
            raise ConfigError("exact: exact expectations have no shots; leave one of exact and shots out")
        if self.config.execution.is_remote and not exact:
            raise ConfigError(
                "predict: jobs on a device need the ledger of a run folder; use 'qep predict' on the folder, or "
                "exact=True"
            )
        data = rows_from_arrays(inputs, self.task)
        estimator, executor = self.experiment.ideal if exact else (self.experiment.estimator, self.experiment.executor)
        estimator = StepShots.of(estimator, self.state.step_shots if not exact else None)
        if shots is not None:
            with keys(self.config, "measurement"):
                estimator = replace(estimator, shots=shots, test_shots=None)
        found = evaluate(
            estimator,
            executor,
            self.state.weights,
            data,
            purpose="predict",
            index=draw,
            with_cost=False,
            warm_start={} if exact else self._warm_start(data),
        )
        if found.outputs is None or found.output_errors is None:
            raise ConfigError("predict: this network has no outputs to predict with")
        classes = self.task.train.classes
        labels = np.array(classes)[decode(found.outputs, len(classes))] if classes else None
        return Prediction(
            outputs=self.task.in_units(found.outputs),
            standard_errors=self.task.errors_in_units(found.output_errors),
            labels=labels,
        )

    def hamiltonian(self, x: ArrayLike) -> SparsePauliOp:
        """Return H(w, x) as a SparsePauliOp; spin k is qubit k.

        Args:
            x: Inputs in the units of the data, shape (num_inputs,).
        """
        return self._operators.hamiltonian(self.state.weights, self._scaled(x))

    def dh_dw(self, name: str, x: ArrayLike) -> SparsePauliOp:
        """Return dH/dw of one weight as a SparsePauliOp.

        Args:
            name: Name of the weight, one of `weights`.
            x: Inputs in the units of the data, shape (num_inputs,).
        """
        return self._operators.interaction(name, self._scaled(x))

    def save(self, path: str | Path) -> Path:
        """Write a run folder, which `load_run` and all commands read.

        Args:
            path: The new folder.

        Raises:
            RunFolderError: The folder exists and is not empty, or cannot be written.
        """
        folder = start_run(Path(path), self.experiment)
        lines = "".join(json.dumps(record) + "\n" for record in self.records).encode()
        write_atomically(folder.metrics_path, lines)
        self.state.metrics_bytes = len(lines)
        folder.save_state(self.state, folder.fingerprint())
        write_numbers(folder, self.experiment.network.layout.names, self.state)
        return folder.path

    @property
    def _operators(self) -> Any:
        network = self.experiment.network
        if not hasattr(network, "hamiltonian"):
            raise ConfigError(f"hamiltonian: a network of kind '{self.config.network.kind}' has no Pauli strings")
        return network

    def _scaled(self, x: ArrayLike) -> NDArray[np.float64]:
        return self.task.scaling.apply(np.asarray(x, dtype=float)[np.newaxis])[0]

    def _warm_start(self, data: Dataset) -> dict[str, NDArray]:
        return dict(nearest_warm_start(self.state.warm_starts, self.task.train.inputs, data.inputs))


def load_run(path: str | Path) -> TrainedNetwork:
    """Load the trained network of a run folder.

    Args:
        path: The folder.

    Raises:
        RunFolderError: The folder is not a run folder, is damaged, or nothing is trained there yet.

    Example:
        >>> import tempfile
        >>> model = qep.QEPClassifier(num_spins=2, epochs=1, random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
        >>> folder = model.save(f"{tempfile.mkdtemp()}/run")
        >>> qep.load_run(folder).weights == model.weights_
        True
    """
    folder, experiment = open_run(path)
    state = load_matching_state(folder, experiment)
    if state is None:
        raise RunFolderError(f"{path}: nothing is trained here yet; use 'qep resume {path}'")
    return TrainedNetwork(experiment, state, folder.records())
