"""Linear response of a variational state in its tangent space, from samples of the state.

A nudge beta C moves the state psi to psi + beta sum_j u_j (O_j - <O_j>) psi, with O_j the derivatives of log psi. At a
ground state, u solves

    K u = -f_C,   K_ij = <(O_i - <O_i>)* (H - E) (O_j - <O_j>)>,   f_C,i = <(O_i - <O_i>)* C>

and d<A>/dbeta = 2 f_A . u = -2 f_A . K^-1 f_C for real states. The matrices are those of the linear method (Toulouse
and Umrigar 2007, J. Chem. Phys. 126, 084102). H acts on the column j at every sampled configuration and K is not made
symmetric, so where the tangent space holds the response, u has no sampling noise. K and f are projected on the
directions whose eigenvalue of the metric <(O - <O>)* (O - <O>)> is above a cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.sparse.linalg import eigsh

_SMALL = 64


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Sums:
    """Sums over configurations; those of fewer configurations are differences.

    Args:
        count: Number of configurations.
        derivatives: Sum of O, shape (kept,).
        driven: Sum of H O, shape (kept,).
        energy: Sum of local energies.
        values: Sum of local values, shape (terms,).
        by_driven: Sum of O (H O), shape (kept, kept).
        squares: Sum of O O, shape (kept, kept).
        by_energy: Sum of O E, shape (kept,).
        by_values: Sum of O P, shape (kept, terms).
    """

    count: int
    derivatives: NDArray[np.float64]
    driven: NDArray[np.float64]
    energy: float
    values: NDArray[np.float64]
    by_driven: NDArray[np.float64]
    squares: NDArray[np.float64]
    by_energy: NDArray[np.float64]
    by_values: NDArray[np.float64]

    @classmethod
    def of(cls, derivatives: NDArray, driven: NDArray, energies: NDArray, values: NDArray) -> _Sums:
        return cls(
            count=len(energies),
            derivatives=derivatives.sum(axis=0),
            driven=driven.sum(axis=0),
            energy=float(energies.sum()),
            values=values.sum(axis=0),
            by_driven=derivatives.T @ driven,
            squares=derivatives.T @ derivatives,
            by_energy=derivatives.T @ energies,
            by_values=derivatives.T @ values,
        )

    def __sub__(self, other: _Sums) -> _Sums:
        return _Sums(**{name: getattr(self, name) - getattr(other, name) for name in _Sums.__slots__})

    def responses(self, directions: NDArray) -> NDArray[np.float64]:
        """Return d<P_t>/dbeta, shape (directions, terms).

        Args:
            directions: Shape (directions, terms), coefficients of C.
        """
        mean, energy = self.derivatives / self.count, self.energy / self.count
        metric = self.squares / self.count - np.outer(mean, mean)
        force = self.by_energy / self.count - mean * energy
        hessian = self.by_driven / self.count - np.outer(mean, self.driven / self.count)
        hessian -= np.outer(force, mean) + energy * metric
        overlaps = self.by_values / self.count - np.outer(mean, self.values / self.count)
        return np.asarray(-2.0 * np.linalg.solve(hessian, overlaps @ directions.T).T @ overlaps)


def tangent_response(
    derivatives: NDArray,
    driven: NDArray,
    energies: NDArray,
    values: NDArray,
    directions: NDArray,
    cut: float,
    blocks: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return responses of all terms, and the same without each of some blocks of configurations (jackknife).

    Args:
        derivatives: Shape (configurations, parameters), d(log psi)/d(parameter).
        driven: Shape (configurations, parameters), (H O psi)(s) / psi(s).
        energies: Shape (configurations,), local energies.
        values: Shape (configurations, terms), local values of the terms.
        directions: Shape (directions, terms), coefficients of nudging operators.
        cut: Smallest eigenvalue of the metric that is used, as a part of the largest.
        blocks: Number of blocks of successive configurations, all of one size.

    Returns:
        Responses (directions, terms) and replicas (blocks, directions, terms).
    """
    mean = derivatives.mean(axis=0)
    centred = derivatives - mean
    kept = _kept(centred.T @ centred / len(centred), cut)
    parts = [centred @ kept, driven @ kept - np.outer(energies, mean @ kept), energies, values]
    whole = _Sums.of(*parts)
    each = zip(*(np.split(part, blocks) for part in parts), strict=True)
    replicas = [(whole - _Sums.of(*block)).responses(directions) for block in each]
    return whole.responses(directions), np.array(replicas)


def _kept(metric: NDArray, cut: float) -> NDArray[np.float64]:
    """Return the eigenvectors of a metric above a part of its largest eigenvalue, shape (parameters, kept)."""
    if not metric.any():
        return np.zeros((len(metric), 0))
    if len(metric) <= _SMALL:
        values, vectors = eigh(metric)
        return np.asarray(vectors[:, values > cut * values[-1]])
    largest = float(eigsh(metric, k=1, return_eigenvectors=False, v0=np.ones(len(metric)))[0])
    return np.asarray(eigh(metric, subset_by_value=(cut * largest, np.inf))[1])
