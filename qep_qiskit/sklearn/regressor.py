"""A regressor for scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from qep_qiskit.config import Config
from qep_qiskit.core.errors import DataError
from qep_qiskit.runs.trained import TrainedNetwork
from qep_qiskit.sklearn.base import QEPEstimator
from qep_qiskit.tasks import Dataset, Task, rows_from_arrays, task_from_arrays


class QEPRegressor(MultiOutputMixin, RegressorMixin, QEPEstimator):
    """Regressor that trains a quantum network by Quantum Equilibrium Propagation.

    Targets are scaled to the range of the outputs; predictions are in the units of the targets. The hyperparameters are
    those of `QEPClassifier`; the loss is the squared error.

    Attributes:
        trained_: The trained network.
        n_features_in_: Number of inputs.
        n_epochs_: Epochs trained.

    Example:
        >>> X, y = [[0.0], [0.5], [1.0], [1.5]], [10.0, 15.0, 20.0, 25.0]
        >>> model = qep.QEPRegressor(num_spins=2, epochs=60, random_state=0).fit(X, y)
        >>> model.score(X, y) > 0.9
        True
    """

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train on samples.

        Args:
            X: Inputs, shape (samples, num_inputs).
            y: Targets, shape (samples,) or (samples, num_targets).

        Raises:
            ValueError: The arrays or a hyperparameter cannot be used.
        """
        return self._fitted(*self._checked(X, y, first=True), None)

    def partial_fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train one epoch on samples, from the present weights; the first call fits the scaling of inputs and targets.

        Args:
            X: Inputs, shape (samples, num_inputs).
            y: Targets, shape (samples,) or (samples, num_targets).

        Raises:
            ValueError: The arrays or a hyperparameter cannot be used.
        """
        first = not hasattr(self, "trained_")
        train = self._started if first else self._continued
        return train(*self._checked(X, y, first=first))

    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Return the predicted targets, of the shape of `y` in `fit`.

        Args:
            X: Inputs, shape (samples, num_inputs).
            return_std: Whether to return the standard errors by shots as well.

        Returns:
            The predictions, or a tuple of them and their standard errors.
        """
        found = self._prediction(X)
        outputs, errors = found.outputs, found.standard_errors
        if self._flat:
            outputs, errors = outputs[:, 0], errors[:, 0]
        return (outputs, errors) if return_std else outputs

    def _checked(self, X: ArrayLike, y: ArrayLike, *, first: bool) -> tuple[NDArray, NDArray]:
        """Return inputs and targets as numbers; the first ones say how many targets there are."""
        inputs, targets = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, reset=first)
        if first:
            self._flat = targets.ndim == 1
            self._num_targets = 1 if self._flat else targets.shape[1]
        return inputs, targets.astype(np.float64)

    @property
    def _default_loss(self) -> str:
        return "squared_error"

    @property
    def _counts(self) -> tuple[int, int]:
        return 0, self._num_targets

    def _task(self, X: NDArray, y: NDArray, config: Config, test: tuple[NDArray, NDArray] | None) -> Task:
        return task_from_arrays(
            X,
            y,
            test=test,
            regression=True,
            input_names=getattr(self, "feature_names_in_", None),
            **self._options(config),
        )

    def _rows(self, X: NDArray, y: NDArray) -> Dataset:
        return rows_from_arrays(X, self.trained_.task, answers=y)

    def _adopt(self, trained: TrainedNetwork) -> None:
        columns = trained.task.target_columns
        if not columns:
            raise DataError("QEPRegressor: the run has no target columns; load it as QEPClassifier")
        if not hasattr(self, "_num_targets"):
            self._flat, self._num_targets = len(columns) == 1, len(columns)
        super()._adopt(trained)
