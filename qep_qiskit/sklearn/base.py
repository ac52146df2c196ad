"""What classifier and regressor have in common: fitting, outputs, and what a trained network offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qiskit.quantum_info import SparsePauliOp
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from qep_qiskit.config import build
from qep_qiskit.config.load import with_files
from qep_qiskit.config.task import ArraysTask
from qep_qiskit.core.errors import ConfigError, QepError
from qep_qiskit.learning import Callback, EarlyStopping, TrainingState
from qep_qiskit.runs.callbacks import KeptRecords, last_outputs
from qep_qiskit.runs.trained import Prediction, TrainedNetwork, load_run
from qep_qiskit.sklearn.parameters import given_content, merged_config
from qep_qiskit.tasks import Dataset, Task, TaskOptions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qep_qiskit.config import Config, Experiment
    from qep_qiskit.network import Network


_KEPT = ("scaling", "input_scale", "amplitude", "target_scaling")
"""Keys of a task that say how arrays are scaled."""


class QEPEstimator(BaseEstimator):
    """Base class of the estimators; see `QEPClassifier` and `QEPRegressor`."""

    trained_: TrainedNetwork

    def __init__(
        self,
        *,
        num_spins: int | None = None,
        graph: str = "complete",
        preparation: str = "exact",
        backend: str | None = None,
        shots: int | None = None,
        beta: float | str | None = None,
        loss: str | None = None,
        epochs: int = 30,
        batch_size: int = 16,
        learning_rate: float = 0.05,
        input_scale: float = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 5,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        config: Mapping[str, Any] | str | Path | None = None,
    ) -> None:
        self.num_spins = num_spins
        self.graph = graph
        self.preparation = preparation
        self.backend = backend
        self.shots = shots
        self.beta = beta
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.input_scale = input_scale
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.config = config

    @property
    def network_(self) -> Network:
        """The trained network."""
        return self._trained.experiment.network

    @property
    def weights_(self) -> dict[str, float]:
        """Weights by name."""
        return self._trained.weights

    @property
    def history_(self) -> Any:
        """Losses, accuracies and counters of every epoch: a pandas DataFrame, or a list of mappings without pandas."""
        rows = self._trained.history
        try:
            import pandas
        except ImportError:
            return rows
        return pandas.DataFrame(rows)

    def hamiltonian(self, x: ArrayLike) -> SparsePauliOp:
        """Return H(w, x) as a SparsePauliOp; spin k is qubit k.

        Args:
            x: Inputs in the units of the training data, shape (num_inputs,).
        """
        return self._trained.hamiltonian(x)

    def save(self, path: str | Path) -> Path:
        """Write a run folder, which `load`, `qep.load_run` and all commands read.

        Args:
            path: The new folder.

        Raises:
            RunFolderError: The folder exists and is not empty, or cannot be written.
        """
        return self._trained.save(path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load an estimator from a run folder: one that `save` has written, or that of `qep train`.

        Hyperparameters that are keys of a configuration are those of the folder, in `config`.

        Args:
            path: The folder.

        Raises:
            RunFolderError: The folder is not a run folder, is damaged, or nothing is trained there yet.
            DataError: The run is no classification, or no regression.
        """
        trained = load_run(path)
        content = trained.config.resolved()
        content["execution"]["jobs"] = None  # of this machine, not of what was learned
        content["task"] = {key: content["task"][key] for key in _KEPT if key in content["task"]}
        loaded = cls(config=content, loss=None)
        loaded._adopt(trained)
        return loaded

    def plot_history(self) -> Figure:
        """Draw losses and accuracies of the epochs, as `qep train` does."""
        from qep_qiskit.report.learning_curve import learning_curve

        return learning_curve(self._trained.records, self._trained.config.name)

    def plot_network(self) -> Figure:
        """Draw the network with its trained weights, as `qep train` does.

        Raises:
            ConfigError: The network has other terms than ZZ, X and Z, or inputs on other terms than Z.
        """
        from qep_qiskit.report.network_picture import network_picture
        from qep_qiskit.report.network_view import network_view

        trained = self._trained
        view = network_view(trained.experiment.network, trained.state, trained.task.train.input_names)
        if view is None:
            raise ConfigError("plot_network: only networks of ZZ, X and Z terms, with inputs on Z, can be drawn")
        return network_picture(view, trained.config.name)

    @property
    def _trained(self) -> TrainedNetwork:
        check_is_fitted(self, "trained_")
        return self.trained_

    def _adopt(self, trained: TrainedNetwork) -> None:
        self.trained_ = trained
        self.n_features_in_ = trained.task.train.num_inputs
        self.n_epochs_ = trained.state.epoch

    def _prediction(self, X: ArrayLike) -> Prediction:
        trained = self._trained
        return trained.predict(validate_data(self, X, reset=False, dtype=np.float64))

    @property
    def _default_loss(self) -> str:
        raise NotImplementedError

    @property
    def _counts(self) -> tuple[int, int]:
        """Numbers of classes and of targets."""
        raise NotImplementedError

    def _rows(self, X: NDArray, y: NDArray) -> Dataset:
        """Return checked arrays as samples, scaled and encoded like the training samples."""
        raise NotImplementedError

    def _task(self, X: NDArray, y: NDArray, config: Config, test: tuple[NDArray, NDArray] | None) -> Task:
        """Return the samples of checked arrays; `test` are inputs and targets for early stopping."""
        raise NotImplementedError

    def _options(self, config: Config) -> TaskOptions:
        assert isinstance(config.task, ArraysTask)
        return config.task.options(one_hot=config.cost.one_hot)

    def _fitted(self, X: NDArray, y: NDArray, labels: NDArray | None) -> Self:
        """Train on checked arrays; `labels` are the classes for a stratified split."""
        random = check_random_state(self.random_state)
        seed = int(random.randint(np.iinfo(np.int32).max))
        test = None
        if self.early_stopping:
            try:
                X, test_X, y, test_y = train_test_split(
                    X, y, test_size=self.validation_fraction, random_state=seed, stratify=labels
                )
            except ValueError:
                X, test_X, y, test_y = train_test_split(X, y, test_size=self.validation_fraction, random_state=seed)
            test = (test_X, test_y)
        records = KeptRecords()
        callbacks: list[Callback] = [records, *([EarlyStopping(self.patience)] if self.early_stopping else [])]
        return self._run(self._experiment(X, y, seed, test), records, callbacks)

    def _started(self, X: NDArray, y: NDArray) -> Self:
        """Train one epoch on checked arrays, from initial weights and with a constant learning rate."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        records = KeptRecords()
        return self._run(_for_one_epoch(self._experiment(X, y, seed), 1), records, [records])

    def _experiment(self, X: NDArray, y: NDArray, seed: int, test: tuple[NDArray, NDArray] | None = None) -> Experiment:
        try:
            config = self._merged_config(seed)
            return build(config, self._task(X, y, config, test))
        except QepError as error:
            raise ValueError(str(error)) from error

    def _merged_config(self, seed: int) -> Config:
        defaults = type(self)().get_params(deep=False) | {"loss": self._default_loss}
        parameters = self.get_params(deep=False)
        parameters["loss"] = parameters["loss"] or self._default_loss
        config = merged_config(parameters, defaults, given_content(self.config), *self._counts, seed)
        if self.early_stopping and config.callbacks.early_stopping is not None:
            raise ConfigError("early_stopping: config also sets callbacks.early_stopping; leave one of them out")
        if self.config is None or isinstance(self.config, Mapping):
            return config
        return with_files(config, Path(self.config).resolve().parent)

    def _continued(self, X: NDArray, y: NDArray) -> Self:
        """Train one epoch on checked arrays, from the present weights and with a constant learning rate."""
        state, records = self.trained_.state, KeptRecords(self.trained_.records)
        state.warm_starts, state.ending = {}, "no"
        task = replace(self.trained_.task, train=self._rows(X, y), test=None)
        experiment = _for_one_epoch(build(self.trained_.config, task), state.epoch + 1)
        return self._run(experiment, records, [records], state)

    def _run(
        self,
        experiment: Experiment,
        records: KeptRecords,
        callbacks: Sequence[Callback],
        state: TrainingState | None = None,
    ) -> Self:
        trainer = experiment.trainer(callbacks=[*callbacks, *_callbacks_of(experiment)], state=state)
        trainer.run()
        self._adopt(TrainedNetwork(experiment, trainer.state, records.found, outputs=last_outputs(trainer)))
        return self


def _callbacks_of(experiment: Experiment) -> tuple[Callback, ...]:
    try:
        return experiment.callbacks()
    except QepError as error:
        raise ValueError(str(error)) from error


def _for_one_epoch(experiment: Experiment, epochs: int) -> Experiment:
    config = experiment.config
    training = config.training.model_copy(update={"epochs": epochs})
    update = config.update.model_copy(update={"decay": "constant"})
    return replace(experiment, config=config.model_copy(update={"training": training, "update": update}))
