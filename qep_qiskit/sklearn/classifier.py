"""A classifier for scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import validate_data

from qep_qiskit.config import Config
from qep_qiskit.config.cost import LossCost
from qep_qiskit.core.errors import DataError
from qep_qiskit.runs.trained import TrainedNetwork
from qep_qiskit.sklearn.base import QEPEstimator
from qep_qiskit.tasks import Dataset, Task, rows_from_arrays, task_from_arrays


class QEPClassifier(ClassifierMixin, QEPEstimator):
    """Classifier that trains a quantum network by Quantum Equilibrium Propagation.

    The inputs are clamped on the spins of a network, and outputs are expectations of Z of its last spins.

    Args:
        num_spins: Number of spins; by default four, or one for each output if there are more.
        graph: Couplings of the spins, one of the graphs of a configuration.
        preparation: How states are prepared: ``"exact"``, ``"adiabatic"``, ``"vqe"``, ...
        backend: Where circuits run: ``"statevector"``, ``"aer"``, the name of a device snapshot, ...; by default
            ``"statevector"``, or ``"aer"`` where `config` has noise or another key of Aer.
        shots: Shots of each batch, in the mean over samples; None for exact expectations. Ising networks nudge all
            samples by the same energy and give more shots to those with larger errors (`contrast.equal_nudges` and
            `measurement.shots_by_error`, which `config` may set otherwise).
        beta: Nudge, an energy where all samples have the same, or ``"auto"`` for the best one by pilot measurements
            (which needs shots); None for 0.05 without shots and 0.3 with shots, whose noise grows as 1 / beta.
        loss: ``"cross_entropy"`` or ``"squared_error"``; None for the cross-entropy.
        epochs: Passes over the training samples.
        batch_size: Samples for each update of the weights.
        learning_rate: Initial learning rate of Adam; it decreases linearly to zero.
        input_scale: Factor on the inputs, which are first scaled to mean 0 and standard deviation 1.
        early_stopping: Whether to set a share of the samples aside and to stop where their loss no longer decreases;
            the weights of the best epoch are kept.
        validation_fraction: That share.
        patience: Epochs without a decrease before the stop.
        random_state: Seed of initial weights, order of samples and shots.
        n_jobs: Number of states that are computed at the same time, as everywhere in scikit-learn: None for one
            (or what `joblib.parallel_config` says), -1 for one per core. It changes no result. Small networks gain
            nothing, and on devices it has no effect.
        config: Further keys: a dictionary of sections, or the path of a TOML file, with the keys of the command line.

    Attributes:
        classes_: The classes, sorted.
        trained_: The trained network.
        n_features_in_: Number of inputs.
        n_epochs_: Epochs trained.

    Example:
        >>> X, y = [[0.0], [0.2], [0.8], [1.0]], ["low", "low", "high", "high"]
        >>> qep.QEPClassifier(num_spins=2, random_state=0).fit(X, y).predict([[0.1], [0.9]])
        array(['low', 'high'], dtype='<U4')
    """

    classes_: NDArray[Any]

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on samples.

        Args:
            X: Inputs, shape (samples, num_inputs).
            y: Classes, shape (samples,).

        Raises:
            ValueError: The arrays or a hyperparameter cannot be used.
        """
        inputs, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_ = unique_labels(labels)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least two classes, got one class: {self.classes_[0]!r}")
        return self._fitted(inputs, self._indices(labels), labels)

    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None) -> Self:
        """Train one epoch on samples, from the present weights; the first call fits the scaling of the inputs.

        Args:
            X: Inputs, shape (samples, num_inputs).
            y: Classes, shape (samples,).
            classes: All classes; needed in the first call.

        Raises:
            ValueError: The arrays or a hyperparameter cannot be used, or `classes` is missing in the first call.
        """
        first = not hasattr(self, "trained_")
        inputs, labels = validate_data(self, X, y, dtype=np.float64, reset=first)
        if first and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is not None:
            if not first and not np.array_equal(self.classes_, unique_labels(classes)):
                raise ValueError(f"classes: expected {self.classes_} as in the first call, got {classes}")
            self.classes_ = unique_labels(classes)
        return self._started(inputs, self._indices(labels)) if first else self._continued(inputs, self._indices(labels))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return the class of every row, shape (samples,).

        Args:
            X: Inputs, shape (samples, num_inputs).
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Return the probabilities of the classes, shape (samples, classes).

        With the cross-entropy they are its softmax of the outputs; with the squared error a class has the probability
        (1 + z) / 2 of its output z, normalised over the classes.

        Args:
            X: Inputs, shape (samples, num_inputs).
            return_std: Whether to return the standard errors by shots as well, to first order.

        Returns:
            The probabilities, or a tuple of them and their standard errors, both of shape (samples, classes).
        """
        found = self._prediction(X)
        probabilities, slopes = self._probabilities(found.outputs)
        if not return_std:
            return probabilities
        return probabilities, np.sqrt(np.einsum("sco,so->sc", slopes**2, found.standard_errors**2))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return scores: the outputs, shape (samples, classes); for two classes that of the second, shape (samples,).

        Args:
            X: Inputs, shape (samples, num_inputs).
        """
        outputs = self._prediction(X).outputs
        if len(self.classes_) > 2:
            return outputs
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs[:, 1] - outputs[:, 0]

    def _probabilities(self, outputs: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return probabilities (samples, classes) and their derivatives (samples, classes, outputs)."""
        cost = self.trained_.config.cost
        if isinstance(cost, LossCost) and cost.one_hot:
            found = softmax(cost.gain * outputs, axis=1)
            return found, cost.gain * found[:, :, None] * (np.eye(found.shape[1]) - found[:, None, :])
        if outputs.shape[1] == 1:
            second = np.clip((1.0 + outputs[:, 0]) / 2.0, 0.0, 1.0)
            slopes = np.broadcast_to(np.array([[-0.5], [0.5]]), (len(outputs), 2, 1))
            return np.stack([1.0 - second, second], axis=1), slopes
        shares = np.clip((1.0 + outputs) / 2.0, 1e-12, 1.0)
        total = shares.sum(axis=1, keepdims=True)
        found = shares / total
        return found, (np.eye(outputs.shape[1]) - found[:, :, None]) / (2.0 * total[:, :, None])

    def _indices(self, labels: NDArray) -> NDArray[np.int64]:
        known = np.isin(labels, self.classes_)
        if not known.all():
            raise ValueError(f"y: expected one of the classes {self.classes_}, got {labels[~known][0]!r}")
        return np.searchsorted(self.classes_, labels)

    @property
    def _default_loss(self) -> str:
        return "cross_entropy"

    @property
    def _counts(self) -> tuple[int, int]:
        return len(self.classes_), 0

    def _task(self, X: NDArray, y: NDArray, config: Config, test: tuple[NDArray, NDArray] | None) -> Task:
        return task_from_arrays(
            X,
            self._names[y],
            classes=self._names.tolist(),
            test=None if test is None else (test[0], self._names[test[1]]),
            regression=False,
            input_names=getattr(self, "feature_names_in_", None),
            **self._options(config),
        )

    def _rows(self, X: NDArray, y: NDArray) -> Dataset:
        return rows_from_arrays(X, self.trained_.task, answers=self._names[y])

    @property
    def _names(self) -> NDArray[np.str_]:
        return np.array([str(found) for found in self.classes_.tolist()])

    def _adopt(self, trained: TrainedNetwork) -> None:
        names = trained.task.train.classes
        if not names:
            raise DataError("QEPClassifier: the run is a regression; load it as QEPRegressor")
        if not hasattr(self, "classes_"):
            are_numbers = all(name.isdecimal() for name in names)
            self.classes_ = np.array([int(name) for name in names] if are_numbers else names)
        super()._adopt(trained)
