"""Gradient of a batch by the contrast of nudged phases, with standard errors.

With an operator cost all phases are known at once and take one request. With a loss on expectations there are two
stages: the free phase in the groups of the outputs, whose error signals make the nudge, and then the nudged phases
(Scellier 2024, arXiv:2406.00879). A free batch that the contrast needs too (one-sided) is not measured twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_shots
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.chosen_phases import (
    cost_of_phases,
    equalized,
    unit_of_signals,
    wanted_phases,
    without_frozen_groups,
)
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.diagnostics import diagnose
from qep_qiskit.learning.error_signals import signal_batch
from qep_qiskit.learning.estimator_check import (
    check_contrast,
    check_coupled_samples,
    check_shots_by_error,
    check_split_shots,
)
from qep_qiskit.learning.free_phase import CostEstimate, FreePhase, cost_of_outputs, measure_free
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.gradient_estimate import GradientEstimate, MeasuredGradient
from qep_qiskit.learning.measurement_plans import Grouping, gradient_plan, output_plan
from qep_qiskit.learning.phases import MeasuredPhases, filled_in
from qep_qiskit.learning.replicates import Replication
from qep_qiskit.learning.shots import Shots, each, is_split, per_group, per_state, shares_by_size
from qep_qiskit.measurement import (
    Calibrations,
    Extrapolation,
    MeasurementCoroutine,
    MeasurementPlan,
    ReadoutMitigation,
    Result,
    ShotsOfGroup,
    StateMoments,
    extrapolated,
    measure,
    mitigated,
)
from qep_qiskit.network import TermJacobian
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
    WarmStartArrays,
    prepared,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Work:
    """A batch of samples to measure, with its nudges and warm start."""

    free: NDArray[np.float64]
    jacobian: TermJacobian
    targets: NDArray[np.float64]
    betas: NDArray[np.float64]
    shot_fractions: NDArray[np.float64]
    start: WarmStart
    key: RequestKey
    quiet: bool
    in_units_of_signals: bool
    known_free: FreePhase | None


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
        work = _Work(
            free=self.hamiltonian.free_coefficients(weights, inputs),
            jacobian=self.jacobian(weights, inputs),
            targets=self.hamiltonian.targets_of(inputs, targets),
            betas=betas,
            shot_fractions=np.ones(len(betas)) if shot_fractions is None else shot_fractions,
            start=WarmStart(arrays=warm_start or {}),
            key=key,
            quiet=quiet,
            in_units_of_signals=in_units_of_signals,
            known_free=free,
        )
        return self.without_errors(self._measured(work), calibrations)

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

    def _measured(self, work: _Work) -> MeasurementCoroutine[MeasuredPhases]:
        """Measure the free phase where its error signals make the nudge, and then all phases in one request."""
        hamiltonian, targets, key, start = self.hamiltonian, work.targets, work.key, work.start
        plan = gradient_plan(hamiltonian, self.grouping, work.jacobian)
        first, free_cost, signals = None, None, None
        if hamiltonian.cost.has_signals:
            sizes = np.abs(work.betas[work.betas != 0.0])
            finest = float(sizes.min()) if 0.0 in work.betas and sizes.size else None
            first = work.known_free
            if first is None:
                first = yield from self.free_phase(work.free, None, key, start.arrays, finest=finest)
            assert first.outputs is not None
            assert first.output_covariance is not None
            free_cost = cache(partial(cost_of_outputs, hamiltonian, first.outputs, first.output_covariance, targets))
            key = replace(key, stage=key.stage + 1)
            start = WarmStart(
                free=first.prepared_states.free, arrays={**start.arrays, **first.prepared_states.warm_start}
            )
            signals = hamiltonian.cost.signals(first.outputs, targets)
            nudge, constants = hamiltonian.signal_nudge(signals), None
        else:
            nudge, constants = hamiltonian.operator_nudge(targets)
        betas, fractions = self._betas_and_shots(work, nudge)
        nudge, sizes = equalized(nudge) if self.equal_nudges else (nudge, None)
        shares = shares_by_size(sizes) if self.shots_by_error and sizes is not None else None
        wanted = wanted_phases(hamiltonian, plan, work.jacobian, betas, work.betas)
        family = HamiltonianFamily(groups=hamiltonian.groups, free=work.free, nudge=nudge, betas=betas, key=key)
        shots = per_state(per_group(self.shots, len(plan.groups)), fractions, shares)
        estimates, prepared_states = yield from self._measure(plan, family, wanted, start, shots, free_cost)
        if first is not None and not plan.of_entries:
            estimates = filled_in(estimates, first.estimates, betas)
        moments = plan.averaged_per_term(estimates, hamiltonian.num_terms)
        batch = None
        if first is not None and signals is not None:
            batch = signal_batch(
                hamiltonian, first, targets, plan, moments, work.free, signals, equal_nudges=self.equal_nudges
            )
        diagnostics = diagnose(
            family,
            moments,
            prepared_states.report,
            None if first is None else first.prepared_states.report,
            constants=constants,
            is_at_optimum=batch is not None and batch.is_at_optimum,
            quiet=work.quiet,
            shot_fractions=fractions,
            sizes=sizes,
        )
        return MeasuredPhases(
            betas=betas,
            shot_fractions=fractions,
            plan=plan,
            moments=estimates,
            jacobian=plan.jacobian(work.jacobian),
            signals=batch,
            cost=cost_of_phases(hamiltonian, moments, betas, targets) if free_cost is None else free_cost(),
            outputs=None if first is None else first.outputs,
            diagnostics=diagnostics,
            warm_start={**(first.prepared_states.warm_start if first else {}), **prepared_states.warm_start},
            nudge_sizes=sizes,
            sample_shares=shares,
        )

    def _betas_and_shots(self, work: _Work, nudge: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nudges of all phases and their shots over the mean, those of the reported cost included."""
        if self.hamiltonian.cost.has_signals:
            in_units = work.in_units_of_signals and not self.equal_nudges  # equal nudges are in units of energy
            unit = unit_of_signals(self.hamiltonian, nudge, work.targets) if in_units else 1.0
            return work.betas * unit, work.shot_fractions
        if not self.measures_free_cost or 0.0 in work.betas:
            return work.betas, work.shot_fractions
        free = int(np.searchsorted(work.betas, 0.0))
        return np.insert(work.betas, free, 0.0), np.insert(work.shot_fractions, free, 1.0)

    def _measure(
        self,
        plan: MeasurementPlan,
        family: HamiltonianFamily,
        wanted: dict[int, list[int]],
        start: WarmStart,
        shots: Sequence[ShotsOfGroup],
        free_cost: Callable[[], CostEstimate] | None,
    ) -> MeasurementCoroutine[tuple[StateMoments, PreparationResult]]:
        """Prepare all phases that some group needs, and measure them; the cost is computed meanwhile."""
        used, count = sorted({p for chosen in wanted.values() for p in chosen}), len(family.betas)
        own = family if len(used) == count else replace(family, betas=family.betas[used])
        prepared_states = yield from prepared(self.preparation, own, start)
        moments = yield from measure(
            plan,
            prepared_states.states,
            shape=(family.num_samples, count),
            phases=wanted,
            shots=shots,
            key=family.key,
            prepared_phases=used,
            while_waiting=free_cost,
        )
        return moments, replace(prepared_states, report=prepared_states.report.expanded(used, count))
