"""Detection of repeated random numbers: shot noise shared by free and nudged phases is missing in every error bar.

Visible fixed seeds are refused. Others are found in the outcomes. Two batches of shots of different requests with equal
bits are an error where chance cannot have made them equal: independent shots of any state repeat a given sequence with
at most the probability that they have under their own frequencies, and given counts with at most the multinomial one;
outcomes that are certain therefore never count. Under one seed the shots of two slightly different states are not
equal, but they agree far more often than two random orders of them would; where that continues from request to request
it is an error too. All alarms together have a chance of less than 1e-9 to be false, however long the run.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from qep_qiskit.core.errors import ConfigError, ResultError

_SEEDS = ("seed", "seed_simulator")
_DEPTH = 4
_LOG_FALSE_ALARM = float(np.log(1e-9))
_KEPT_DIGESTS = 4096
_ROWS_COMPARED, _SHOTS_COMPARED = 8, 4096
_AGREEING_REQUESTS = 4

Key = tuple[str | int, ...]


def backend_behind(sampler: Any) -> Any:
    """Return the backend of a sampler, or None where the sampler does not state it."""
    for name in ("backend", "_backend"):
        found = getattr(sampler, name, None)
        found = found() if callable(found) and not hasattr(found, "run") else found
        if hasattr(found, "run") and hasattr(found, "target"):
            return found
    return None


def gates_of_run_noise(sampler: Any) -> list[str] | None:
    """Return the gates that circuits must have for the noise in the run options of a sampler; None without noise.

    Noise of the backend itself restricts the gates of its target. Noise in run options does not: it acts on the gates
    of its model only, and gates of other names would have none.
    """
    options = dict(_items(getattr(sampler, "options", None))).get("run_options")
    noise = options.get("noise_model") if isinstance(options, Mapping) else None
    return None if noise is None else [str(name) for name in noise.basis_gates]


def seed_in_sight(sampler: Any) -> str | None:
    """Return where a sampler, its options or its backend have a fixed seed; None if none is visible."""
    own = getattr(sampler, "seed", None)
    if _is_fixed(own):
        return "seed"
    backend = backend_behind(sampler)
    locations = {"options": getattr(sampler, "options", None), "backend.options": getattr(backend, "options", None)}
    return next((where for name, options in locations.items() for where in _seeds_in(options, name)), None)


def require_unseeded(sampler: Any) -> None:
    """Check that a sampler has no fixed seed, with which it would repeat its random numbers.

    Raises:
        ConfigError: It has a fixed seed.
    """
    where = seed_in_sight(sampler)
    if where is not None:
        raise ConfigError(
            "sampler: an integer seed makes every call repeat the same random numbers, so that free and nudged phases "
            f"share their shot noise; take it out of its {where}, give a numpy Generator, or pass the backend"
        )


def _is_fixed(seed: Any) -> bool:
    """Whether a seed starts the same stream at each use. A generator continues where it stopped."""
    streams = (np.random.Generator, np.random.BitGenerator, np.random.RandomState)
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    return whole or (isinstance(seed, np.random.SeedSequence | list | tuple) and not isinstance(seed, streams))


def _seeds_in(options: Any, name: str, depth: int = _DEPTH) -> Iterator[str]:
    """Names of the fixed seeds in nested options."""
    for key, value in _items(options):
        if key in _SEEDS and _is_fixed(value):
            yield f"{name}.{key}"
        elif depth > 1:
            yield from _seeds_in(value, f"{name}.{key}", depth - 1)


def _items(options: Any) -> list[tuple[str, Any]]:
    """Names and values of a dict, a dataclass, a pydantic model or Qiskit's options."""
    if isinstance(options, Mapping):
        return [(str(key), value) for key, value in options.items()]
    known = getattr(type(options), "model_fields", None) or getattr(options, "_fields", None)
    if not isinstance(known, Mapping):
        known = getattr(type(options), "__dataclass_fields__", {})
    return [(str(key), getattr(options, str(key), None)) for key in known]


