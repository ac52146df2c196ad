"""States of classical spins by samplers of dimod, such as D-Wave's annealers (Laydevant et al. 2024).

A problem is one sample at one nudge: inputs and nudge are fields, clamped for the time of an anneal. Nudged states are
annealed in reverse: each anneal begins in the free state, at a part of the temperature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, ResultError
from qep_qiskit.core.jobs import in_processes
from qep_qiskit.core.limits import Count, Fraction, Positive, check_limits
from qep_qiskit.core.memory import require_bytes, require_memory
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.outcomes.known_states import SpinConfigurations, SpinReads
from qep_qiskit.preparation.annealing import AnnealingPreparation
from qep_qiskit.preparation.classical import ExactSearch, warn_of_ties
from qep_qiskit.preparation.interface import (
    ConvergenceReport,
    HamiltonianFamily,
    Preparation,
    PreparationResult,
    WarmStart,
)
from qep_qiskit.preparation.ising_problems import CouplerLimits, IsingTerms
from qep_qiskit.preparation.ocean import ALL_STATES, IsingSampler, offline_sampler, require_ocean

_HOT, _RATIO = 0.5, 50.0
# Couplings and fields that one call takes: more problems beside each other save the time that a call takes by itself.
_AT_ONCE = 16000
_BYTES_PER_SPIN_AND_READ = 17
# Which options of a sampler each argument sets; one is enough.
_SETS = {
    "reads": ("num_reads",),
    "sweeps": ("num_sweeps",),
    "hot_temperature": ("beta_range",),
    "cold_temperature": ("beta_range",),
    "reheat": ("beta_range",),
    "reverse": ("initial_states", "initial_state"),
}
_SIDE_BY_SIDE = ("simulated_annealing", "path_integral", "steepest_descent")
_LARGEST_SEED = 2**31
# Microseconds and parts of the anneal: back to half of the transverse field, a pause, and forward again.
_REVERSE = ((0.0, 1.0), (10.0, 0.5), (20.0, 0.5), (30.0, 1.0))


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class AnnealerPreparation:
    """Prepare low-energy states of classical spins by a sampler of dimod.

    Args:
        seeds: Root of the random streams.
        sampler: Name of a sampler that runs on this machine, or any sampler of dimod.
        reads: Number of anneals of every problem.
        answer: ``lowest``: the read of lowest energy, a state that is certain. ``mean``: all reads, which are the
            shots of a measurement.
        reverse: Whether nudged anneals begin in the free state.
        sweeps: Updates of every spin in one anneal, for samplers that count them.
        reheat: Temperature at which reverse anneals begin, on a logarithmic scale: 1 is the first temperature, 0 the
            last.
        hot_temperature: First temperature, in energy as the annealer sees it; by default 50 times the last, or half the
            largest energy that flipping one spin can cost, averaged over the spins of the problem.
        cold_temperature: Last temperature; by default 1/50 of the first.
        limits: Bounds and precision of fields and couplings.
        options: More keyword arguments of every sample.
        nudged_options: Keyword arguments of nudged samples alone.

    Raises:
        ConfigError: A number is out of range, or the sampler has no such option.

    Example:
        >>> annealer = qep.AnnealerPreparation(seeds=qep.Seeds(0), sampler="simulated_annealing", reads=4)
        >>> annealer.reads
        4
    """

    seeds: Seeds
    sampler: str | IsingSampler = "simulated_annealing"
    reads: Count = 10
    answer: Literal["lowest", "mean"] = "lowest"
    reverse: bool = True
    sweeps: Count = 20
    reheat: Fraction = 0.8
    hot_temperature: Positive | None = None
    cold_temperature: Positive | None = None
    limits: CouplerLimits = field(default_factory=CouplerLimits)
    options: Mapping[str, Any] = field(default_factory=dict)
    nudged_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_limits(self)
        hot, cold = self.hot_temperature, self.cold_temperature
        if hot is not None and cold is not None and cold > hot:
            raise ConfigError(f"cold_temperature: {cold} is above hot_temperature {hot}; annealing lowers it")

    def check(self) -> None:
        """Check that the sampler is there and takes the options.

        Raises:
            ConfigError: It does not take one.
            ResourceError: Ocean is not installed.
        """
        known = _resolved(self.sampler).parameters
        for name, given in (("options", self.options), ("nudged_options", self.nudged_options)):
            unknown = next((option for option in given if option not in known), None)
            if unknown is not None:
                raise ConfigError(f"{name}: the sampler has no '{unknown}'; it takes {', '.join(sorted(known))}")

    def idle_arguments(self) -> list[str]:
        """Return the names of the arguments that the sampler makes no use of."""
        known = _resolved(self.sampler).parameters
        return [name for name, options in _SETS.items() if not any(option in known for option in options)]

    def prepare(self, family: HamiltonianFamily, start: WarmStart) -> PreparationResult:
        """Return the states that were read for all samples and phases; free states of `start` are reused.

        Raises:
            ConfigError: The Hamiltonian is not classical, has longer products, or is beyond the limits.
            ResourceError: The reads do not fit in memory.
            ResultError: The sampler gives something else than reads of all spins.
        """
        terms, coefficients = IsingTerms.of(tuple(family.paulis)), family.coefficients()
        nudged = np.flatnonzero(family.betas != 0.0)
        free = None
        if len(nudged) < len(family.betas) or (self.reverse and nudged.size):
            free = self._free(terms, family, start)
        states = np.empty((*coefficients.shape[:2], self._kept, terms.count), dtype=np.int8)
        if free is not None:
            states[:, family.betas == 0.0] = free[:, None]
        if nudged.size:
            states[:, nudged] = self._nudged(terms, family, coefficients[:, nudged], free)
        return self._result(terms, family, states, free)

    @property
    def _kept(self) -> int:
        """Number of reads of a state that are kept."""
        return 1 if self.answer == "lowest" else self.reads

    def _free(self, terms: IsingTerms, family: HamiltonianFamily, start: WarmStart) -> NDArray[np.int8]:
        """Return the free states, shape (samples, kept, N)."""
        if isinstance(start.free, SpinConfigurations):
            return start.free.spins[:, None]
        if isinstance(start.free, SpinReads):
            return start.free.spins
        return self._annealed(terms, family.free, family, "free")

    def _nudged(
        self, terms: IsingTerms, family: HamiltonianFamily, coefficients: NDArray, free: NDArray[np.int8] | None
    ) -> NDArray[np.int8]:
        """Return the states at some nudges, shape (samples, nudges, kept, N)."""
        rows = coefficients.reshape(-1, coefficients.shape[2])
        begin = None if free is None or not self.reverse else np.repeat(free, coefficients.shape[1], axis=0)
        found = self._annealed(terms, rows, family, "nudged", begin)
        return found.reshape(*coefficients.shape[:2], self._kept, terms.count)

    def _annealed(
        self,
        terms: IsingTerms,
        rows: NDArray,
        family: HamiltonianFamily,
        phase: str,
        begin: NDArray[np.int8] | None = None,
    ) -> NDArray[np.int8]:
        """Return what is kept of the reads of problems, shape (problems, kept, N).

        A state from which an anneal begins is a candidate for the lowest.

        Args:
            terms: Fields and couplings.
            rows: Shape (problems, terms), coefficients.
            family: Its key selects the random numbers.
            phase: ``free`` or ``nudged``.
            begin: Shape (problems, kept, N), states in which reverse anneals begin.
        """
        if self.sampler == ALL_STATES:
            require_listing(terms.count, len(rows))
        else:
            require_bytes(
                _BYTES_PER_SPIN_AND_READ * self.reads * len(rows) * terms.count,
                f"preparation.reads: {self.reads} reads",
            )
        fields, couplings = self.limits.applied(*terms.split(rows))
        cold = self._cold(fields, couplings)
        size = self._side_by_side(fields.shape[1] + couplings.shape[1])
        parts = [slice(first, first + size) for first in range(0, len(rows), size)]
        generator = self.seeds.generator("annealer", phase, *family.key.seed_words)
        calls = [
            _Call(
                fields=fields[part],
                couplings=couplings[part],
                seed=int(seed),
                cold=cold[part],
                ratio=self._ratio ** (1.0 if begin is None else self.reheat),
                begin=None if begin is None else begin[part],
            )
            for part, seed in zip(parts, generator.integers(_LARGEST_SEED, size=len(parts)), strict=True)
        ]
        more = {**self.options, **(self.nudged_options if phase == "nudged" else {})}
        anneal = partial(_read, self.sampler, terms.pairs, self.reads, self.sweeps, more)
        # a sampler of one's own is one object, which may hold a connection
        found = in_processes(anneal, calls) if isinstance(self.sampler, str) else [anneal(call) for call in calls]
        reads = [of_one for of_all in found for of_one in of_all]
        if self.answer == "lowest":
            return self._lowest(terms, rows, reads, begin)
        wrong = next((len(of_one) for of_one in reads if len(of_one) != self.reads), None)
        if wrong is not None:
            raise ResultError(f"reads: expected {self.reads} reads of the sampler, got {wrong}")
        return np.stack(reads)

    def _side_by_side(self, numbers: int) -> int:
        """Number of problems of a call, for so many fields and couplings of each."""
        together = isinstance(self.sampler, str) and self.sampler in _SIDE_BY_SIDE
        return max(1, _AT_ONCE // numbers) if together else 1

    @property
    def _ratio(self) -> float:
        """The first temperature over the last."""
        if self.hot_temperature is None or self.cold_temperature is None:
            return _RATIO
        return self.hot_temperature / self.cold_temperature

    def _cold(self, fields: NDArray, couplings: NDArray) -> NDArray[np.float64]:
        """Return the last temperature of every problem."""
        if self.cold_temperature is not None:
            return np.full(len(fields), self.cold_temperature)
        if self.hot_temperature is not None:
            return np.full(len(fields), self.hot_temperature / _RATIO)
        size = 2.0 * (np.abs(fields).sum(axis=1) + 2.0 * np.abs(couplings).sum(axis=1)) / fields.shape[1]
        return np.maximum(_HOT * size, 1e-300) / _RATIO

    def _lowest(
        self, terms: IsingTerms, rows: NDArray, found: list[NDArray[np.int8]], begin: NDArray[np.int8] | None
    ) -> NDArray[np.int8]:
        """Return the read of lowest energy of every problem, shape (problems, 1, N), and warn of equal ones."""
        if begin is not None:
            found = [np.concatenate([first, reads]) for first, reads in zip(begin, found, strict=True)]
        best, gaps = np.empty((len(rows), 1, terms.count), dtype=np.int8), np.empty(len(rows))
        for row, reads in enumerate(found):
            energies = terms.energies(rows[row : row + 1], reads[None])[0]
            best[row, 0] = reads[energies.argmin()]
            others = np.any(reads != best[row], axis=1)
            gaps[row] = np.min(energies[others], initial=np.inf) - energies.min()
        warn_of_ties(gaps, rows)
        return best

    def _result(
        self, terms: IsingTerms, family: HamiltonianFamily, states: NDArray[np.int8], free: NDArray[np.int8] | None
    ) -> PreparationResult:
        shape = states.shape[:2]
        flat = states.reshape(-1, *states.shape[2:])
        energies = terms.energies(family.rows(), flat).mean(axis=1)
        nudged = int(np.count_nonzero(family.betas))
        report = replace(
            ConvergenceReport.silent(family),
            energies=energies.reshape(shape),
            evaluations=self.reads * shape[0] * (nudged + (free is not None)),
            branches=False,
        )
        return PreparationResult(
            states=self._held(flat, energies),
            free=None if free is None else self._held(free, np.full(len(free), np.nan)),
            report=report,
        )

    def _held(self, spins: NDArray[np.int8], energies: NDArray) -> SpinConfigurations | SpinReads:
        if self.answer == "lowest":
            return SpinConfigurations(spins=spins[:, 0], energies=energies)
        return SpinReads(spins=spins, energies=energies)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Call:
    """What one call of a sampler is given.

    Args:
        fields: Shape (problems, N).
        couplings: Shape (problems, couplings).
        seed: Seed of the sampler.
        cold: Shape (problems,), the last temperature of each, in energy.
        ratio: The first temperature over the last.
        begin: Shape (problems, states, N), where reverse anneals begin; None for random states.
    """

    fields: NDArray[np.float64]
    couplings: NDArray[np.float64]
    seed: int
    cold: NDArray[np.float64]
    ratio: float
    begin: NDArray[np.int8] | None


def require_listing(num_spins: int, problems: int = 1) -> None:
    """Check that all states of some problems fit in memory, as the sampler ``exact`` lists them.

    Args:
        num_spins: N.
        problems: Number of problems whose lists live at once.

    Raises:
        ResourceError: They do not fit.
    """
    # measured: 6 bytes of a spin and state while one problem is solved; one is kept
    what = f"execution.backend: the list of all states that the sampler '{ALL_STATES}' makes"
    instead = "the sampler 'simulated_annealing'"
    require_memory(num_spins, num_spins * (8 + problems), what, instead=instead)


def _resolved(sampler: str | IsingSampler) -> IsingSampler:
    return offline_sampler(sampler) if isinstance(sampler, str) else sampler


def _read(
    given: str | IsingSampler, pairs: NDArray[np.intc], reads: int, sweeps: int, more: Mapping[str, Any], call: _Call
) -> list[NDArray[np.int8]]:
    """Return the reads of every problem, shape (reads, N) each, as the sampler gives them.

    Problems of one call are parts of one model that nothing couples. Each is in units of its last temperature.
    """
    sampler, dimod = _resolved(given), require_ocean()
    count, size = call.fields.shape
    unit = call.cold[:, None] if count > 1 else np.ones((1, 1))
    last = 1.0 if count > 1 else call.cold[0]
    first = np.arange(count, dtype=np.intc)[:, None] * np.intc(size)
    ends = [(end + first).ravel() for end in pairs]
    model = dimod.BinaryQuadraticModel.from_numpy_vectors(
        (call.fields / unit).ravel(), (*ends, (call.couplings / unit).ravel()), 0.0, dimod.SPIN
    )
    known = {
        "num_reads": reads,
        "num_sweeps": sweeps,
        "beta_range": (1.0 / (last * call.ratio), 1.0 / last),
        "seed": call.seed,
        **_beginning(sampler, call.begin),
    }
    options = {name: value for name, value in known.items() if name in sampler.parameters} | dict(more)
    found = sampler.sample(model, **options)
    if sorted(found.variables) != list(range(count * size)) or not len(found):
        raise ResultError(
            f"sampler: expected reads of {count * size} spins, got {len(found)} of {len(found.variables)}"
        )
    spins = found.record.sample[:, np.argsort(np.asarray(found.variables))].astype(np.int8)
    spins = np.repeat(spins, found.record.num_occurrences, axis=0).reshape(-1, count, size)
    return list(spins.transpose(1, 0, 2))


def _beginning(sampler: IsingSampler, begin: NDArray[np.int8] | None) -> dict[str, Any]:
    """Return the options of a reverse anneal: all of its first states, or the one that a device takes."""
    if begin is None:
        return {}
    if "initial_states" in sampler.parameters:
        states = begin.transpose(1, 0, 2).reshape(begin.shape[1], -1)
        return {"initial_states": (states, range(states.shape[1])), "initial_states_generator": "tile"}
    return {
        "initial_state": dict(enumerate(begin[0, 0].tolist())),
        "anneal_schedule": _REVERSE,
        "reinitialize_state": True,
    }


def has_certain_outcomes(preparation: Preparation) -> bool:
    """Return whether states are classical spin configurations, for which every shot gives the same result."""
    if isinstance(preparation, AnnealerPreparation):
        return preparation.answer == "lowest"
    return isinstance(preparation, ExactSearch | AnnealingPreparation)
