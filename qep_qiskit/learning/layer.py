"""A network as a differentiable function in a larger model.

The loss of the larger model gives dL/d<O_j>, which is the error signal of Quantum Equilibrium Propagation: the states
are nudged by +-beta sum_j (dL/d<O_j>) O_j, and the contrast is the gradient of L by the weights and by the inputs
(Scellier 2024, arXiv:2406.00879; error signals as in Wanjura & Marquardt 2024). Both come from the same shots.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.core.checks import check_shots
from qep_qiskit.core.errors import DataError, NetworkError
from qep_qiskit.core.observables import OperatorLike
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import Executor, RequestKey, StatevectorExecutor
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.free_phase import measure_free
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import Network
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.joint import InputsAsWeights
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, Preparation


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerGradient:
    """Products of an upstream gradient with the derivatives of a layer's outputs.

    Args:
        weights: dL/dw, summed over the samples, shape (weights,).
        inputs: dL/dx, shape (samples, inputs).
        weight_errors: Standard errors of `weights` by shots, shape (weights,).
        input_errors: Standard errors of `inputs` by shots, shape (samples, inputs).

    Example:
        >>> layer = qep.QEPLayer(qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)))
        >>> gradient = layer.vjp(np.full(5, 0.5), np.zeros((1, 0)), upstream=[[1.0]])
        >>> gradient.weights.round(3)  # d<Z_1> by J, h and b
        array([ 0.194, -0.076, -0.421,  0.056,  0.248])
    """

    weights: NDArray[np.float64]
    inputs: NDArray[np.float64]
    weight_errors: NDArray[np.float64]
    input_errors: NDArray[np.float64]


class QEPLayer:
    """The outputs y = <O>(w, x) of a network, with their gradient by nudges.

    Args:
        network: The network: Ising, Pauli, or any with a method `input_jacobian`.
        observables: Observables of the outputs as operators; None for the outputs of the network.
        preparation: Method that prepares the states; exact by default.
        shots: Shots of each batch; None for exact expectations.
        beta: Size of the nudge, for upstream gradients whose largest component is 1; others are scaled to it. None for
            1e-3 without shots and 0.3 with shots.
        contrast: Contrast in place of the symmetric one with `beta`.
        executor: Runs the circuits; by default a simulation with seed 0.

    Raises:
        NetworkError: The network has no outputs, or no derivatives by its inputs.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(1, [0, 1]))
        >>> layer, weights = qep.QEPLayer(network), network.layout.initial(qep.Seeds(0))
        >>> layer.value(weights, [[0.5]]).shape
        (1, 1)
        >>> gradient = layer.vjp(weights, [[0.5]], upstream=[[1.0]])
        >>> gradient.weights.shape, gradient.inputs.shape
        ((7,), (1, 1))
    """

    def __init__(
        self,
        network: Network,
        *,
        observables: Sequence[OperatorLike] | None = None,
        preparation: Preparation | None = None,
        shots: int | None = None,
        beta: float | None = None,
        contrast: Contrast | None = None,
        executor: Executor | None = None,
    ) -> None:
        check_shots("shots", shots)
        if beta is not None and contrast is not None:
            raise NetworkError("beta: the contrast has a nudge of its own; leave one of beta and contrast out")
        on_outputs = observables is None
        read = LossOnExpectations.on_outputs(network) if on_outputs else LossOnExpectations(tuple(observables or ()))
        self.network, self.shots = network, shots
        self.executor = StatevectorExecutor(Seeds(0)) if executor is None else executor
        matrix, constants = read.output_map()
        cost = OperatorCost(read.terms, network.num_qubits, lambda upstream: (upstream @ matrix, upstream @ constants))
        beta = (1e-3 if shots is None else 0.3) if beta is None else beta
        self._estimator = GradientEstimator(
            hamiltonian=NudgedHamiltonian(InputsAsWeights(network=network), cost),
            preparation=preparation or ExactPreparation(),
            contrast=contrast or Contrast(beta=beta),
            shots=shots,
            equal_nudges=True,
        )
        self._read = NudgedHamiltonian(network, read)
        self._calls = itertools.count()

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self._read.output_reach)

    def initial_weights(self, seed: int = 0) -> NDArray[np.float64]:
        """Draw initial weights as the network says, shape (weights,).

        Args:
            seed: Seed of the random numbers.
        """
        return self.network.layout.initial(Seeds(seed))

    def value(self, weights: ArrayLike, inputs: ArrayLike) -> NDArray[np.float64]:
        """Measure the outputs of a batch in one request, shape (samples, outputs).

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).

        Raises:
            DataError: An array has another shape.
        """
        vector, rows = self._checked(weights, inputs)
        work = measure_free(
            self._read,
            self._estimator.preparation,
            self._read.free_coefficients(vector, rows),
            None,
            shots=[self.shots] * len(self._read.groups),
            key=RequestKey("layer-value", next(self._calls)),
        )
        outputs = run_measurements(work, self.executor)[0].outputs
        assert outputs is not None
        return outputs

    def vjp(self, weights: ArrayLike, inputs: ArrayLike, upstream: ArrayLike) -> LayerGradient:
        """Measure the vector-Jacobian products of a batch in one request.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            upstream: dL/dy, shape (samples, outputs).

        Raises:
            DataError: An array has another shape, or a number is not finite.
        """
        vector, rows = self._checked(weights, inputs)
        signals = np.asarray(upstream, dtype=np.float64)
        if signals.shape != (len(rows), self.num_outputs) or not np.isfinite(signals).all():
            raise DataError(
                f"upstream: expected finite numbers of shape {(len(rows), self.num_outputs)}, got shape {signals.shape}"
            )
        contrast, key = self._estimator.contrast, RequestKey("layer-gradient", next(self._calls))
        found, _ = run_measurements(
            self._estimator.phases(
                *(np.append(vector, np.zeros(rows.shape[1])), rows, signals, key, contrast.betas),
                shot_fractions=contrast.shot_fractions,
            ),
            self.executor,
        )
        stencil = contrast.stencil_on(found.betas)
        gradients, count = found.per_sample(stencil), self.network.layout.num_weights
        variances = np.maximum(found.variance_per_sample(stencil), 0.0)  # rounding may leave -1e-17
        return LayerGradient(
            weights=gradients[:, :count].sum(axis=0),
            inputs=gradients[:, count:],
            weight_errors=np.sqrt(variances[:, :count].sum(axis=0)),
            input_errors=np.sqrt(variances[:, count:]),
        )

    def _checked(self, weights: ArrayLike, inputs: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        vector, rows = np.asarray(weights, dtype=np.float64), np.asarray(inputs, dtype=np.float64)
        if vector.shape != (self.network.layout.num_weights,):
            raise DataError(f"weights: expected shape ({self.network.layout.num_weights},), got {vector.shape}")
        if rows.ndim != 2 or rows.shape[1] != self.network.num_inputs:
            raise DataError(f"inputs: expected shape (samples, {self.network.num_inputs}), got {rows.shape}")
        return vector, rows
