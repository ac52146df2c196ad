"""A trained network that takes inputs in the units of its data, from a run folder or from memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.config import Config, Experiment, build, check_config
from qep_qiskit.config.section import keys
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.core.html_table import html_table
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning import Callback, Evaluation, Record, StepShots, TrainingState, evaluate
from qep_qiskit.learning.warm_starts import nearest_warm_start
from qep_qiskit.runs.callbacks import KeptRecords, last_outputs
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.other_settings import open_trained, require_trained
from qep_qiskit.runs.questions import Quote, answer_to
from qep_qiskit.runs.score import Score, score_of
from qep_qiskit.runs.summary import number_rows, run_summary, write_numbers
from qep_qiskit.runs.training import start_run
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
        folder: Folder of the run, which has the ledger of its jobs on a device; None in memory.
        outputs: Outputs of the samples with the final weights, as `RunFolder.outputs` returns them; of a folder those
            that it has.

    Example:
        >>> trained = qep.train(qep.from_file("configs/xor.toml", ["training.epochs=1"]))
        >>> trained.hamiltonian([1, -1]).num_qubits
        4
    """

    def __init__(
        self,
        experiment: Experiment,
        state: TrainingState,
        records: Sequence[Record] = (),
        folder: RunFolder | None = None,
        outputs: Mapping[str, NDArray] = MappingProxyType({}),
    ) -> None:
        self.experiment, self.state, self.records, self.folder = experiment, state, tuple(records), folder
        self._outputs = dict(outputs)

    def __repr__(self) -> str:
        epochs, weights = amount(self.state.epoch, "epoch"), amount(len(self.state.weights), "weight")
        return f"TrainedNetwork({self.config.name!r}, {epochs}, {weights})"

    def _repr_html_(self) -> str:
        rows = number_rows(run_summary(self.records, self.state))
        return html_table(f"{self.config.name}: {len(self.state.weights)} trained weights", (), rows)

    def __getstate__(self) -> tuple[Any, ...]:
        return self.config.resolved(), self.task, self.state, self.records, self._outputs

    def __setstate__(self, kept: tuple[Any, ...]) -> None:
        config, task, state, records, outputs = kept
        experiment = build(check_config(config, "pickle"), task)
        self.__init__(experiment, state, records, outputs=outputs)  # type: ignore[misc]

    @property
    def outputs(self) -> dict[str, NDArray]:
        """Outputs of the samples that were measured with the final weights, as `RunFolder.outputs` returns them."""
        return self._outputs if self.folder is None else self.folder.outputs()

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

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """Warnings of the training, the most severe first, each with its counts."""
        return self.state.warnings.summary()

    def predict(
        self,
        inputs: ArrayLike,
        *,
        shots: int | None = None,
        exact: bool = False,
        draw: int = 0,
        agree: Callable[[Quote], None] | None = None,
    ) -> Prediction:
        """Measure the outputs for some rows.

        Args:
            inputs: Inputs in the units of the data, shape (samples, num_inputs).
            shots: Shots of each batch; None for those of the run's test samples.
            exact: Whether to use exact states and expectations instead of the preparation and the backend of the run.
            draw: Number of the shot sample; the same number gives the same shots.
            agree: On a device, called with the price before anything is sent, such as `print`; it raises where that
                is too much. None: only answers that the ledger of the run has already.

        Raises:
            ConfigError: The network has no outputs, a device would have to be paid, or shots and exact expectations
                are asked for together.
            DataError: The rows do not fit the data of the run.
        """
        data = rows_from_arrays(inputs, self.task)
        found = self.measured(data, "predict", shots=shots, exact=exact, draw=draw, with_cost=False, agree=agree)
        if found.outputs is None or found.output_errors is None:
            raise ConfigError("predict: this network has no outputs to predict with")
        classes = self.task.train.classes
        labels = np.array(classes)[decode(found.outputs, len(classes))] if classes else None
        return Prediction(
            outputs=self.task.in_units(found.outputs),
            standard_errors=self.task.errors_in_units(found.output_errors),
            labels=labels,
        )

    def evaluate(
        self,
        inputs: ArrayLike | None = None,
        targets: ArrayLike | None = None,
        *,
        shots: int | None = None,
        exact: bool = False,
        draw: int = 0,
        agree: Callable[[Quote], None] | None = None,
    ) -> Score:
        """Measure loss, accuracy and errors of the test samples, or of some rows.

        Args:
            inputs: Inputs in the units of the data, shape (samples, num_inputs); None for the test samples of the run,
                or its training samples where it has none for tests.
            targets: Labels or target numbers of the rows.
            shots: See `predict`.
            exact: See `predict`.
            draw: See `predict`.
            agree: See `predict`.

        Raises:
            ConfigError: Only one of inputs and targets is given; or see `predict`.
            DataError: The rows do not fit the data of the run.

        Example:
            >>> trained = qep.train(qep.from_file("configs/xor.toml", ["training.epochs=1"]))
            >>> trained.evaluate(exact=True).accuracy_se is not None
            True
        """
        if (inputs is None) != (targets is None):
            raise ConfigError("inputs, targets: expected both, or neither for the test samples of the run")
        data = self.own_samples[1] if inputs is None else rows_from_arrays(inputs, self.task, answers=targets)
        found = self.measured(data, "evaluate", shots=shots, exact=exact, draw=draw, agree=agree)
        return score_of(self.task, data, found)

    @property
    def own_samples(self) -> tuple[str, Dataset]:
        """Name and samples of the part of the run's data that it is judged by: ``test``, or ``train`` without it."""
        return ("train", self.task.train) if self.task.test is None else ("test", self.task.test)

    def measured(
        self,
        data: Dataset,
        purpose: str,
        *,
        shots: int | None = None,
        exact: bool = False,
        draw: int = 0,
        with_cost: bool = True,
        agree: Callable[[Quote], None] | None = None,
    ) -> Evaluation:
        """Measure outputs and cost of samples of the task.

        Args:
            data: The samples, scaled.
            purpose: Purpose in the keys of the requests.
            shots: See `predict`.
            exact: See `predict`.
            draw: See `predict`.
            with_cost: Whether the cost is computed from the targets.
            agree: See `predict`.

        Raises:
            ConfigError: See `predict`.
        """
        if exact and shots is not None:
            raise ConfigError("exact: exact expectations have no shots; leave one of exact and shots out")
        estimator, executor = self.experiment.ideal if exact else (self.experiment.estimator, self.experiment.executor)
        estimator = StepShots.of(estimator, self.state.step_shots if not exact else None)
        if shots is not None:
            with keys(self.config, "measurement"):
                estimator = replace(estimator, shots=shots, test_shots=None)

        def measure(asked: Experiment) -> Evaluation:
            return evaluate(
                estimator,
                asked.executor,
                self.state.weights,
                data,
                purpose=purpose,
                index=draw,
                with_cost=with_cost,
                warm_start={} if exact else self._warm_start(data),
            )

        asked = replace(self.experiment, estimator=estimator, executor=executor)
        if exact or not self.config.execution.is_remote:
            return measure(asked)
        if self.folder is None:
            raise ConfigError(
                f"{purpose}: jobs on a device need the ledger of a run folder; save this network and load it with "
                "load_run, or use exact=True"
            )
        question = (self.state.weights, data.inputs, data.targets)
        return answer_to(self.folder, asked, measure, *question, agree=agree or partial(_refuse_price, purpose))

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
        folder.write_outputs(self.outputs)
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
        return rows_from_arrays([x], self.task).inputs[0]

    def _warm_start(self, data: Dataset) -> dict[str, NDArray]:
        return dict(nearest_warm_start(self.state.warm_starts, self.task.train.inputs, data.inputs))


