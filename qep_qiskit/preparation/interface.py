"""How eigenstates are reached: the seam where a user plugs in a preparation of his own.

What is asked for is a *family*: the Hamiltonians H + beta C of a batch at some nudges beta. A family knows which
states belong together, so that a preparation can reach the nudged states from the free one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

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

WarmStartArrays = Mapping[str, NDArray[np.float64]]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HamiltonianFamily:
    """The Hamiltonians H + beta C of a batch.

    Args:
        groups: The groups of H and C: commuting Paulis, or functions of positions and momenta. Their terms, group
            after group, are the terms.
        free: Shape (samples, terms), coefficients of H.
        nudge: Shape (samples, terms), coefficients of C.
        betas: Shape (phases,), the nudges that are wanted, in order.
        key: Names the requests of preparations that measure; they count its `iteration` from 1.
        finest: Of free states whose nudge is not known yet: the nudge, in size, whose states they will be compared
            with. None where they are part of no contrast.

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
        """The un-nudged Hamiltonians alone."""
        return cls(groups=groups, free=free, nudge=np.zeros_like(free), betas=np.zeros(1), key=key, finest=finest)

    @property
    def paulis(self) -> tuple[CommutingGroup, ...]:
        """The groups, for preparations of qubits.

        Raises:
            NetworkError: They are those of atoms in space.
        """
        return paulis_of(self.groups)

    @property
    def smallest_nudge(self) -> float:
        """The smallest distance between two phases, or to the free one; zero where nothing is nudged."""
        points = np.unique(self.betas) if len(self.betas) > 1 else np.union1d(self.betas, [0.0])
        return float(np.diff(points).min()) if len(points) > 1 else 0.0

    @property
    def num_samples(self) -> int:
        """Number of samples."""
        return len(self.free)

    def coefficients(self) -> NDArray[np.float64]:
        """All coefficients, shape (samples, phases, terms)."""
        return self.free[:, None, :] + self.betas[None, :, None] * self.nudge[:, None, :]

    def rows(self) -> NDArray[np.float64]:
        """All coefficients in rows, sample by sample and within a sample phase by phase."""
        return self.coefficients().reshape(-1, self.free.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WarmStart:
    """What is known before.

    Args:
        free: The free states of the same batch, one row per sample, where they are prepared already.
        arrays: What the preparation remembered of these samples from an earlier time (`PreparationResult.warm_start`);
            rows of samples it has not met hold NaN. Empty where nothing is remembered.

    Example:
        >>> qep.WarmStart().memory
        {}
    """

    free: PreparedStates | None = None
    arrays: WarmStartArrays = field(default_factory=dict)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConvergenceReport:
    """What a preparation says about its states; NaN where it cannot say.

    Args:
        energies: Shape (samples, phases).
        gaps: Shape (samples, phases), distance to the nearest other level.
        residuals: Shape (samples, phases): norm of the energy's gradient by the angles of an ansatz.
        overlaps: Shape (samples, phases), |<free|nudged>|^2.
        evaluations: Energies evaluated, over all states.
        unconverged: One reason per state that is not converged.
        judged: Whether convergence was looked at.
        minima: Whether the states are known to be the lowest of all, so that bounds by the variational principle hold:
            no solver that goes downhill from somewhere can know that.
        hidden: The part of the contrast that residuals leave unknown; NaN where states are not iterative, or nothing
            is known.
        collapsed: Samples in which no spring of an elastic network is stretched.
        branches: Whether a nudge can lose the branch of the free state. Classical spins have none to lose, they can
            only jump; and Gibbs states follow every nudge smoothly. Then nothing is said of gaps and jumps.
        lowest: Whether every state is prepared as the lowest of its own Hamiltonian, nudged ones whatever the free one
            is, well or not. Then a contrast across a crossing is still the gradient of a contrastive function.

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
        """Nothing to say."""
        unknown = np.full((family.num_samples, len(family.betas)), np.nan)
        return cls(energies=unknown, gaps=unknown, residuals=unknown, overlaps=unknown)

    def expanded(self, used: Sequence[int], num_phases: int) -> ConvergenceReport:
        """The same for more phases, of which only the used ones are known."""

        def wider(known: NDArray) -> NDArray:
            whole = np.full((len(known), num_phases), np.nan)
            whole[:, list(used)] = known
            return whole

        return replace(
            self,
            energies=wider(self.energies),
            gaps=wider(self.gaps),
            residuals=wider(self.residuals),
            overlaps=wider(self.overlaps),
        )


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparationResult:
    """The prepared states of a family.

    Args:
        states: Rows sample by sample and within a sample phase by phase.
        free: The free states, one row per sample, where the preparation can use them again as `WarmStart.free`.
        warm_start: Arrays with samples on the first axis, to be handed back as `WarmStart.arrays` when the same samples
            come again with nearby weights. Empty where there is nothing worth remembering.
        report: Energies, gaps, convergence.

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
    """Turns Hamiltonians into prepared eigenstates.

    Direct preparations return their result; iterative ones are terms that yield requests for measurements on the
    way. So both stop, resume and run on any executor, and every shot is counted.
    """

    def prepare(
        self, family: HamiltonianFamily, start: WarmStart
    ) -> MeasurementCoroutine[PreparationResult] | PreparationResult:
        """Prepare one state per sample and phase."""
        ...


def prepared(
    preparation: Preparation, family: HamiltonianFamily, start: WarmStart
) -> MeasurementCoroutine[PreparationResult]:
    """What a preparation gives, whether it measures on the way or returns its result at once."""
    found: PreparationResult = yield from as_coroutine(preparation.prepare(family, start))
    return found


def check_level(level: int, num_qubits: int) -> None:
    """Whether there is such an eigenstate.

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
