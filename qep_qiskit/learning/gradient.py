"""Gradient of a batch by the contrast of nudged phases, with standard errors.

With an operator cost all phases are known at once and take one request. With a loss on expectations there are two
stages: the free phase in the groups of the outputs, whose error signals make the nudge, and then the nudged phases
(Scellier 2024, arXiv:2406.00879). A free batch that the contrast needs too (one-sided) is not measured twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_shots
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.chosen_phases import without_frozen_groups
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.estimator_check import (
    check_contrast,
    check_coupled_samples,
    check_shots_by_error,
    check_shots_of_sizes,
    check_split_shots,
)
from qep_qiskit.learning.free_phase import FreePhase, measure_free
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import GradientEstimate, MeasuredGradient
from qep_qiskit.learning.measurement_plans import Grouping, gradient_plan, output_plan
from qep_qiskit.learning.phase_measurement import PhaseMeasurement
from qep_qiskit.learning.phases import MeasuredPhases
from qep_qiskit.learning.replicates import Replication
from qep_qiskit.learning.shots import Shots, each, is_split, per_group
from qep_qiskit.measurement import (
    Calibrations,
    Extrapolation,
    MeasurementCoroutine,
    MeasurementPlan,
    ReadoutMitigation,
    Result,
    extrapolated,
    mitigated,
)
from qep_qiskit.network import TermJacobian
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Preparation, WarmStart, WarmStartArrays


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientEstimator:
    """Measures gradients of the mean cost of a batch, or of a loss of the batch, by contrasts of nudged phases.

    Args:
        hamiltonian: Network and cost.
        preparation: Method that prepares the states.
        contrast: Nudges and finite-difference weights.
        shots: Shots per batch: one number, one for every group of the measurement plan, or None for exact expectations.
        test_shots: Shots per batch of evaluations and predictions, or None for those of `shots`.
        measures_free_cost: For operator costs: also measure the free phase, in the groups of the cost, so that
            the reported cost is that of the free state.
        grouping: Which terms share shots: those of every commuting group of the Hamiltonian (``"shared"``); those of
            qubit-wise commuting groups found among its terms (``"qubit_wise"``); those of a few bases that together
            measure all terms of weights, cost and outputs, where a term may be measured in several (``"cover"``); or
            none, where each weight is measured on its own (``"per_weight"``).
        mitigation: Calibration and mitigation of readout errors, or None.
        extrapolation: Zero-noise extrapolation of gate errors, or None.
        replication: Split of the shots of a step into replicates whose scatter gives the error bars, or None for
            propagated error bars.
        trained_only: With a loss on expectations and terms that share shots, whether groups whose weights are all
            frozen are measured in one phase at most, for error bars; gradients of these weights are then zero. With an
            operator cost they are measured, because the bounds of the cost follow from all groups.
        equal_nudges: Whether the nudge of every sample is divided by its largest coefficient, so that all samples are
            nudged by the energy `Contrast.beta`, and the contrast of a sample is multiplied by it. Otherwise samples
            with small errors have small nudges, and their contrasts as much shot noise as all others.
        shots_by_error: Whether the shots of a batch are divided among its samples by this coefficient
            (`shares_by_size`), so that `shots` is the mean over samples in the phases of the contrast. It goes with
            `equal_nudges`.

    Raises:
        ConfigError: Shots are not None and no whole number of at least 1; shots per group do not fit the groups, or
            are given with ``"per_weight"``; shots are divided by errors without equal nudges; or the contrast has no
            nudges, or the preparation no nudged states.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.squared_error([1], 2))
        >>> exact, contrast = qep.ExactPreparation(), qep.Contrast(beta=0.01)
        >>> estimator = qep.GradientEstimator(hamiltonian=problem, preparation=exact, contrast=contrast, shots=None)
        >>> work = estimator.estimate(np.full(5, 0.5), np.zeros((1, 0)), np.ones((1, 1)), qep.RequestKey("demo", 0))
        >>> estimate, _ = qep.run_measurements(work, qep.VectorExecutor(qep.Seeds(0)))
        >>> dict(zip(network.layout.names, estimate.gradient.round(3).tolist()))
        {'J[0,1]': -0.389, 'h[0]': 0.153, 'h[1]': 0.843, 'b[0]': -0.112, 'b[1]': -0.495}
    """

    nudgeless: ClassVar[str | None] = None
    """The kind of contrast without nudges that this class estimates, or None for contrasts of nudged phases."""

    hamiltonian: NudgedHamiltonian
    preparation: Preparation
    contrast: Contrast
    shots: Shots
    test_shots: int | None = None
    measures_free_cost: bool = False
    grouping: Grouping = "shared"
    mitigation: ReadoutMitigation | None = None
    extrapolation: Extrapolation | None = None
    replication: Replication | None = None
    trained_only: bool = False
    equal_nudges: bool = False
    shots_by_error: bool = False

    def __post_init__(self) -> None:
        check_contrast(self.contrast, self.preparation, self.nudgeless)
        check_shots_by_error(by_error=self.shots_by_error, equal_nudges=self.equal_nudges)
        given = per_group(self.shots, 1)
        check_shots_of_sizes(given, self.contrast, self.hamiltonian.cost, equal_nudges=self.equal_nudges)
        if self.hamiltonian.cost.couples_samples:
            check_coupled_samples([*given, self.test_shots], self.replication)
        for shots in (*given, self.test_shots):
            check_shots("shots", shots)
        if is_split(self.shots):
            check_split_shots(given, self.measurement_plan, each_weight=self.grouping == "per_weight")

    @property
    def measurement_plan(self) -> MeasurementPlan:
        """Measurement plan of outputs and cost, and of gradients unless each weight is measured on its own."""
        return output_plan(self.hamiltonian, self.grouping)

    @property
    def group_shots(self) -> list[int | None]:
        """Shots of every group of the measurement plan, None where exact."""
        return per_group(self.shots, len(self.measurement_plan.groups))

    @property
    def evaluation_shots(self) -> list[int | None]:
        """Shots of every group of the measurement plan in evaluations of outputs and cost without a gradient."""
        return self.group_shots if self.test_shots is None else [self.test_shots] * len(self.measurement_plan.groups)

    def estimate(
        self,
        weights: NDArray,
        inputs: NDArray,
        targets: NDArray,
        key: RequestKey,
        warm_start: WarmStartArrays | None = None,
        calibrations: Calibrations | None = None,
    ) -> MeasurementCoroutine[GradientEstimate]:
        """Measure the gradient of the mean cost of a batch.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
            key: Key of the first request; later stages count up from it.
            warm_start: Warm-start arrays of these samples (`GradientEstimate.warm_start`), or None.
            calibrations: Valid readout calibrations by name; new ones are added in place.

        Returns:
            Measurement coroutine that gives the estimate.
        """
        batch = GradientBatch(weights=weights, inputs=inputs, targets=targets, key=key, calibrations=calibrations)
        return self.estimate_batch(replace(batch, warm_start=warm_start or {}))

    def estimate_batch(self, batch: GradientBatch) -> MeasurementCoroutine[GradientEstimate]:
        """Measure the gradient of the mean cost of a batch, as `estimate`.

        Args:
            batch: Weights and samples.

        Returns:
            Measurement coroutine that gives the estimate.
        """
        self.hamiltonian.check_samples(batch.inputs, batch.targets)
        batch = replace(batch, targets=self.hamiltonian.targets_of(batch.inputs, batch.targets))
        replication = self.replication
        if replication is None or self.shots is None:
            measured = yield from self._measure_gradient(batch, 1)
            return measured.unsplit()
        part = replace(
            self,
            hamiltonian=self.hamiltonian.in_batches_of(len(batch.inputs)),
            shots=each(self.shots, replication.share),
            replication=None,
        )
        measured = yield from part._measure_gradient(batch.tiled(replication), replication.replicates)
        return measured.combined(replication, self.hamiltonian.network.layout.block_numbers)

    def _measure_gradient(self, batch: GradientBatch, replicates: int) -> MeasurementCoroutine[MeasuredGradient]:
        """Measure the derivatives of all replicates, whose samples follow each other."""
        measured = yield from self.phases(
            batch.weights,
            batch.inputs,
            batch.targets,
            batch.key,
            self.contrast.betas,
            batch.warm_start,
            shot_fractions=self.contrast.shot_fractions,
            calibrations=batch.calibrations,
        )
        stencil = self.contrast.stencil_on(measured.betas)
        return MeasuredGradient.of_phases(measured, stencil, self.hamiltonian, replicates)

    def phases(
        self,
        weights: NDArray,
        inputs: NDArray,
        targets: NDArray,
        key: RequestKey,
        betas: NDArray,
        warm_start: WarmStartArrays | None = None,
        *,
        shot_fractions: NDArray | None = None,
        calibrations: Calibrations | None = None,
        quiet: bool = False,
        in_units_of_signals: bool = False,
        free: FreePhase | None = None,
    ) -> MeasurementCoroutine[MeasuredPhases]:
        """Measure a batch at given nudges, in every group that a gradient needs.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
            targets: Shape (samples, targets).
            key: Key of the first request; later stages count up from it.
            betas: Nudges, shape (phases,), ascending; the free phase is 0.
            warm_start: Warm-start arrays of these samples, or None.
            shot_fractions: Shots of every phase over those of the estimator, shape (phases,); 1 by default.
            calibrations: Valid readout calibrations by name; new ones are added in place.
            quiet: Whether warnings about large nudges are left out.
            in_units_of_signals: With a loss on expectations, multiply the nudges by the power of two closest to the
                size of unit error signals over that of the measured ones. `MeasuredPhases.betas` are the multiplied
                nudges.
            free: The free phase of these weights and samples where it is known, or None to measure it.

        Returns:
            Measurement coroutine that gives the phases.
        """
        self.hamiltonian.check_samples(inputs, targets)
        free_coefficients = self.hamiltonian.free_coefficients(weights, inputs)  # checks weights and inputs
        jacobian = self.jacobian(weights, inputs)
        plan = gradient_plan(self.hamiltonian, self.grouping, jacobian)
        work = PhaseMeasurement(
            hamiltonian=self.hamiltonian,
            preparation=self.preparation,
            measure_free=self.free_phase,
            plan=plan,
            shots=per_group(self.shots, len(plan.groups)),
            equal_nudges=self.equal_nudges,
            shots_by_error=self.shots_by_error,
            measures_free_cost=self.measures_free_cost,
            free=free_coefficients,
            jacobian=jacobian,
            targets=self.hamiltonian.targets_of(inputs, targets),
            betas=betas,
            shot_fractions=np.ones(len(betas)) if shot_fractions is None else shot_fractions,
            start=WarmStart(arrays=warm_start or {}),
            key=key,
            quiet=quiet,
            in_units_of_signals=in_units_of_signals,
            known_free=free,
        )
        return self.without_errors(work.measured(), calibrations)

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return the derivatives of the coefficients by the weights whose gradient is measured.

        Args:
            weights: Shape (weights,).
            inputs: Shape (samples, inputs).
        """
        found = self.hamiltonian.jacobian(weights, inputs)
        if not (self.trained_only and self.hamiltonian.cost.has_signals) or self.grouping == "per_weight":
            return found
        return without_frozen_groups(found, self.measurement_plan, self.hamiltonian)

    def free_phase(
        self,
        coefficients: NDArray,
        targets: NDArray | None,
        key: RequestKey,
        warm_start: WarmStartArrays | None = None,
        *,
        shots: Sequence[int | None] | None = None,
        finest: float | None = None,
    ) -> MeasurementCoroutine[FreePhase]:
        """Measure outputs and cost of free states, without mitigation.

        Args:
            coefficients: Coefficients of H, shape (samples, terms).
            targets: Shape (samples, targets), or None where the cost is not needed.
            key: Key of the request.
            warm_start: Warm-start arrays of these samples, or None.
            shots: Shots of every group; by default those of a gradient.
            finest: Smallest nudge of the contrast that the states will be part of, or None.
        """
        return measure_free(
            self.hamiltonian,
            self.preparation,
            coefficients,
            targets,
            plan=self.measurement_plan,
            shots=self.group_shots if shots is None else shots,
            key=key,
            warm_start=warm_start,
            finest=finest,
        )

    def without_errors(
        self, work: MeasurementCoroutine[Result], calibrations: Calibrations | None
    ) -> MeasurementCoroutine[Result]:
        """Return a measurement coroutine with gate errors extrapolated and readout errors mitigated, where configured.

        Args:
            work: Measurement coroutine whose answers are corrected.
            calibrations: Valid readout calibrations by name; new ones are added in place.
        """
        return mitigated(extrapolated(work, self.extrapolation), self.mitigation, calibrations)
