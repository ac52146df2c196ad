"""Measurement of a batch at several nudges: the free phase where error signals make the nudge, then all phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.chosen_phases import cost_of_phases, equalized, unit_of_signals, wanted_phases
from qep_qiskit.learning.diagnostics import diagnose
from qep_qiskit.learning.error_signals import signal_batch
from qep_qiskit.learning.free_phase import CostEstimate, FreePhase, cost_of_outputs
from qep_qiskit.learning.phases import MeasuredPhases, filled_in
from qep_qiskit.learning.shots import per_state, shares_by_size
from qep_qiskit.measurement import MeasurementCoroutine, MeasurementPlan, ShotsOfGroup, StateMoments, measure
from qep_qiskit.network import TermJacobian
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import HamiltonianFamily, Preparation, PreparationResult, WarmStart, prepared


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PhaseMeasurement:
    """A batch of samples that is measured at several nudges.

    Args:
        hamiltonian: Network and cost.
        preparation: Method that prepares the states.
        measure_free: Measures the free phase, from coefficients, targets, key, warm start and the smallest nudge.
        plan: Measurement plan of the gradient.
        shots: Shots of every group of the plan, None where exact.
        equal_nudges: See `GradientEstimator`.
        shots_by_error: See `GradientEstimator`.
        measures_free_cost: See `GradientEstimator`.
        free: Coefficients of H, shape (samples, terms).
        jacobian: d(coefficient)/d(weight) of the weights whose gradient is measured.
        targets: Shape (samples, targets).
        betas: Nudges, shape (phases,), ascending; the free phase is 0.
        shot_fractions: Shots of every phase over those of the estimator, shape (phases,).
        start: Earlier states to start from.
        key: Key of the first request.
        quiet: Whether warnings about large nudges are left out.
        in_units_of_signals: Whether nudges are for error signals of size one.
        known_free: The free phase where it is known, or None.
    """

    hamiltonian: NudgedHamiltonian
    preparation: Preparation
    measure_free: Callable[..., MeasurementCoroutine[FreePhase]]
    plan: MeasurementPlan
    shots: Sequence[int | None]
    equal_nudges: bool
    shots_by_error: bool
    measures_free_cost: bool
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

    def measured(self) -> MeasurementCoroutine[MeasuredPhases]:
        """Measure the free phase where its error signals make the nudge, and then all phases in one request."""
        hamiltonian, plan, targets, key, start = self.hamiltonian, self.plan, self.targets, self.key, self.start
        first, free_cost, signals = None, None, None
        if hamiltonian.cost.has_signals:
            sizes = np.abs(self.betas[self.betas != 0.0])
            finest = float(sizes.min()) if 0.0 in self.betas and sizes.size else None
            first = self.known_free
            if first is None:
                first = yield from self.measure_free(self.free, None, key, start.arrays, finest=finest)
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
        betas, fractions = self._betas_and_shots(nudge)
        nudge, sizes = equalized(nudge) if self.equal_nudges else (nudge, None)
        shares = shares_by_size(sizes) if self.shots_by_error and sizes is not None else None
        wanted = wanted_phases(hamiltonian, plan, self.jacobian, betas, self.betas)
        family = HamiltonianFamily(groups=hamiltonian.groups, free=self.free, nudge=nudge, betas=betas, key=key)
        shots = per_state(self.shots, fractions, shares)
        estimates, prepared_states = yield from self._measure(family, wanted, start, shots, free_cost)
        if first is not None and not plan.of_entries:
            estimates = filled_in(estimates, first.estimates, betas)
        moments = plan.averaged_per_term(estimates, hamiltonian.num_terms)
        batch = None
        if first is not None and signals is not None:
            batch = signal_batch(
                hamiltonian, first, targets, plan, moments, self.free, signals, equal_nudges=self.equal_nudges
            )
        diagnostics = diagnose(
            family,
            moments,
            prepared_states.report,
            None if first is None else first.prepared_states.report,
            constants=constants,
            is_at_optimum=batch is not None and batch.is_at_optimum,
            quiet=self.quiet,
            shot_fractions=fractions,
            sizes=sizes,
        )
        return MeasuredPhases(
            betas=betas,
            shot_fractions=fractions,
            plan=plan,
            moments=estimates,
            jacobian=plan.jacobian(self.jacobian),
            signals=batch,
            cost=cost_of_phases(hamiltonian, moments, betas, targets) if free_cost is None else free_cost(),
            outputs=None if first is None else first.outputs,
            diagnostics=diagnostics,
            warm_start={**(first.prepared_states.warm_start if first else {}), **prepared_states.warm_start},
            nudge_sizes=sizes,
            sample_shares=shares,
        )

    def _betas_and_shots(self, nudge: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Nudges of all phases and their shots over the mean, those of the reported cost included."""
        if self.hamiltonian.cost.has_signals:
            in_units = self.in_units_of_signals and not self.equal_nudges  # equal nudges are in units of energy
            unit = unit_of_signals(self.hamiltonian, nudge, self.targets) if in_units else 1.0
            return self.betas * unit, self.shot_fractions
        if not self.measures_free_cost or 0.0 in self.betas:
            return self.betas, self.shot_fractions
        free = int(np.searchsorted(self.betas, 0.0))
        return np.insert(self.betas, free, 0.0), np.insert(self.shot_fractions, free, 1.0)

    def _measure(
        self,
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
            self.plan,
            prepared_states.states,
            shape=(family.num_samples, count),
            phases=wanted,
            shots=shots,
            key=family.key,
            prepared_phases=used,
            while_waiting=free_cost,
        )
        return moments, replace(prepared_states, report=prepared_states.report.expanded(used, count))