def train(experiment: Experiment, callbacks: Sequence[Callback] = (), *, progress: bool = True) -> TrainedNetwork:
    """Train in memory, as in a notebook; `TrainedNetwork.save` then writes the run folder.

    Args:
        experiment: The objects of the run.
        callbacks: Called during the training, in this order, after those of the configuration.
        progress: Whether a notebook shows how far the training is. Elsewhere the log has a line now and then, with the
            level of information.

    Raises:
        ConfigError: The run is on a device behind a service, whose jobs need a ledger.
        QepError: A step failed.

    Example:
        >>> import tempfile
        >>> trained = qep.train(qep.from_file("configs/xor.toml", ["training.epochs=2"]))
        >>> len(trained.history), trained.warnings
        (3, [])
        >>> folder = trained.save(f"{tempfile.mkdtemp()}/run")
        >>> qep.load_run(folder).history == trained.history
        True
    """
    if experiment.config.execution.is_remote:
        raise ConfigError(
            f"execution.backend: jobs on '{experiment.config.execution.backend}' need the ledger of a run folder; use "
            "'qep train'"
        )
    records = KeptRecords()
    trainer = experiment.trainer(callbacks=(records, *experiment.callbacks(), *callbacks), progress=progress)
    trainer.run()
    return TrainedNetwork(experiment, trainer.state, records.found, outputs=last_outputs(trainer))


def _refuse_price(purpose: str, quote: Quote) -> None:
    price = "a price that is not known" if quote.price is None else f"about {quote.price:,.1f} {quote.unit}"
    raise ConfigError(
        f"{purpose}: this would send {amount(quote.jobs, 'job')} to {quote.device}, {price}; give agree=print to send "
        "them, or exact=True"
    )


def load_run(path: str | Path, overrides: Sequence[str] = ()) -> TrainedNetwork:
    """Load the trained network of a run folder, under its settings or others.

    Args:
        path: The folder; nothing in it changes.
        overrides: ``key.path=value`` texts, keys of execution, measurement, preparation and contrast.

    Raises:
        RunFolderError: The folder is not a run folder, is damaged, or nothing is trained there yet.
        ConfigError: A key is one of what was learned, such as those of the network, or a value is invalid.

    Example:
        >>> import tempfile
        >>> model = qep.QEPClassifier(num_spins=2, epochs=1, random_state=0).fit([[0.0], [1.0]], ["no", "yes"])
        >>> folder = model.save(f"{tempfile.mkdtemp()}/run")
        >>> qep.load_run(folder).weights == model.weights_
        True
        >>> qep.load_run(folder, ["measurement.shots=5000"]).predict([[0.5]]).outputs.shape
        (1, 2)
    """
    folder, experiment, state = open_trained(path, overrides)
    return TrainedNetwork(experiment, require_trained(state, path), folder.records(), folder)
