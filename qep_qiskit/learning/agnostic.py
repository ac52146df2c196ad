"""Agnostic equilibrium propagation: weights are coordinates, held by springs, that move by themselves.

The joint energy of the state psi and the weights w is

    E(psi, w) = <psi| H(w) + beta C |psi> + |w - u|^2 / (2 epsilon)

with springs of stiffness 1/epsilon between weights and controls u (Scellier et al. 2022, arXiv:2205.15021). A contrast
has two nudges, first beta and then beta'. In the phase of the first, u is moved until the joint equilibrium has the
weights where they were: u = w + epsilon <dH/dw>. In the phase of the second, u is held, and the weights move by
themselves to the joint equilibrium w' = u - epsilon <dH/dw>'. No gradient is computed and none is fed back. To first
order in epsilon

    w' - w = -epsilon (beta' - beta) d<C>/dw

and at any epsilon for which both are joint minima (F(beta', w) - F(beta, w)) / (beta' - beta) never rises, with F the
ground-state energy.

A batch is as many copies of the network side by side with one set of weights, whose springs are as many times stiffer:
the force on a weight is the mean of dH/dw over the batch. C is made of the error signals before the move and is held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count, Positive, check_limits
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.learning.contrast import NUDGELESS
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import GradientEstimate, MeasuredGradient
from qep_qiskit.learning.measurement_plans import gradient_plan
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.learning.shots import per_group
from qep_qiskit.learning.update import OptimizerState
from qep_qiskit.learning.weight_path import Force, WeightPath
from qep_qiskit.measurement import MeasurementCoroutine, measure
from qep_qiskit.network import WeightLayout
from qep_qiskit.preparation import HamiltonianFamily, WarmStart, WarmStartArrays, prepared

FIRST_STAGE = 2
"""Stage of the first request at weights that have moved; those of a contrast have smaller ones."""

_PHASES = 2


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class AgnosticUpdate:
    """Weights on springs, which move by themselves to the joint equilibrium of state and weights.

    Args:
        epsilon: Compliance of the springs, the inverse of their stiffness: squared unit of a weight over energy. The
            equilibrium is stable while epsilon times the largest eigenvalue of the response of dH/dw to the weights is
            below one, for sure where 2 epsilon sigma^2 < gap, with sigma the standard deviation of dH/dw.
        tolerance: Equilibrium is reached where the last move is at most this fraction of the whole one, or is lost in
            shot noise.
        max_iterations: Largest number of points at which forces are measured after the first.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> update = qep.AgnosticUpdate(epsilon=0.05)
        >>> experiment = qep.from_file("configs/xor.toml", ["measurement.shots='exact'"])
        >>> weights, data = experiment.network.layout.initial(qep.Seeds(1)), experiment.task.train
        >>> key = qep.RequestKey("demo", 0)
        >>> batch = qep.GradientBatch(weights=weights, inputs=data.inputs, targets=data.targets, key=key)
        >>> work = update.estimate(experiment.estimator, batch)
        >>> found, _ = qep.run_measurements(work, experiment.executor)
        >>> move = found.equilibrium.weights - weights
        >>> float(np.abs(move).max()) > 0.0, found.equilibrium.contraction < 1.0
        (True, True)
    """

    epsilon: Positive
    tolerance: Positive = 1e-4
    max_iterations: Count = 50

    def __post_init__(self) -> None:
        check_limits(self)

    def check(self, estimator: GradientEstimator) -> None:
        """Check that an estimator has two phases between which weights can move.

        Raises:
            ConfigError: It has none, or other phases, or splits its shots into replicates.
        """
        contrast = estimator.contrast
        if contrast.kind in NUDGELESS or len(contrast.phases) != _PHASES:
            raise ConfigError(
                "kind: 'agnostic' weights move from one phase to another; expected contrast.kind = 'symmetric' or "
                f"'one_sided', got '{contrast.kind}'"
            )
        if estimator.equal_nudges:
            raise ConfigError(
                "kind: 'agnostic' weights move by what all samples pull, which nudges divided by their sizes change; "
                "leave out contrast.equal_nudges"
            )
        if estimator.replication is not None:
            raise ConfigError(
                "kind: 'agnostic' weights are at one place in a step, which replicates are not; use "
                "measurement.error_bars = 'propagated'"
            )

    def start(self, num_weights: int) -> OptimizerState:
        """Return an empty state: weights and springs keep nothing between steps."""
        return {}

    def moved(
        self,
        weights: NDArray,
        estimate: GradientEstimate,
        optimizer_state: Mapping[str, NDArray],
        *,
        step: int,
        total_steps: int,
        layout: WeightLayout,
    ) -> tuple[NDArray, OptimizerState]:
        """Return the weights at equilibrium; see `UpdateRule`."""
        assert estimate.equilibrium is not None
        return estimate.equilibrium.weights, dict(optimizer_state)

    def estimate(self, estimator: GradientEstimator, batch: GradientBatch) -> MeasurementCoroutine[GradientEstimate]:
        """Measure both phases at the weights, then forces where they move the weights, until these are at equilibrium.

        Args:
            estimator: Estimator of a contrast of two phases.
            batch: Weights and samples.

        Returns:
            Measurement coroutine that gives the estimate, with `GradientEstimate.equilibrium`.

        Raises:
            NetworkError: The equilibrium is not stable, or not reached; the message gives an epsilon that would do.
        """
        weights, inputs, key = batch.weights, batch.inputs, batch.key
        calibrations = {} if batch.calibrations is None else batch.calibrations
        measured = yield from estimator.phases(
            weights,
            inputs,
            batch.targets,
            key,
            estimator.contrast.betas,
            batch.warm_start,
            calibrations=calibrations,
        )
        stencil = estimator.contrast.stencil_on(measured.betas)
        first, second = np.flatnonzero(stencil).tolist()
        contrast = MeasuredGradient.of_phases(measured, stencil, estimator.hamiltonian, 1).unsplit()
        path = WeightPath(
            epsilon=self.epsilon,
            tolerance=self.tolerance,
            max_iterations=self.max_iterations,
            layout=estimator.hamiltonian.network.layout,
            first=Force.of(measured.moments, first, measured.jacobian),
            distance=float(measured.betas[second] - measured.betas[first]),
            contrast=contrast,
        )
        path.add(weights, Force.of(measured.moments, second, measured.jacobian))
        nudge, beta = _nudge_of(estimator, measured, inputs, batch.targets), measured.betas[[second]]
        while not path.is_complete:
            place = path.next
            family = HamiltonianFamily(
                groups=estimator.hamiltonian.groups,
                free=estimator.hamiltonian.free_coefficients(place, inputs),
                nudge=nudge,
                betas=beta,
                key=replace(key, stage=key.stage + FIRST_STAGE + path.iterations - 1),
            )
            work = _force(estimator, place, inputs, family, measured.warm_start)
            path.add(place, (yield from estimator.without_errors(work, calibrations)))
        return path.estimate()


def _nudge_of(
    estimator: GradientEstimator, measured: MeasuredPhases, inputs: NDArray, targets: NDArray
) -> NDArray[np.float64]:
    """Return the coefficients of C as it was for the weights before the move, shape (samples, terms)."""
    hamiltonian = estimator.hamiltonian
    if measured.signals is None:
        return hamiltonian.operator_nudge(hamiltonian.targets_of(inputs, targets))[0]
    return hamiltonian.signal_nudge(measured.signals.signals)


def _force(
    estimator: GradientEstimator,
    weights: NDArray,
    inputs: NDArray,
    family: HamiltonianFamily,
    warm_start: WarmStartArrays,
) -> MeasurementCoroutine[Force]:
    """Measure the force on the weights in the one phase of a family."""
    jacobian = estimator.jacobian(weights, inputs)
    plan = gradient_plan(estimator.hamiltonian, estimator.grouping, jacobian)
    states = yield from prepared(estimator.preparation, family, WarmStart(arrays=warm_start))
    moments = yield from measure(
        plan,
        states.states,
        shape=(family.num_samples, 1),
        phases={g: [0] for g in plan.serving(jacobian.term)},
        shots=per_group(estimator.shots, len(plan.groups)),
        key=family.key,
    )
    return Force.of(moments, 0, plan.jacobian(jacobian), states.report)
