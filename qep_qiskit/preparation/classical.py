"""Ground states of classical spins by exhaustive search.

The contrastive function F(beta) = min over s of H(s) + beta C(s) is concave in beta, continuous in the weights, and
piecewise linear in both. A contrast is the gradient of a difference of its values; it changes in steps where another
state becomes the lowest. The free cost is a step function of the weights, whose gradient is zero wherever it exists: a
nudge must be strong enough to flip spins, otherwise nothing is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import DegenerateGroundStateWarning
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.warning_log import warn
from qep_qiskit.outcomes.known_states import SpinConfigurations
from qep_qiskit.preparation.exact import ExactPreparation
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
)

_ARRAYS_AT_ONCE = 6
_EQUAL = 1e-9


def classical_energies(groups: Sequence[CommutingGroup], coefficients: NDArray) -> NDArray[np.float64]:
    """Return the energies of all bit strings, shape (states, 2^N), of classical Hamiltonians.

    Args:
        groups: The commuting groups, all of products of Z.
        coefficients: Shape (states, terms), in energy.
    """
    diagonals = [group.diagonal(block) for group, block in blocks_of(groups, coefficients)]
    return np.asarray(sum(diagonals[1:], diagonals[0]))


def require_search(num_spins: int) -> None:
    """Check that the energies of all states of classical spins fit in memory.

    Args:
        num_spins: N.

    Raises:
        ResourceError: They do not fit.
    """
    instead = "preparation.kind = 'annealing'"
    require_memory(num_spins, 8 * _ARRAYS_AT_ONCE, "exact search among all states", instead=instead)


@dataclass(frozen=True, slots=True)
class ExactSearch:
    """Prepare the lowest of all 2^N states of classical spins, at any nudge."""

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the ground states of all samples and phases, without measurements.

        Raises:
            ResourceError: There are too many spins.
        """
        num_spins = family.paulis[0].num_qubits
        require_search(num_spins)
        shape = (family.num_samples, len(family.betas))
        lowest = np.empty(shape, dtype=np.int64)
        energies, gaps = np.empty(shape), np.empty(shape)
        for sample in range(family.num_samples):
            free, nudge = classical_energies(family.paulis, np.stack([family.free[sample], family.nudge[sample]]))
            for phase, beta in enumerate(family.betas):
                total = free + beta * nudge
                lowest[sample, phase] = total.argmin()
                energies[sample, phase], second = np.partition(total, 1)[:2]
                gaps[sample, phase] = second - energies[sample, phase]
        warn_of_ties(gaps, family.coefficients())
        spins = 1 - 2 * (lowest.reshape(-1, 1) >> np.arange(num_spins) & 1)
        silent = ConvergenceReport.silent(family)
        report = replace(silent, energies=energies, gaps=gaps, minima=True, branches=False)
        return PreparationResult(
            states=SpinConfigurations(spins=spins.astype(np.int8), energies=energies.ravel()), report=report
        )


def exact_preparation(
    groups: Sequence[CommutingGroup],
    *,
    level: int = 0,
    solver: Literal["auto", "dense", "lanczos"] = "auto",
    tolerance: float = 0.0,
) -> Preparation:
    """Return the cheapest exact preparation: search where all groups are classical, otherwise diagonalisation.

    Args:
        groups: Groups of the Hamiltonian.
        level: Index of the eigenstate, 0 for the ground state; the search finds ground states only.
        solver: Solver of the diagonalisation, see `ExactPreparation`.
        tolerance: Relative tolerance of Lanczos; zero is machine precision.
    """
    if level == 0 and all(group.is_classical for group in groups):
        return ExactSearch()
    return ExactPreparation(level=level, solver=solver, tolerance=tolerance)


def warn_of_ties(gaps: NDArray, coefficients: NDArray) -> None:
    """Warn where two states of classical spins have the same energy.

    Args:
        gaps: Shape (...), distance to the next state, in energy.
        coefficients: Shape (..., terms), the Hamiltonians.
    """
    scale = np.maximum(np.abs(coefficients).sum(axis=-1), 1e-300)
    ties = int((gaps < _EQUAL * scale).sum())
    warn(
        DegenerateGroundStateWarning,
        "ground states of classical spins are degenerate: the one that is used is arbitrary. Break the tie "
        "with biases, inputs, or weights that differ",
        detail=f"{ties} of {amount(gaps.size, 'state')}",
        affected=ties,
        of=gaps.size,
    )
