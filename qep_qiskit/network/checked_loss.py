"""Checks of losses: every value and derivative is finite, has the right shape, and belongs to one function.

`CheckedLoss` wraps every loss, built-in or the user's own, wherever one is evaluated. `check_derivatives` compares
value, error signals and curvature with each other when a run is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DataError, NetworkError, ResultError
from qep_qiskit.network.batch_losses import BatchLoss, Contrastive, Sensitivity
from qep_qiskit.network.losses import CrossEntropy, CustomLoss, Loss, NegativeAbs, SquaredError

_NAMES: dict[type, str] = {
    SquaredError: "squared_error",
    CrossEntropy: "cross_entropy",
    NegativeAbs: "negative_abs",
    Contrastive: "contrastive",
    Sensitivity: "sensitivity",
}
_STEP = 1e-4
_RELATIVE = 1e-3
_SLOPE_ROUNDING, _CURVATURE_ROUNDING = 1e-9, 1e-6
_POINTS = 6
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class CheckedLoss:
    """A loss whose results are checked: real, finite, and one per sample.

    Args:
        loss: The loss.
        name: Name in messages, such as ``module:name``.
    """

    loss: Loss | BatchLoss
    name: str

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the loss of every sample, shape (samples,).

        Raises:
            DataError: Targets are not finite, or not one row per sample.
            NetworkError: The loss raises an exception, or its result is not finite or has another shape.
            ResultError: The outputs are not finite.
        """
        if isinstance(self.loss, BatchLoss):
            whole = self._answer("value", self.loss.value, outputs, targets, ())
            return np.full(len(outputs), whole)
        return self._answer("value", self.loss.value, outputs, targets, (len(outputs),))

    def gradient(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the error signals dL/d<O_o>, shape (samples, outputs); raises as `value`.

        Those of a loss of a batch are the number of samples times its derivatives, see `batch_losses`.
        """
        scale = len(outputs) if isinstance(self.loss, BatchLoss) else 1
        return scale * self._answer("gradient", self.loss.gradient, outputs, targets, outputs.shape)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the derivatives of error signals by outputs of the same sample; raises as `value`.

        Returns:
            Shape (samples, outputs, outputs).
        """
        if isinstance(self.loss, BatchLoss):
            return np.einsum("sosp->sop", self.coupling(outputs, targets))
        shape = (*outputs.shape, outputs.shape[1])
        return self._answer("curvature", self.loss.curvature, outputs, targets, shape)

    def coupling(self, outputs: NDArray, targets: NDArray) -> NDArray[np.float64]:
        """Return the derivatives of error signals by the outputs of all samples of a batch; raises as `value`.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).

        Returns:
            Shape (samples, outputs, samples, outputs).
        """
        shape = (*outputs.shape, *outputs.shape)
        return len(outputs) * self._answer("curvature", self.loss.curvature, outputs, targets, shape)

    def _answer(
        self,
        what: str,
        function: Callable[[NDArray, NDArray], NDArray | float],
        outputs: NDArray,
        targets: NDArray,
        shape: tuple[int, ...],
    ) -> NDArray[np.float64]:
        self._check_arguments(outputs, targets)
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(function(_read_only(outputs), _read_only(targets)))
        except Exception as error:  # the user's function may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise NetworkError(f"loss: the {what} of '{self.name}' cannot be had: {reason}") from error
        if found.shape != shape:
            names = ("samples", "outputs", *(("samples",) if len(shape) == 4 else ()), "outputs")[: len(shape)]
            expected = f"({', '.join(names)}{',' if len(names) == 1 else ''})"
            raise NetworkError(f"loss: {what} of '{self.name}': expected shape {expected} = {shape}, got {found.shape}")
        if found.dtype.kind not in "fiu":
            raise NetworkError(f"loss: {what} of '{self.name}': expected real numbers, got {found.dtype}")
        found = found.astype(np.float64)
        finite = np.isfinite(found)
        if not finite.all():
            sample = int(np.argmin(finite.reshape(len(found) if shape else 1, -1).all(axis=1)))
            raise NetworkError(
                f"loss: {what} of '{self.name}' is not finite for sample {sample} (outputs "
                f"{_numbers(outputs[sample])}, targets {_numbers(targets[sample])}); a loss must be finite wherever "
                "outputs can be"
            )
        return found

    def _check_arguments(self, outputs: NDArray, targets: NDArray) -> None:
        if not np.isfinite(outputs).all():
            sample, output = np.argwhere(~np.isfinite(outputs))[0]
            raise ResultError(
                f"output {output} of sample {sample} is {outputs[sample, output]}: the executor gave a mean that is "
                "not finite"
            )
        if targets.ndim != 2 or len(targets) != len(outputs):
            raise DataError(
                f"targets: expected one row for every sample, {len(outputs)} in all, got an array of shape "
                f"{targets.shape}"
            )
        if isinstance(self.loss, SquaredError | CrossEntropy) and targets.shape != outputs.shape:
            raise DataError(
                f"targets: {self.name} needs one for every output, {outputs.shape[1]} in all, got {targets.shape[1]}"
            )
        if not np.isfinite(targets).all():
            sample, target = np.argwhere(~np.isfinite(targets))[0]
            raise DataError(f"targets: number {target} of sample {sample} is {targets[sample, target]}")


def loss_name(loss: Loss | BatchLoss) -> str:
    """Return the name of a loss in messages where the configuration gives none."""
    if isinstance(loss, CustomLoss):
        return getattr(loss.function, "__name__", "CustomLoss")
    return _NAMES.get(type(loss), type(loss).__name__)


def check_derivatives(loss: CheckedLoss, targets: NDArray, reach: NDArray) -> None:
    """Compare value, gradient and curvature of a loss by finite differences, at a few points.

    Args:
        loss: The loss.
        targets: Shape (samples, targets), the targets of the training samples.
        reach: Shape (outputs, 2), smallest and largest value of every output; infinite where unbounded.

    Raises:
        DataError: The loss needs targets that are probability distributions, and these are not.
        NetworkError: The loss is not finite at a point that outputs can reach, a result has another shape, a sample's
            loss depends on the other samples, or derivatives disagree.
    """
    if isinstance(loss.loss, BatchLoss):
        _check_batch(loss, targets[:_POINTS], reach)
        return
    if isinstance(loss.loss, CrossEntropy):
        _check_distributions(targets)
    aims = targets[np.resize(np.arange(min(len(targets), _POINTS)), _POINTS)]
    outputs = _points(aims, reach)

    def at_points(function: Callable[[NDArray, NDArray], NDArray]) -> NDArray:
        """In batches of the training samples, so that errors count as these do."""
        starts = range(0, _POINTS, min(len(targets), _POINTS))
        parts = [slice(start, start + len(targets)) for start in starts]
        return np.concatenate([function(outputs[part], aims[part]) for part in parts])

    values, slopes, curvatures = (at_points(which) for which in (loss.value, loss.gradient, loss.curvature))
    alone, together = loss.value(outputs[:1], aims[:1]), loss.value(outputs, aims)
    if not np.allclose(alone, together[:1], rtol=1e-9, atol=1e-12 * np.abs(values).max()):
        raise NetworkError(
            f"loss: the value of '{loss.name}' for one sample depends on the other samples of the batch; return "
            "one loss for each sample, and take no mean over samples; a loss that couples them derives from BatchLoss"
        )
    size = float(np.abs(values).max())
    _compare(loss, "gradient", "value", slopes, _differences(loss.value, outputs, aims), _SLOPE_ROUNDING * size)
    found = _differences(loss.gradient, outputs, aims)
    rounding = _CURVATURE_ROUNDING * max(size, float(np.abs(slopes).max()))
    _compare(loss, "curvature", "gradient", curvatures, found, rounding)


def _check_batch(loss: CheckedLoss, targets: NDArray, reach: NDArray) -> None:
    """Compare value, gradient and curvature of a loss of a batch of the first samples."""
    outputs = _points(targets, reach)
    step = _STEP * max(1.0, float(np.abs(outputs).max()))
    shifts = step * np.eye(outputs.size).reshape(-1, *outputs.shape)

    def differences(function: Callable[[NDArray, NDArray], NDArray]) -> NDArray:
        pairs = [(function(outputs + shift, targets), function(outputs - shift, targets)) for shift in shifts]
        return np.array([(up - down) / (2.0 * step) for up, down in pairs])

    size, signals = float(np.abs(loss.value(outputs, targets)).max()), loss.gradient(outputs, targets)
    # every sample has the value of the batch, so that the summed derivatives are those of the signals
    slopes = differences(loss.value).sum(axis=1).reshape(outputs.shape)
    _compare(loss, "gradient", "value", signals, slopes, _SLOPE_ROUNDING * size)
    found = differences(loss.gradient).reshape(*outputs.shape, *outputs.shape)
    rounding = _CURVATURE_ROUNDING * max(size, float(np.abs(signals).max()))
    _compare(loss, "curvature", "gradient", loss.coupling(outputs, targets), found, rounding)


def _check_distributions(targets: NDArray) -> None:
    total = targets.sum(axis=1)
    wrong = (targets.min(axis=1) < 0.0) | (np.abs(total - 1.0) > 1e-2)
    if wrong.any():
        sample = int(np.argmax(wrong))
        raise DataError(
            "loss: cross_entropy needs targets that are probabilities, none negative and with the sum one; sample "
            f"{sample} has {_numbers(targets[sample])}. Give one target per class, or use loss = 'squared_error'"
        )


def _points(aims: NDArray, reach: NDArray) -> NDArray[np.float64]:
    """Return the outputs at which a loss is checked: fixed random points within reach, or around the targets."""
    draws = np.random.default_rng(20240601).uniform(-1.0, 1.0, (len(aims), len(reach)))
    bounded = np.isfinite(reach).all(axis=1)
    low, high = np.where(bounded, reach.T, 0.0)
    near = aims if aims.shape[1] == len(reach) else np.zeros_like(draws)
    std = 0.3 * np.maximum(np.abs(near).max(axis=0), 0.1)
    return np.where(bounded, (low + high) / 2.0 + 0.45 * (high - low) * draws, near + std * draws)


def _differences(function: Callable[[NDArray, NDArray], NDArray], outputs: NDArray, targets: NDArray) -> NDArray:
    """Return central differences with respect to every output, stacked on the last axis; all points in one call."""
    samples, width = outputs.shape
    step = _STEP * max(1.0, float(np.abs(outputs).max()))
    shifts = step * np.concatenate([np.eye(width), -np.eye(width)])
    moved = (outputs[None] + shifts[:, None, :]).reshape(-1, width)
    found = function(moved, np.tile(targets, (2 * width, 1)))
    found = found.reshape(2, width, samples, *found.shape[1:])
    return np.moveaxis((found[0] - found[1]) / (2.0 * step), 0, -1)


def _compare(loss: CheckedLoss, what: str, of: str, claimed: NDArray, found: NDArray, rounding: float) -> None:
    """Reject a derivative that is wrong at more than one point; a single point may be a kink of the loss."""
    tolerance = _RELATIVE * max(float(np.abs(claimed).max()), float(np.abs(found).max())) + rounding
    deviation = np.abs(claimed - found).reshape(len(claimed), -1).max(axis=1)
    if np.count_nonzero(deviation > tolerance) > 1:
        point = int(np.argmax(deviation))
        where = int(np.argmax(np.abs(claimed - found)[point]))
        raise NetworkError(
            f"loss: the {what} of '{loss.name}' is not the derivative of its {of}: "
            f"{claimed[point].flat[where]:.6g} where finite differences give {found[point].flat[where]:.6g}"
        )


def _read_only(array: NDArray) -> NDArray:
    """Return a view that a loss cannot modify in place."""
    view = array.view()
    view.flags.writeable = False
    return view


def _numbers(row: NDArray) -> str:
    shown = ", ".join(f"{number:.4g}" for number in row[:_SHOWN])
    return f"[{shown}{', ...' if len(row) > _SHOWN else ''}]"
