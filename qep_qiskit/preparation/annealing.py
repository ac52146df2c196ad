"""Ground states of classical spins by simulated annealing, all states of a batch in parallel.

Spins that share no term can be flipped at the same time. The spins are therefore coloured, and a sweep updates one
colour after the other in all rows. Nudged states start from the free state, at a fraction of the first temperature.
States found at one nudge are tried at all others: the states of a sample are the lowest of one common pool, so their
energies are concave in beta, as those of true minima are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count, Fraction, Positive, check_limits
from qep_qiskit.core.memory import require_bytes
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.known_states import SpinConfigurations
from qep_qiskit.preparation.classical import warn_of_ties
from qep_qiskit.preparation.interface import ConvergenceReport, HamiltonianFamily, PreparationResult, WarmStart

_WARM_START = "spins"
_HOT, _COLD = 2.0, 0.05
_MOST_DESCENTS = 1000


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class AnnealingPreparation:
    """Prepare low-energy states of classical spins by simulated annealing with heat-bath updates.

    Args:
        seeds: Root of the random streams.
        sweeps: Number of updates of every spin.
        restarts: Independent runs for every state; the state of lowest energy is kept.
        reheat: Temperature at which nudged states start, on a logarithmic scale: 1 is the first temperature, 0 the
            last.
        hot_temperature: First temperature, in energy; by default twice the largest energy that flipping one spin can
            cost, averaged over spins.
        cold_temperature: Last temperature, in energy; by default 1/40 of the default first temperature.

    Raises:
        ConfigError: A number is out of range.
    """

    seeds: Seeds
    sweeps: Count = 100
    restarts: Count = 8
    reheat: Fraction = 0.5
    hot_temperature: Positive | None = None
    cold_temperature: Positive | None = None

    def __post_init__(self) -> None:
        check_limits(self)
        if (
            self.hot_temperature is not None
            and self.cold_temperature is not None
            and self.cold_temperature > self.hot_temperature
        ):
            raise ConfigError(
                f"cold_temperature: {self.cold_temperature} is above hot_temperature "
                f"{self.hot_temperature}; annealing lowers the temperature"
            )

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the lowest states found for all samples and phases.

        Free states of `start` are reused; those of an earlier epoch are candidates for the lowest states.

        Raises:
            ConfigError: The Hamiltonian is not classical.
            ResourceError: The runs do not fit in memory.
        """
        if not all(group.is_classical for group in family.paulis):
            raise ConfigError("annealing is for classical spins, and network or cost contain X or Y")
        spins = _Spins.of(tuple(family.paulis))
        rng = self.seeds.generator("annealing", *family.key.seed_words)
        pool = [self._free(spins, family, start, rng), *_known_spins(start)]
        nudged = np.flatnonzero(family.betas != 0.0)
        if nudged.size:
            begin = np.repeat(pool[0][:, None], nudged.size, axis=1)
            coefficients = family.coefficients()[:, nudged]
            found = self._annealed(spins, coefficients, rng, begin)
            pool += [found[:, place] for place in range(nudged.size)]
        states, energies, gaps = _lowest_of(spins, family, np.stack(pool, axis=1))
        warn_of_ties(gaps, family.coefficients())
        free = np.flatnonzero(family.betas == 0.0)
        best = states[:, free[0]] if free.size else pool[0]
        return PreparationResult(
            states=SpinConfigurations(spins=states.reshape(-1, states.shape[2]), energies=energies.ravel()),
            free=SpinConfigurations(spins=best, energies=np.full(len(best), np.nan)),
            warm_start={_WARM_START: best.astype(float)},
            report=replace(
                ConvergenceReport.silent(family),
                energies=energies,
                evaluations=self.sweeps * self.restarts * energies.size,
                branches=False,
            ),
        )

    def _free(
        self, spins: _Spins, family: HamiltonianFamily, start: WarmStart, rng: np.random.Generator
    ) -> NDArray[np.int8]:
        """Return the free states, shape (samples, N)."""
        if isinstance(start.free, SpinConfigurations):
            return start.free.spins
        return self._annealed(spins, family.free[:, None], rng)[:, 0]

    def _annealed(
        self, spins: _Spins, coefficients: NDArray, rng: np.random.Generator, begin: NDArray[np.int8] | None = None
    ) -> NDArray[np.int8]:
        """Return the best of all restarts, shape (samples, phases, N), for coefficients (samples, phases, terms)."""
        shape = coefficients.shape[:2]
        runs = shape[0] * shape[1] * self.restarts
        # measured: the coefficients of every run three times over
        require_bytes(3 * 8 * runs * (coefficients.shape[2] + spins.count), f"preparation.restarts: {runs} runs")
        rows = np.repeat(coefficients.reshape(-1, coefficients.shape[2]), self.restarts, axis=0)
        if begin is None:
            first = rng.choice(np.array([-1, 1], dtype=np.int8), size=(len(rows), spins.count))
        else:
            first = np.repeat(begin.reshape(-1, spins.count), self.restarts, axis=0)
        walk = _Walk(spins, rows, first)
        for temperatures in self._schedule(spins, rows, reheated=begin is not None):
            walk.heat_bath(temperatures, rng)
        walk.descend()
        energies = walk.energies.reshape(-1, self.restarts)
        best = np.arange(len(energies)) * self.restarts + energies.argmin(axis=1)
        return walk.spins[:, best].T.reshape(*shape, spins.count)

    def _schedule(self, spins: _Spins, rows: NDArray, *, reheated: bool) -> Iterator[NDArray]:
        """Return temperatures of all rows, sweep after sweep, from hot to cold in a geometric sequence."""
        size = np.maximum(2.0 * (np.abs(rows) @ spins.lengths) / spins.count, 1e-300)
        hot = np.full(len(rows), self.hot_temperature) if self.hot_temperature is not None else _HOT * size
        cold = np.full(len(rows), self.cold_temperature) if self.cold_temperature is not None else _COLD * size
        part = self.reheat if reheated else 1.0
        for step in np.linspace(part, 0.0, self.sweeps):
            yield cold * (np.maximum(hot, cold) / cold) ** step


