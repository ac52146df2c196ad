"""Interface of costs: their observables, and how they nudge the Hamiltonian. Training lowers one to first order."""

from __future__ import annotations

from abc import ABC
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.network.linear_observables import Term

_NO_SIGNAL = 1e-9


class Cost(ABC):
    """Base class of costs: the quantity that training lowers, and its action on H.

    A cost without error signals implements `observable`. A cost with error signals is a function of outputs and
    implements `output_map`, `value`, `signals` and `curvature`.

    Attributes:
        terms: The Pauli strings whose means determine the cost, without constants.
        has_signals: Whether the nudge consists of error signals, which are measured in the free phase before it.
        num_targets: Number of targets; None for one per output, or any number where there are no outputs.
        copies: Number of successive outputs that are copies of one: they share a target, and their mean is what the
            network predicts.

    Example:
        >>> class Energy(qep.Cost):  # minus Z0, without targets
        ...     terms = (qep.PauliString.parse("Z0"),)
        ...     has_signals = False
        ...     num_targets = 0
        ...
        ...     def observable(self, targets):
        ...         return np.full((len(targets), 1), -1.0), np.zeros(len(targets))
        ...
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> qep.NudgedHamiltonian(network, Energy()).nudge(np.zeros((1, 0)))
        array([[ 0., -1.,  0.,  0.,  0.]])
    """

    terms: tuple[Term, ...]
    has_signals: ClassVar[bool]
    num_targets: int | None = None
    copies: int = 1

    def predictions(self, outputs: NDArray) -> NDArray[np.float64]:
        """Return what the network predicts, shape (samples, predictions): the outputs, or means over their copies.

        Args:
            outputs: Shape (samples, outputs), output expectations.
        """
        return outputs if self.copies == 1 else outputs.reshape(len(outputs), -1, self.copies).mean(axis=2)

    def prediction_variances(self, covariance: NDArray) -> NDArray[np.float64]:
        """Return the variances of the predictions, shape (samples, predictions).

        Args:
            covariance: Shape (samples, outputs, outputs), covariance of the outputs.
        """
        if self.copies == 1:
            return np.einsum("soo->so", covariance)
        split = (covariance.shape[1] // self.copies, self.copies)
        return np.einsum("sacad->sa", covariance.reshape(len(covariance), *split, *split)) / self.copies**2

    @property
    def stages(self) -> int:
        """Number of stages of a gradient, each one request: two where error signals are measured first, else one."""
        return 2 if self.has_signals else 1

    @property
    def fewest_shots(self) -> int:
        """Smallest number of shots for an unbiased value: two for a nonlinear function of expectations, else one."""
        return 2 if self.has_signals else 1

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of qubits that the cost is defined for."""
        return ()

    @property
    def compares_outputs(self) -> bool:
        """Whether targets are values that the outputs should take."""
        return False

    @property
    def couples_samples(self) -> bool:
        """Whether the cost of a batch is no mean over its samples; the cost then implements `coupling`."""
        return False

    @property
    def reads_inputs(self) -> bool:
        """Whether it takes the inputs of the samples in the place of targets."""
        return False

    @property
    def decodes_classes(self) -> bool:
        """Whether outputs decode to classes where the samples have some."""
        return True

    def in_batches_of(self, size: int) -> Cost:
        """Return the cost of several batches of equal size that follow each other; itself if it couples no samples.

        Args:
            size: Samples of a batch.
        """
        return self

    def check(self, targets: NDArray, reach: NDArray) -> None:  # noqa: B027 - most kinds have nothing to check
        """Check that the cost can be evaluated for these targets.

        Args:
            targets: Shape (samples, targets).
            reach: Shape (outputs, 2), smallest and largest value of each output.

        Raises:
            QepError: The cost cannot be evaluated for them.
        """

    def output_map(self) -> tuple[NDArray, NDArray] | None:
        """Return the outputs as linear functions of the cost's terms: matrix (outputs, terms), constants (outputs,).

        None where the cost has no outputs of its own: the outputs are then those of the network.

        Raises:
            NotImplementedError: The cost has error signals, whose outputs it must name.
        """
        if self.has_signals:
            raise NotImplementedError(f"{type(self).__name__}: a cost with error signals implements output_map")
        return None

    def observable(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """Return C(y) of targets (samples, targets): coefficients (samples, terms) and constants (samples,)."""
        raise NotImplementedError

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the cost of every sample, or its share in that of the batch, shape (samples,).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        raise NotImplementedError

    def signals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the error signals, shape (samples, outputs).

        They are the derivatives of the summed `value`, or samples times those of the mean, by the outputs.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        raise NotImplementedError

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives of `value` with respect to the outputs, shape (samples, outputs, outputs).

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        raise NotImplementedError

    def coupling(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the derivatives of the error signals by the outputs of all samples of their batch.

        `curvature` has those by the outputs of the same sample.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).

        Returns:
            Shape (samples, outputs, samples of a batch, outputs).
        """
        raise NotImplementedError

    def curvature_near(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return `curvature` near the boundary of the domain of the cost; not finite outside of it.

        Args:
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        return self.curvature(outputs, targets)

    def is_at_optimum(self, signals: NDArray, curvature: NDArray, outputs: NDArray, targets: NDArray) -> bool:
        """Whether error signals are below 1e-9 of their scale, so that the gradient is zero.

        Args:
            signals: Shape (samples, outputs), error signals.
            curvature: Shape (samples, outputs, outputs), their derivatives.
            outputs: Shape (samples, outputs), output expectations.
            targets: Shape (samples, targets).
        """
        sizes = np.abs(outputs) + np.abs(targets).max(axis=1, initial=0.0)[:, None]
        return bool((np.abs(signals) <= _NO_SIGNAL * np.einsum("soq,sq->so", np.abs(curvature), sizes)).all())
