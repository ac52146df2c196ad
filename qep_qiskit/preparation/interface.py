"""Interface of preparations: from Hamiltonians H + beta C to prepared states.

The argument of a preparation is a *Hamiltonian family*: the Hamiltonians H + beta C of a batch of samples at some
nudges beta. It keeps the states of one sample together, so that a preparation can reach the nudged states from the free
one. Each nudge of the family is called a phase.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_finite, whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.groups import Group
from qep_qiskit.core.operators import CommutingGroup, paulis_of
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import MeasurementCoroutine, as_coroutine
from qep_qiskit.outcomes.states import PreparedStates
from qep_qiskit.preparation.resolution import Hidden

States = TypeVar("States", bound=PreparedStates)
WarmStartArrays = Mapping[str, NDArray[np.float64]]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HamiltonianFamily:
    """The Hamiltonians H + beta C of a batch of samples, at some nudges beta.

    Args:
        groups: The groups of H and C: commuting Pauli strings, or functions of positions and momenta. Terms are
            numbered group after group.
        free: Shape (samples, terms), coefficients of H, in energy.
        nudge: Shape (samples, terms), coefficients of C; beta C has units of energy.
        betas: Shape (phases,), the nudges beta, in order.
        key: Key of the requests of preparations that measure; they count its `iteration` from 1.
        finest: For free states whose nudge is not yet known: the smallest absolute value of the nudge that they will be
            compared with. None where they are not used in a contrast.

    Raises:
        NetworkError: A coefficient of H or C, or of H + beta C at one of the nudges, is not finite.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> free, nudge, betas = np.ones((1, 5)), np.ones((1, 5)), np.array([-0.1, 0.1])
        >>> key = qep.RequestKey("demo", 0)
        >>> family = qep.HamiltonianFamily(groups=groups, free=free, nudge=nudge, betas=betas, key=key)
        >>> family.coefficients().shape
        (1, 2, 5)
    """

    groups: Sequence[Group]
    free: NDArray[np.float64]
    nudge: NDArray[np.float64]
    betas: NDArray[np.float64]
    key: RequestKey
    finest: float | None = None

    def __post_init__(self) -> None:
        with np.errstate(all="ignore"):
            if self.betas.size and np.isfinite(self.coefficients()).all():
                return  # so are H, C and the nudges, which a line for each is for
        check_finite(self.betas, lambda _: "beta: a nudge")
        for name, coefficients in (("H", self.free), ("C", self.nudge)):
            check_finite(coefficients, lambda sample, term, name=name: f"{name}: {self._of(sample, term)}")
        with np.errstate(over="ignore"):
            check_finite(
                self.coefficients(),
                lambda sample, phase, term: f"H + beta C at beta = {self.betas[phase]:g}: {self._of(sample, term)}",
            )

    def _of(self, sample: int, term: int) -> str:
        terms = [string for group in self.groups for string in group.terms]
        return f"the coefficient of {terms[term]} for sample {sample}"

    @classmethod
    def of_free(
        cls, groups: Sequence[Group], free: NDArray, key: RequestKey, finest: float | None = None
    ) -> HamiltonianFamily:
        """Return the family of the Hamiltonians H without a nudge.

        Args:
            groups: The groups of H.
            free: Shape (samples, terms), coefficients of H, in energy.
            key: Key of the requests of preparations that measure.
            finest: Smallest absolute value of the nudge that the states will be compared with, or None.
        """
        return cls(groups=groups, free=free, nudge=np.zeros_like(free), betas=np.zeros(1), key=key, finest=finest)

    @property
    def paulis(self) -> tuple[CommutingGroup, ...]:
        """The groups of Pauli strings, for preparations of qubits.

        Raises:
            NetworkError: The groups are functions of positions and momenta.
        """
        return paulis_of(self.groups)

    @property
    def smallest_nudge(self) -> float:
        """The smallest difference between two nudges, or to zero for a single one; zero where there is no nudge."""
        points = sorted({*self.betas.tolist(), *(() if len(self.betas) > 1 else (0.0,))})
        return min((above - below for below, above in pairwise(points)), default=0.0)

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.free)

    def coefficients(self) -> NDArray[np.float64]:
        """Return all coefficients, shape (samples, phases, terms)."""
        return self.free[:, None, :] + self.betas[None, :, None] * self.nudge[:, None, :]

    def rows(self) -> NDArray[np.float64]:
        """Return all coefficients, shape (samples * phases, terms), ordered by sample, then by phase."""
        return self.coefficients().reshape(-1, self.free.shape[1])

    def free_states_of(self, states: States) -> States | None:
        """Return the free states, one per sample, or None where the family has no free phase.

        Args:
            states: States of all samples and phases, ordered as `rows`.
        """
        free, phases = np.flatnonzero(self.betas == 0.0), len(self.betas)
        if not free.size or phases == 1:
            return states if free.size else None
        return states.rows(np.arange(self.num_samples) * phases + free[0])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarmStart:
    """Earlier states that a preparation can start from.

    Args:
        free: The free states of the same batch, one row per sample, where they are already prepared.
        arrays: Arrays of an earlier preparation of these samples (`PreparationResult.warm_start`); NaN in rows of
            samples that were not prepared before. Empty where there are none.

    Example:
        >>> qep.WarmStart().arrays
        {}
    """

    free: PreparedStates | None = None
    arrays: WarmStartArrays = field(default_factory=dict)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvergenceReport:
    """Energies, gaps and convergence of prepared states; NaN where unknown.

    Args:
        energies: Shape (samples, phases), in energy.
        gaps: Shape (samples, phases), distance to the nearest other level, in energy.
        residuals: Shape (samples, phases): norm of the gradient of the energy with respect to the angles of an ansatz.
        overlaps: Shape (samples, phases), |<free|nudged>|^2.
        evaluations: Number of energies evaluated, summed over all states.
        unconverged: One reason per state that has not converged.
        judged: Whether convergence was checked.
        minima: Whether the states are certain to be global minima, so that bounds by the variational principle hold.
            Local minimisation cannot guarantee that.
        hidden: The part of the contrast that remains unknown because of residuals; NaN where states are not iterative,
            or where it cannot be estimated.
        collapsed: Number of samples in which no spring of an elastic network is stretched.
        branches: Whether a nudge can leave the branch of the free state. Classical spins have no branches, they jump;
            Gibbs states follow every nudge smoothly. Then gaps and jumps are not reported.
        lowest: Whether every state is prepared as the lowest of its own Hamiltonian, independently of the free state.
            Then a contrast across a level crossing is still the gradient of a contrastive function.

    Example:
        >>> family = qep.HamiltonianFamily.of_free((), np.ones((1, 0)), qep.RequestKey("demo", 0))
        >>> qep.ConvergenceReport.silent(family).energies
        array([[nan]])
    """

    energies: NDArray[np.float64]
    gaps: NDArray[np.float64]
    residuals: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    evaluations: int = 0
    unconverged: tuple[str, ...] = ()
    judged: bool = False
    minima: bool = False
    hidden: Hidden = field(default_factory=Hidden)
    collapsed: int = 0
    branches: bool = True
    lowest: bool = False

    @classmethod
    def silent(cls, family: HamiltonianFamily) -> ConvergenceReport:
        """Return a report in which all values are unknown (NaN)."""
        unknown = np.full((family.num_samples, len(family.betas)), np.nan)
        return cls(energies=unknown, gaps=unknown, residuals=unknown, overlaps=unknown)

    def expanded(self, used: Sequence[int], num_phases: int) -> ConvergenceReport:
        """Return the report for more phases, with NaN in those that are not known.

        Args:
            used: Indices of the known phases among all.
            num_phases: Number of all phases.
        """
        if len(used) == num_phases:
            return self

        def wider(known: NDArray) -> NDArray:
            whole = np.full((len(known), num_phases), np.nan)
            whole[:, list(used)] = known
            return whole

        names = ("energies", "gaps", "residuals", "overlaps")
        return replace(self, **{name: wider(getattr(self, name)) for name in names})  # type: ignore[arg-type]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparationResult:
    """The prepared states of a Hamiltonian family.

    Args:
        states: Rows sample by sample and within a sample phase by phase.
        report: Energies, gaps and convergence.
        free: The free states, one row per sample, where the preparation can use them again as `WarmStart.free`.
        warm_start: Arrays with samples on the first axis, for `WarmStart.arrays` when the same samples are prepared
            again with nearby weights. May be empty.

    Example:
        >>> family = qep.HamiltonianFamily.of_free((), np.ones((1, 0)), qep.RequestKey("demo", 0))
        >>> states = qep.VectorStates(vectors=np.array([[1.0, 0.0]]), energies=np.zeros(1), gaps=np.ones(1))
        >>> qep.PreparationResult(states=states, report=qep.ConvergenceReport.silent(family)).states.num_states
        1
    """

    states: PreparedStates
    report: ConvergenceReport
    free: PreparedStates | None = None
    warm_start: WarmStartArrays = field(default_factory=dict)


class Preparation(Protocol):
    """Interface of preparations: prepare eigenstates of Hamiltonians.

    A direct preparation returns its result. An iterative one is a generator function that yields requests for
    measurements and returns its result at the end. Both can be interrupted and resumed, run on any executor, and have
    every shot counted.

    Example:
        >>> class AllDown:  # all spins down, whatever the Hamiltonian is
        ...     def prepare(self, family, start):
        ...         shape = (family.num_samples * len(family.betas), 1)
        ...         size = 1 << family.groups[0].num_qubits
        ...         vectors = np.tile(np.eye(size)[-1], shape)
        ...         states = qep.VectorStates(vectors=vectors, energies=np.zeros(shape[0]), gaps=np.ones(shape[0]))
        ...         return qep.PreparationResult(states=states, report=qep.ConvergenceReport.silent(family))
        ...
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> family = qep.HamiltonianFamily.of_free(groups, np.ones((3, 5)), qep.RequestKey("demo", 0))
        >>> AllDown().prepare(family, qep.WarmStart()).states.num_states
        3
    """

    def prepare(
        self, family: HamiltonianFamily, start: WarmStart
    ) -> MeasurementCoroutine[PreparationResult] | PreparationResult:
        """Prepare one state per sample and phase.

        Args:
            family: The Hamiltonians H + beta C.
            start: Earlier states to start from; may be empty.
        """


def prepared(
    preparation: Preparation, family: HamiltonianFamily, start: WarmStart
) -> MeasurementCoroutine[PreparationResult]:
    """Return the result of a preparation as a measurement coroutine, whether or not the preparation measures.

    Args:
        preparation: The preparation.
        family: The Hamiltonians H + beta C.
        start: Earlier states to start from; may be empty.
    """
    found: PreparationResult = yield from as_coroutine(preparation.prepare(family, start))
    return found


def check_level(level: int, num_qubits: int) -> None:
    """Check that an eigenstate of this index exists.

    Args:
        level: Index of the eigenstate, 0 for the ground state.
        num_qubits: Number of qubits.

    Raises:
        ConfigError: The level is negative or beyond the spectrum.
    """
    whole_number("level", level)
    if level < 0:
        raise ConfigError(f"level: expected zero (the ground state) or more, got {level}")
    if level >= 1 << num_qubits:
        raise ConfigError(
            f"level: {level} is beyond the spectrum; {num_qubits} spins have levels 0 to {(1 << num_qubits) - 1}"
        )
