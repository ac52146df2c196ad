"""Plan measurements: which shared shot batches measure which terms.

A Hamiltonian's groups are a partition of its terms; a *measurement plan* may measure them otherwise. Its numbers are
*estimates* of terms. One shared batch a group gives one estimate a term. Measuring each weight on its own, as in "for
each k repeat T times" (Scellier 2024, arXiv:2406.00879, sec. 4.1, read literally), gives one estimate for every entry
of the Jacobian, because two weights that multiply one term do not share their shots. A cover measures a term in every
batch that can, with an estimate in each; the term is their mean, and their covariances add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.groups import Group, blocks_of
from qep_qiskit.core.merging import merge_into_groups
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.measurement.state_moments import StateMoments
from qep_qiskit.network import TermJacobian, covering_groups
from qep_qiskit.outcomes import is_none, no_covariance


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class MeasurementPlan:
    """Choose shared shot batches, and what their means estimate.

    Args:
        groups: One shared shot batch each.
        estimates: For every group, the indices of its terms' means among the estimates.
        terms: Shape (estimates,), the term of every estimate.
        of_entries: Whether estimates belong to entries of the Jacobian (each weight on its own) and not to terms; terms
            of the cost that are in no entry come after them.

    Example:
        >>> groups = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,)).groups
        >>> plan = qep.MeasurementPlan(groups=groups, estimates=(np.arange(3), np.arange(3, 5)), terms=np.arange(5))
        >>> plan.num_estimates, plan.groups_measuring(np.array([4]))
        (5, [1])
    """

    groups: tuple[Group, ...]
    estimates: tuple[NDArray[np.int64], ...]
    terms: NDArray[np.int64]
    of_entries: bool = False

    @property
    def num_estimates(self) -> int:
        """Return the number of estimates."""
        return len(self.terms)

    def serving(self, terms: NDArray) -> list[int]:
        """Return indices of the groups that measure any of the given terms."""
        wanted = set(terms.tolist())
        return [g for g, own in enumerate(self._terms_of_groups) if not wanted.isdisjoint(own)]

    def groups_measuring(self, terms: NDArray) -> list[int]:
        """Return indices of few groups that together measure all given terms."""
        remaining, chosen, of_groups = set(terms.tolist()), [], self._terms_of_groups
        while remaining:
            counts = [len(remaining & own) for own in of_groups]
            if max(counts) == 0:
                break
            chosen.append(counts.index(max(counts)))
            remaining -= of_groups[chosen[-1]]
        return sorted(chosen)

    @cached_property
    def _terms_of_groups(self) -> list[set[int]]:
        """Return the terms that every group measures: sets, because steps of small networks ask many times."""
        return [set(self.terms[where].tolist()) for where in self.estimates]

    @cached_property
    def _is_of_terms(self) -> bool:
        """Return whether the estimates are the terms, one of each in their order."""
        return not self.of_entries and np.array_equal(self.terms, np.arange(self.num_estimates))

    def averaging(self, known: NDArray, num_terms: int) -> NDArray[np.float64]:
        """Return the mean over known estimates as a matrix, shape (terms, known estimates).

        Args:
            known: Indices of the known estimates.
            num_terms: Number of terms.
        """
        count = np.bincount(self.terms[known], minlength=num_terms)
        average = np.zeros((num_terms, len(known)))
        average[self.terms[known], np.arange(len(known))] = 1.0 / count[self.terms[known]]
        return average

    def shares(self, derivatives: NDArray, known: NDArray) -> NDArray[np.float64]:
        """Return derivatives by the known estimates, whose means are the terms: a product with `averaging`.

        Args:
            derivatives: Shape (..., terms), derivatives by the terms.
            known: Indices of the known estimates.
        """
        terms = self.terms[known]
        return derivatives[..., terms] * (1.0 / np.bincount(terms, minlength=derivatives.shape[-1])[terms])

    def jacobian(self, jacobian: TermJacobian) -> TermJacobian:
        """Return d(coefficient)/d(weight), with estimates in place of terms."""
        if self._is_of_terms:
            return jacobian
        if self.of_entries:
            entry, estimate = (np.arange(len(jacobian.term)),) * 2
        else:
            entry, estimate = self._estimates_of(jacobian.term)
        share = np.bincount(entry, minlength=len(jacobian.term))
        values = jacobian.values[:, entry] / share[entry]
        return replace(jacobian, weight=jacobian.weight[entry], term=estimate, values=values)

    def _estimates_of(self, terms: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return all pairs of an index into some terms and an estimate of the term there."""
        order = np.argsort(self.terms, kind="stable")
        first, last = (np.searchsorted(self.terms[order], terms, side=side) for side in ("left", "right"))
        place = np.repeat(np.arange(len(terms)), last - first)
        within = np.arange(len(place)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
        return place, order[first[place] + within]

    def averaged_per_term(self, moments: StateMoments, num_terms: int) -> StateMoments:
        """Return moments of terms from moments of estimates: the mean over the known ones.

        Args:
            moments: Shape (samples, phases, estimates), and their covariance.
            num_terms: Number of terms; those without a known estimate are NaN, without covariance.
        """
        if self.num_estimates == num_terms and np.array_equal(self.terms, np.arange(num_terms)):
            return moments
        samples, phases, _ = moments.means.shape
        means = np.full((samples, phases, num_terms), np.nan)
        exact = is_none(moments.covariance)
        covariance = no_covariance(means.shape) if exact else np.zeros((*means.shape, num_terms))
        for p in range(phases):
            known = np.flatnonzero(~np.isnan(moments.means[:, p]).any(axis=0))
            average = self.averaging(known, num_terms)
            found = moments.means[:, p][:, known] @ average.T
            means[:, p] = np.where(average.any(axis=1), found, np.nan)
            if exact:
                continue
            covariance[:, p] = average @ moments.covariance[:, p][:, known[:, None], known] @ average.T
        return replace(moments, means=means, covariance=covariance)


def shared_plan(groups: Sequence[Group]) -> MeasurementPlan:
    """Return one shared batch for every commuting group of the Hamiltonian."""
    return _shared_plan(tuple(groups))


@lru_cache(maxsize=64)
def _shared_plan(groups: tuple[Group, ...]) -> MeasurementPlan:
    terms = np.arange(sum(group.num_terms for group in groups))
    estimates = tuple(own for _, own in blocks_of(groups, terms))
    return MeasurementPlan(groups=groups, estimates=estimates, terms=terms)


@cache
def qubit_wise_plan(terms: tuple[PauliString, ...], num_qubits: int) -> MeasurementPlan:
    """Return one shared batch for every qubit-wise commuting group of a greedy search over the Pauli strings."""
    groups = merge_into_groups((), terms, num_qubits)
    position = {string: index for index, string in enumerate(terms)}
    estimates = tuple(np.array([position[string] for string in group.terms]) for group in groups)
    return MeasurementPlan(groups=groups, estimates=estimates, terms=np.arange(len(terms)))


@cache
def covering_plan(terms: tuple[PauliString, ...], wanted: tuple[int, ...], num_qubits: int) -> MeasurementPlan:
    """Return one shared batch for each of few bases that together measure some terms, with an estimate in each.

    Raises:
        ConfigError: A term is read after a Fourier transform.
    """
    position = {terms[term]: term for term in sorted(set(wanted))}
    if any(letter == "P" for string in position for _, letter in string.factors):
        raise ConfigError("grouping: 'cover' reads Pauli strings, and this network has others; use 'shared'")
    groups = covering_groups(position, num_qubits)
    found = [np.array([position[string] for string in group.terms]) for group in groups]
    measured = np.concatenate(found)
    estimates = tuple(own for _, own in blocks_of(groups, np.arange(len(measured))))
    return MeasurementPlan(groups=groups, estimates=estimates, terms=measured)


def per_weight_plan(
    groups: Sequence[Group], jacobian: TermJacobian, names: Sequence[str], cost_terms: Sequence[int] | NDArray = ()
) -> MeasurementPlan:
    """Return a batch for every weight, and one in each group where a weight multiplies terms of several groups.

    Args:
        groups: Groups of the Hamiltonian and their terms.
        jacobian: Which weight multiplies which term.
        names: Names of the weights.
        cost_terms: Terms of the cost; those that no weight multiplies get batches too.
    """
    group_of = np.repeat(np.arange(len(groups)), [group.num_terms for group in groups])
    first = np.cumsum([0, *(group.num_terms for group in groups)])
    found: list[Group] = []
    estimates: list[NDArray[np.int64]] = []
    for weight in range(jacobian.num_weights):
        entries = np.flatnonzero(jacobian.weight == weight)
        for g in np.unique(group_of[jacobian.term[entries]]):
            own = entries[group_of[jacobian.term[entries]] == g]
            found.append(groups[g].picked(f"for {names[weight]}", (jacobian.term[own] - first[g]).tolist()))
            estimates.append(own)
    others = np.setdiff1d(np.asarray(cost_terms, dtype=np.int64), jacobian.term)
    for g in np.unique(group_of[others]):
        own = np.flatnonzero(group_of[others] == g)
        found.append(groups[g].picked("for the cost", (others[own] - first[g]).tolist()))
        estimates.append(len(jacobian.term) + own)
    terms = np.concatenate([jacobian.term.astype(np.int64), others])
    return MeasurementPlan(groups=tuple(found), estimates=tuple(estimates), terms=terms, of_entries=True)
