"""Gradient by linear response: the derivative at beta = 0 itself, without nudged states.

    d<C>/dw = d<dH/dw>/dbeta at beta = 0

Preparations that sample a wave function (`LinearlyResponding`) give the response in the tangent space of the free
state, with sampling noise. For exact eigenstates it is one linear solve. Responses and outputs come from independent
samples, so the product of responses and error signals is biased only where error signals are not linear in the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.continuous.response import linear_response
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.contrast import LINEAR_RESPONSE
from qep_qiskit.learning.diagnostics import Diagnostics
from qep_qiskit.learning.free_phase import FreePhase
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import MeasuredGradient
from qep_qiskit.learning.phases import Derivative
from qep_qiskit.measurement import MeasurementCoroutine
from qep_qiskit.preparation import ExactPreparation, HamiltonianFamily
from qep_qiskit.preparation.linear_response import LinearlyResponding, Responses, SampledResponse


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearResponseEstimator(GradientEstimator):
    """Computes gradients from the linear response of free states.

    Raises:
        ConfigError: The preparation has no linear response, shots are given, each weight is measured on its own, or the
            loss couples the samples of a batch.
    """

    nudgeless: ClassVar[str | None] = LINEAR_RESPONSE

    def __post_init__(self) -> None:
        super(LinearResponseEstimator, self).__post_init__()
        if not isinstance(self.preparation, ExactPreparation | LinearlyResponding):
            raise ConfigError(
                "kind: 'linear_response' goes with preparation.kind = 'neural', and with 'exact' for quantum networks "
                "of spins; use a contrast by nudging"
            )
        for shots in (*self.group_shots, self.test_shots):
            if shots is not None:
                raise ConfigError(
                    f"shots: 'linear_response' is computed and takes no shots, got {shots}; use measurement.shots = "
                    "'exact'"
                )
        if self.grouping == "per_weight":
            raise ConfigError("grouping: 'linear_response' gives all weights at once; use 'shared'")
        if self.hamiltonian.cost.couples_samples:
            raise ConfigError(
                "kind: 'linear_response' takes a loss of single samples; a loss over a batch goes with a contrast by "
                "nudging"
            )

    def _measure_gradient(self, batch: GradientBatch, replicates: int) -> MeasurementCoroutine[MeasuredGradient]:
        """Measure the free phase, and compute the responses of its states."""
        hamiltonian, targets, key = self.hamiltonian, batch.targets, batch.key
        free = hamiltonian.free_coefficients(batch.weights, batch.inputs)
        first = yield from self.free_phase(free, targets, key, batch.warm_start)
        family = HamiltonianFamily.of_free(hamiltonian.groups, free, replace(key, stage=key.stage + 1))
        directions, signals = self._directions(targets, first.outputs)
        found = self._responses(family, first, directions)
        jacobian = hamiltonian.jacobian(batch.weights, batch.inputs)
        along = found.along(signals)
        gradients = Responses(
            values=jacobian.pull_back(along.values),
            replicas=np.array([jacobian.pull_back(one) for one in along.replicas]),
        )
        by_outputs = [jacobian.pull_back(column) for column in found.values.swapaxes(0, 1)]
        nudge = np.einsum("sd,sdt->st", signals, directions)
        return MeasuredGradient(
            parts=[self._mean(gradients, self._signal_variance(np.array(by_outputs), first, targets))],
            cost=first.cost,
            outputs=first.outputs,
            diagnostics=_diagnostics(first, nudge, along),
            warm_start=first.prepared_states.warm_start,
            bias=None,
        )

    def _directions(self, targets: NDArray, outputs: NDArray | None) -> tuple[NDArray, NDArray]:
        """Return the operators of the outputs (samples, outputs, terms) and error signals, or C with signals of 1."""
        if not self.hamiltonian.cost.has_signals:
            return self.hamiltonian.nudge(targets)[:, None], np.ones((len(targets), 1))
        assert self.hamiltonian.output_map is not None
        assert outputs is not None
        matrix = self.hamiltonian.output_map.matrix
        return np.broadcast_to(matrix, (len(targets), *matrix.shape)), self.hamiltonian.cost.signals(outputs, targets)

    def _responses(self, family: HamiltonianFamily, first: FreePhase, directions: NDArray) -> SampledResponse:
        """Return responses to all directions, shape (samples, directions, terms)."""
        if isinstance(self.preparation, LinearlyResponding):
            return self.preparation.responses(family, first.prepared_states.states, directions)
        assert isinstance(self.preparation, ExactPreparation)
        level = self.preparation.level
        values = [
            linear_response(family.paulis, family.free, directions[:, column], level=level)
            for column in range(directions.shape[1])
        ]
        return SampledResponse(values=np.stack(values, axis=1), replicas=np.zeros((0, *directions.shape)))

    def _signal_variance(self, by_outputs: NDArray, first: FreePhase, targets: NDArray) -> NDArray[np.float64]:
        """Return the variances of the gradients of the samples by their error signals, shape (samples, weights).

        Args:
            by_outputs: Derivatives of the gradients by the error signals, shape (outputs, samples, weights).
            first: The free phase.
            targets: Shape (samples, targets).
        """
        cost, noise = self.hamiltonian.cost, first.output_covariance
        if not cost.has_signals or noise is None:
            return np.zeros(by_outputs.shape[1:])
        assert first.outputs is not None
        slopes = np.einsum("osw,sop->swp", by_outputs, cost.curvature(first.outputs, targets))
        return np.einsum("swo,sop,swp->sw", slopes, noise, slopes)

    def _mean(self, gradients: Responses, by_signals: NDArray) -> Derivative:
        """Return the mean over the independent samples; the noise of responses counts for the first group."""
        count = len(gradients.values)
        return Derivative.of_first_group(
            gradients.values.mean(axis=0),
            gradients.variance.sum(axis=0) / count**2,
            len(self.measurement_plan.groups),
            by_signals=by_signals.sum(axis=0) / count**2,
        )


def _diagnostics(first: FreePhase, nudge: NDArray, responses: Responses) -> Diagnostics:
    """Return chi, the response of the cost, and what the report of the free states says."""
    chi = Responses(
        values=-np.einsum("st,st->s", nudge, responses.values),
        replicas=-np.einsum("st,bst->bs", nudge, responses.replicas),
    )
    return Diagnostics.of_free_states(
        first.prepared_states.report,
        chi=float(chi.values.mean()),
        chi_se=float(np.sqrt(chi.variance.sum()) / len(chi.values)),
    )