@dataclass(frozen=True, slots=True, eq=False)
class _Colour:
    """A set of spins that share no term.

    Args:
        spins: Shape (spins,).
        terms: Shape (entries,), the terms of each spin, one spin after the other.
        owner: Shape (entries,), index in `spins` of the spin that each entry of `terms` belongs to.
        starts: Shape (spins,), index of the first term of each spin.
    """

    spins: NDArray[np.int64]
    terms: NDArray[np.int64]
    owner: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, spins: Sequence[int], terms_of: Sequence[Sequence[int]]) -> _Colour:
        """Return the terms of some spins."""
        counts = [len(terms_of[spin]) for spin in spins]
        return cls(
            spins=np.array(spins),
            terms=np.array([term for spin in spins for term in terms_of[spin]]),
            owner=np.repeat(np.arange(len(spins)), counts),
            starts=np.cumsum([0, *counts[:-1]]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Spins:
    """The spins of every term, as arrays.

    Args:
        count: Number of spins.
        members: Shape (terms, longest), spins of every term, filled up with `count`.
        lengths: Shape (terms,), spins in every term.
        colours: A partition of the spins that are in some term.
    """

    count: int
    members: NDArray[np.int64]
    lengths: NDArray[np.float64]
    colours: tuple[_Colour, ...]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(groups: tuple[CommutingGroup, ...]) -> _Spins:
        """Return the spins of the terms of classical groups."""
        count = groups[0].num_qubits
        terms = [[k for k in range(count) if mask >> k & 1] for group in groups for mask in group.masks]
        longest = max(len(term) for term in terms)
        terms_of: list[list[int]] = [[] for _ in range(count)]
        for index, term in enumerate(terms):
            for spin in term:
                terms_of[spin].append(index)
        return _Spins(
            count=count,
            members=np.array([term + [count] * (longest - len(term)) for term in terms]),
            lengths=np.array([len(term) for term in terms], dtype=float),
            colours=tuple(_Colour.of(colour, terms_of) for colour in _coloured(terms, terms_of)),
        )

    def products(self, spins: NDArray) -> NDArray[np.int8]:
        """Return the sign of every term, shape (terms, rows), for spins (N, rows)."""
        padded = np.concatenate([spins, np.ones((1, spins.shape[1]), dtype=np.int8)])
        signs = padded[self.members[:, 0]]
        for column in range(1, self.members.shape[1]):
            signs = signs * padded[self.members[:, column]]
        return signs


def _coloured(terms: Sequence[Sequence[int]], terms_of: Sequence[Sequence[int]]) -> list[list[int]]:
    """Greedy colours of the spins that are in some term, the busiest spins first."""
    colour_of: dict[int, int] = {}
    for spin in sorted(range(len(terms_of)), key=lambda spin: -len(terms_of[spin])):
        used = {colour_of.get(other) for term in terms_of[spin] for other in terms[term]}
        if terms_of[spin]:
            colour_of[spin] = next(colour for colour in range(len(terms_of)) if colour not in used)
    return [[spin for spin in colour_of if colour_of[spin] == colour] for colour in sorted({*colour_of.values()})]


class _Walk:
    """Spin configurations of all rows during annealing.

    Args:
        spins: The terms.
        coefficients: Shape (rows, terms).
        first: Shape (rows, N), the initial spins.
    """

    def __init__(self, spins: _Spins, coefficients: NDArray, first: NDArray[np.int8]) -> None:
        self._colours = spins.colours
        self.spins = np.ascontiguousarray(first.T)
        self._parts = np.ascontiguousarray(coefficients.T) * spins.products(self.spins)

    @property
    def energies(self) -> NDArray[np.float64]:
        """Energies of the rows, shape (rows,)."""
        return self._parts.sum(axis=0)

    def heat_bath(self, temperatures: NDArray, rng: np.random.Generator) -> None:
        """Update every spin once with the heat-bath rule, at the temperature of its row."""
        for colour in self._colours:
            parts = self._parts[colour.terms]
            gain = 2.0 * np.add.reduceat(parts, colour.starts, axis=0)
            self._turn(colour, parts, rng.logistic(size=gain.shape) * temperatures < gain)

    def descend(self) -> None:
        """Flip spins as long as that lowers the energy."""
        for _ in range(_MOST_DESCENTS):
            before = self.energies
            for colour in self._colours:
                parts = self._parts[colour.terms]
                self._turn(colour, parts, np.add.reduceat(parts, colour.starts, axis=0) > 0.0)
            if not np.any(self.energies < before):
                return

    def _turn(self, colour: _Colour, parts: NDArray, chosen: NDArray[np.bool_]) -> None:
        signs = np.where(chosen, np.int8(-1), np.int8(1))
        self._parts[colour.terms] = parts * signs[colour.owner]
        self.spins[colour.spins] *= signs


def _known_spins(start: WarmStart) -> list[NDArray[np.int8]]:
    """Return the states of the previous epoch; samples without one start with all spins up."""
    known = start.arrays.get(_WARM_START)
    return [] if known is None else [np.where(known < 0, -1, 1).astype(np.int8)]


def _lowest_of(
    spins: _Spins, family: HamiltonianFamily, pool: NDArray[np.int8]
) -> tuple[NDArray[np.int8], NDArray, NDArray]:
    """Return the lowest states of a pool at every nudge, after each has relaxed to a local minimum at that nudge.

    Args:
        spins: The terms.
        family: The Hamiltonians.
        pool: Shape (samples, members, N); in a tie the first one is kept.

    Returns:
        Spins (samples, phases, N), energies (samples, phases), and distances to the next higher of the pool.
    """
    samples, phases, members = len(pool), len(family.betas), pool.shape[1]
    coefficients = family.coefficients()
    every = np.repeat(pool[:, None], phases, axis=1).reshape(-1, spins.count)
    walk = _Walk(spins, np.repeat(coefficients.reshape(-1, coefficients.shape[2]), members, axis=0), every)
    walk.descend()
    let_down = walk.spins.T.reshape(samples, phases * members, spins.count)
    pool = np.concatenate([pool, let_down], axis=1)
    signs = spins.products(pool.reshape(-1, spins.count).T).T.reshape(samples, pool.shape[1], -1)
    energies = np.einsum("spt,sqt->spq", coefficients, signs.astype(float))
    scale = np.abs(coefficients).sum(axis=2, keepdims=True)
    lowest = (energies <= energies.min(axis=2, keepdims=True) + 1e-12 * scale).argmax(axis=2)
    rows = np.arange(samples)[:, None]
    states = pool[rows, lowest]
    others = np.any(pool[:, None] != states[:, :, None], axis=3)
    chosen = np.take_along_axis(energies, lowest[:, :, None], axis=2)
    gaps = np.where(others, energies - chosen, np.inf).min(axis=2)
    return states, chosen[:, :, 0], gaps
