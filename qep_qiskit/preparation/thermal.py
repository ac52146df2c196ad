"""Gibbs states exp(-(H + beta C) / T) / Z instead of ground states (Massar & Mognetti 2024, arXiv:2405.08467).

The free energy F(beta) = -T ln Z replaces the ground state's energy: dF/dbeta = <C>_beta and dF/dw = <dH/dw>, so
d<C>/dw = d<dH/dw>/dbeta holds at every temperature, and contrasts are gradients of contrastive functions as for ground
states. At beta = 0 the derivative is a correlation of thermal fluctuations:

    d<C>/dw = -(1/T) [ int_0^1 dl <exp(l H/T) dH/dw exp(-l H/T) C> - <dH/dw><C> ]

(Kubo-Mori), which is the ordinary covariance where C or dH/dw commutes with H, as in classical networks. Unconnected
parts of a network have Gibbs states of their own, whose product is that of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from qep_qiskit.core.components import Component, components
from qep_qiskit.core.groups import blocks_of
from qep_qiskit.core.jobs import current_jobs, in_threads, one_blas_thread
from qep_qiskit.core.limits import Positive, check_limits
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.transforms import walsh_hadamard
from qep_qiskit.outcomes.known_states import MixedStates, SpinEnsembles
from qep_qiskit.preparation.classical import classical_energies
from qep_qiskit.preparation.components import by_parts, family_of, prepare_parts
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart
from qep_qiskit.preparation.spectra import dense_hamiltonians

Solved = TypeVar("Solved")

_NEGLIGIBLE = 1e-20
_MATRICES_AT_ONCE = 6
_AMPLITUDES_PER_PART = 1 << 16


@dataclass(frozen=True, slots=True)
class ThermalPreparation:
    """Prepare Gibbs states by diagonalisation; for classical spins, by a sum over all states.

    Parts of a network that nothing couples to the others are diagonalised by themselves.

    Args:
        temperature: Temperature T, in energy (k_B = 1).

    Raises:
        ConfigError: The temperature is not above zero.
    """

    singularity_exponent: ClassVar[float] = 0.0

    temperature: Positive

    def __post_init__(self) -> None:
        check_limits(self)

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the Gibbs states of all samples and phases, without measurements.

        The energies of the report are free energies.

        Raises:
            ResourceError: The states do not fit in memory.
        """
        if len(components(family.paulis)) > 1:
            return prepare_parts(self._prepare_whole, family, start)
        return self._prepare_whole(family, start)

    def _prepare_whole(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        solve = self._classical if all(group.is_classical for group in family.paulis) else self._quantum
        states, free_energies = solve(family.paulis, family.rows())
        silent = ConvergenceReport.silent(family)
        energies = free_energies.reshape(silent.energies.shape)
        report = replace(silent, energies=energies, minima=True, branches=False)
        return PreparationResult(states=states, report=report)

    def complex_means(self, family: HamiltonianFamily, free: PreparationResult, betas: NDArray) -> NDArray:
        """Return Tr[P exp(-(H + beta C) / T)] / Z of all terms at complex nudges, shape (samples, nudges, terms)."""
        groups, rows = family.paulis, zip(family.free, family.nudge, strict=True)
        if len(components(groups)) > 1:

            def means(part: Component) -> NDArray:
                return self.complex_means(family_of(part, family), free, betas)

            return by_parts(groups, (family.num_samples, len(betas)), means)
        if all(group.is_classical for group in groups):
            return np.array([_classical_means(groups, *row, self.temperature, betas) for row in rows])
        with one_blas_thread():
            return np.array([_quantum_means(groups, *row, self.temperature, betas) for row in rows])

    def analytic_radius(self, family: HamiltonianFamily, free: PreparationResult) -> NDArray[np.float64]:
        """Return pi T / range(C), below which classical partition functions have no zero, shape (samples,)."""
        ranges = np.sum([group.ranges(block) for group, block in blocks_of(family.groups, family.nudge)], axis=0)
        wanted = np.pi * self.temperature
        return np.divide(wanted, ranges, out=np.full(len(ranges), np.inf), where=ranges > 0.0)

    def _classical(self, groups: Sequence[CommutingGroup], rows: NDArray) -> tuple[SpinEnsembles, NDArray]:
        require_memory(groups[0].num_qubits, 8 * (_MATRICES_AT_ONCE + len(rows)), "Gibbs states of classical spins")
        found = [_boltzmann(classical_energies(groups, row[None])[0], self.temperature) for row in rows]
        weights, free_energies = zip(*found, strict=True)
        return SpinEnsembles(np.array(weights)), np.array(free_energies)

    def _quantum(self, groups: Sequence[CommutingGroup], rows: NDArray) -> tuple[MixedStates, NDArray]:
        matrices = _MATRICES_AT_ONCE * min(current_jobs(), len(rows)) + len(rows)
        require_memory(groups[0].num_qubits, 16 * matrices, "Gibbs states", bits_per_qubit=2)

        def solved(some: NDArray) -> tuple[NDArray, NDArray]:
            levels, states = np.linalg.eigh(dense_hamiltonians(groups, some))
            weights, free_energies = _boltzmann(levels, self.temperature)
            weights[weights <= _NEGLIGIBLE] = 0.0
            kept = int((weights > 0.0).sum(axis=1).max())
            return (states[:, :, :kept] * np.sqrt(weights[:, None, :kept])).swapaxes(1, 2), free_energies

        found, free_energies = zip(*_by_blocks(solved, groups, rows), strict=True)
        most = max(own.shape[1] for own in found)
        padded = [np.pad(own, ((0, 0), (0, most - own.shape[1]), (0, 0))) for own in found]
        return MixedStates(np.concatenate(padded)), np.concatenate(free_energies)


def _by_blocks(work: Callable[..., Solved], groups: Sequence[CommutingGroup], *rows: NDArray) -> list[Solved]:
    """Return the results of some work for blocks of rows of arrays, which hold several where matrices are small."""
    size = max(1, _AMPLITUDES_PER_PART >> (2 * groups[0].num_qubits))

    def block(start: int) -> Solved:
        return work(*(array[start : start + size] for array in rows))

    with one_blas_thread():
        return in_threads(block, range(0, len(rows[0]), size))


def _boltzmann(levels: NDArray, temperature: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the probabilities of levels (..., levels), and the free energies (...)."""
    lowest = levels.min(axis=-1, keepdims=True)
    weights = np.exp((lowest - levels) / temperature)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / total, (lowest - temperature * np.log(total))[..., 0]


def thermal_response(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudges: NDArray, temperature: float
) -> NDArray[np.float64]:
    """Return exact d<P_t>/dbeta at beta = 0 of every term: minus the Kubo-Mori correlation with C, divided by T.

    By reciprocity these are also the derivatives of <C> with respect to the coefficient of P_t.

    Args:
        groups: The commuting groups.
        coefficients: Shape (states, terms), of H.
        nudges: Shape (states, terms), of C.
        temperature: Temperature T, in energy.

    Returns:
        Shape (states, terms).

    Raises:
        ResourceError: The matrices do not fit in memory.
    """
    if len(components(tuple(groups))) > 1:

        def of_part(part: Component) -> NDArray:
            return thermal_response(part.groups, coefficients[:, part.terms], nudges[:, part.terms], temperature)

        return by_parts(groups, (len(coefficients),), of_part)
    if all(group.is_classical for group in groups):
        rows = [
            _classical_response(groups, row, nudge, temperature)
            for row, nudge in zip(coefficients, nudges, strict=True)
        ]
        return np.array(rows)
    matrices = _MATRICES_AT_ONCE * min(current_jobs(), len(coefficients))
    require_memory(groups[0].num_qubits, 16 * matrices, "thermal fluctuations", bits_per_qubit=2)

    def responses(some: NDArray, own: NDArray) -> NDArray[np.float64]:
        return np.array([_quantum_response(groups, *row, temperature) for row in zip(some, own, strict=True)])

    return np.concatenate(_by_blocks(responses, groups, coefficients, nudges))


def _classical_response(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudge: NDArray, temperature: float
) -> NDArray[np.float64]:
    levels, cost = classical_energies(groups, np.stack([coefficients, nudge]))
    weights, _ = _boltzmann(levels, temperature)
    both = walsh_hadamard(np.stack([weights * (cost - weights @ cost)]))[0]
    masks = [mask for group in groups for mask in group.masks]
    return -both[masks] / temperature


def _quantum_response(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudge: NDArray, temperature: float
) -> NDArray[np.float64]:
    """Return - Tr[P (w o (C - <C>))] with w_mn = (p_m - p_n) / (E_n - E_m), or p_m / T where levels agree."""
    levels, states = np.linalg.eigh(dense_hamiltonians(groups, coefficients[None])[0])
    weights, _ = _boltzmann(levels, temperature)
    cost = states.conj().T @ dense_hamiltonians(groups, nudge[None])[0] @ states
    cost[np.diag_indices_from(cost)] -= weights @ np.diag(cost).real
    turned = states @ (_mori_weights(levels, weights, temperature) * cost) @ states.conj().T
    return -np.concatenate([_traces_with(group, turned) for group in groups])


def _mori_weights(levels: NDArray, weights: NDArray, temperature: float) -> NDArray[np.float64]:
    """Return (p_m - p_n) / (E_n - E_m), computed from the lower level of each pair without cancellation."""
    ratio = np.abs(levels[:, None] - levels[None, :]) / temperature
    lower = np.maximum(weights[:, None], weights[None, :])
    steep = np.divide(-np.expm1(-ratio), ratio, out=np.ones_like(ratio), where=ratio > 0)
    return lower * steep / temperature


def _traces_with(group: CommutingGroup, matrix: NDArray) -> NDArray[np.float64]:
    """Return Tr[P_a M] of all terms of a group, M Hermitian."""
    half = group.basis.rotate(matrix.T).T
    diagonal = np.diag(group.basis.rotate(half.conj()).conj()).real
    return walsh_hadamard(np.ascontiguousarray(diagonal))[list(group.masks)]


def _classical_means(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudge: NDArray, temperature: float, betas: NDArray
) -> NDArray:
    """Return means of all terms at complex nudges, shape (nudges, terms)."""
    levels, cost = classical_energies(groups, np.stack([coefficients, nudge]))
    weights = np.exp(-(levels - levels.min() + betas[:, None] * cost) / temperature)
    masks = [mask for group in groups for mask in group.masks]
    return walsh_hadamard(weights / weights.sum(axis=1, keepdims=True))[:, masks]


def _quantum_means(
    groups: Sequence[CommutingGroup], coefficients: NDArray, nudge: NDArray, temperature: float, betas: NDArray
) -> NDArray:
    """Return means of all terms at complex nudges, shape (nudges, terms)."""
    free, cost = dense_hamiltonians(groups, np.stack([coefficients, nudge]))
    shift = np.linalg.eigvalsh(free)[0] * np.eye(len(free))
    found = []
    for beta in betas:
        state = scipy.linalg.expm(-(free - shift + beta * cost) / temperature)
        state /= np.trace(state)
        real, imaginary = (state + state.conj().T) / 2.0, (state - state.conj().T) / 2.0j
        found.append(
            np.concatenate([_traces_with(group, real) + 1j * _traces_with(group, imaginary) for group in groups])
        )
    return np.array(found)