@dataclass(slots=True)
class Repeats:
    """Stores digests of a sampler's recent outcomes and detects repetitions.

    Args:
        name: Name of the sampler, for messages.
    """

    name: str
    _digests: OrderedDict[bytes, Key] = field(default_factory=OrderedDict)
    _last: dict[Key, tuple[Key, list[_Row]]] = field(default_factory=dict)
    _agreeing: dict[Key, int] = field(default_factory=dict)
    _questions: int = 0

    def require_new(self, key: Key, outcomes: Mapping[Key, NDArray[np.uint8]]) -> None:
        """Check that the shots of a request do not repeat those of earlier requests. The same request may be repeated.

        Args:
            key: Words of the request's key.
            outcomes: Bits of every measurement by its words, shape (measured, shots, bytes).

        Raises:
            ResultError: The shots equal those of another request, or share their random numbers with several.
        """
        rows = {
            key_words: [_Row.of(_as_numbers(row)) for row in bits] for key_words, bits in outcomes.items() if bits.size
        }
        self._require_unequal(key, rows)
        for measurement, own in rows.items():
            self._require_disagreement(key, measurement, own)
            self._last[measurement] = key, [row.shortened() for row in own[:_ROWS_COMPARED]]

    def _require_unequal(self, key: Key, rows: Mapping[Key, list[_Row]]) -> None:
        """Compare digests of every row, and of all rows together, with the stored ones and with each other."""
        pieces = [((*key, *measurement), [row]) for measurement, own in rows.items() for row in own]
        if len(pieces) > 1:
            pieces.append((key, [row for own in rows.values() for row in own]))
        found: dict[bytes, Key] = {}
        for key_words, piece in pieces:
            for digest, log_chance in _digests_of(piece):
                earlier = found.get(digest, self._digests.get(digest))
                repeated = digest in found or earlier not in (None, key_words)
                if self._rules_out(log_chance, len(self._digests) + len(found)) and repeated:
                    self._refuse(key_words, earlier or key_words)
                found[digest] = key_words
        for digest, key_words in found.items():
            self._digests[digest] = key_words
            self._digests.move_to_end(digest)
        while len(self._digests) > _KEPT_DIGESTS:
            self._digests.popitem(last=False)

    def _require_disagreement(self, key: Key, measurement: Key, rows: list[_Row]) -> None:
        """Compare the shots of a measurement with those of the same measurement in the previous request."""
        earlier_key, earlier = self._last.get(measurement, (key, []))
        if earlier_key == key:
            return
        agreeing = any(self._agree(row, other) for row, other in zip(rows, earlier, strict=False))
        self._agreeing[measurement] = self._agreeing.get(measurement, 0) + 1 if agreeing else 0
        if self._agreeing[measurement] == _AGREEING_REQUESTS:
            self._refuse((*key, *measurement), (*earlier_key, *measurement))

    def _agree(self, row: _Row, other: _Row) -> bool:
        """Whether shots agree far more often than in a random order."""
        if not (row.ordered and other.ordered):
            return False
        shots = min(len(row.shots), len(other.shots))
        return self._rules_out(_log_chance_of_agreement(row.shots[:shots], other.shots[:shots]), 1)

    def _rules_out(self, log_chance: float, comparisons: int) -> bool:
        """Whether chance is excluded: the t-th test may give a false alarm with probability 1e-9 / t (t + 1)."""
        self._questions += 1
        spent = np.log(self._questions) + np.log(self._questions + 1) + np.log(max(1, comparisons))
        return log_chance < _LOG_FALSE_ALARM - spent

    def _refuse(self, key_words: Key, earlier: Key) -> None:
        raise ResultError(
            f"{self.name}: the shots of {_said(key_words)} repeat the random numbers of {_said(earlier)}: there is "
            "a fixed "
            "seed somewhere, which error bars do not see; take it out, or pass a backend or a sampler_factory"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Row:
    """Shots of one binding, as numbers.

    Args:
        shots: Shape (shots,).
        counts: Bytes that encode how often each outcome occurs.
        ordered: Whether shots seem to be in the order of measurement: sorted ones change rarely.
        log_chance: Log of the largest probability that other shots are equal one by one.
        log_chance_of_counts: Log of the largest probability that other shots are equal in any order.
    """

    shots: NDArray[np.int64]
    counts: bytes
    ordered: bool
    log_chance: float
    log_chance_of_counts: float

    @classmethod
    def of(cls, shots: NDArray[np.int64]) -> _Row:
        values, counts = np.unique(shots, return_counts=True)
        size = len(shots)
        log_chance = float(counts @ np.log(counts / size))
        changes = np.count_nonzero(np.diff(shots))
        expected = (size - 1) * (1.0 - float(np.square(counts / size).sum()))
        orders = float(gammaln(size + 1) - gammaln(counts + 1).sum())
        return cls(
            shots=shots,
            counts=values.tobytes() + counts.tobytes(),
            ordered=bool(2 * changes >= expected),
            log_chance=log_chance,
            log_chance_of_counts=min(0.0, orders + log_chance),
        )

    def shortened(self) -> _Row:
        """The row with its first shots only, for a comparison shot by shot."""
        return replace(self, shots=self.shots[:_SHOTS_COMPARED].copy(), counts=b"")


def _digests_of(rows: list[_Row]) -> Iterator[tuple[bytes, float]]:
    """Digests of independent rows in their order, with the probabilities that others are equal."""
    yield _digest(b"counts", [row.counts for row in rows]), sum(row.log_chance_of_counts for row in rows)
    if all(row.ordered for row in rows):
        yield _digest(b"order", [row.shots.tobytes() for row in rows]), sum(row.log_chance for row in rows)


def _as_numbers(shots: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Shots, shape (shots, bytes), as numbers; those of more than 56 bits by a hash."""
    width = shots.shape[-1]
    factors = np.random.default_rng(0).integers(1, 1 << 62, width) if width > 7 else 1 << 8 * np.arange(width)[::-1]
    return shots.astype(np.int64) @ factors


def _log_chance_of_agreement(one: NDArray[np.int64], other: NDArray[np.int64]) -> float:
    """Log of a bound on the chance of agreement at so many positions (Chatterjee 2007, matchings of permutations)."""
    shots = len(one)
    _, locations = np.unique(np.concatenate([one, other]), return_inverse=True)
    size = int(locations.max()) + 1
    expected = np.bincount(locations[:shots], minlength=size) @ np.bincount(locations[shots:], minlength=size) / shots
    excess = np.count_nonzero(one == other) - expected
    return 0.0 if excess <= 0 else float(np.log(2.0) - excess**2 / (4.0 * expected + 2.0 * excess))


def _digest(kind: bytes, parts: list[bytes]) -> bytes:
    found = hashlib.blake2b(kind, digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.digest()


def _said(key_words: Key) -> str:
    return f"'{' '.join(str(word) for word in key_words[1:])}'"
