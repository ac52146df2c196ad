"""Derive random numbers: one root seed, and an independent stream for every key.

Nothing in the package keeps a generator alive between calls. Whoever needs randomness derives a stream from the root
seed and a key that says what it is for, such as ``("sampling", step, stage, group)``. The stream depends on the key
alone, so a run that is stopped and resumed draws the same numbers as one that was not, and two different keys never
share numbers (numpy's ``SeedSequence`` guarantees it).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import ConfigError

_SIMULATOR_SEED_BITS = 62


def _spawn_key_word(part: str | int) -> int:
    if isinstance(part, str):
        return zlib.crc32(part.encode())
    return int(part)


@dataclass(frozen=True, slots=True)
class Seeds:
    """Derive independent random streams from one root seed.

    Args:
        root: The one seed of a run, a non-negative integer.

    Raises:
        ConfigError: The root seed is negative.

    Example:
        >>> qep.Seeds(7).generator("order", 0).permutation(4)
        array([0, 1, 3, 2])
    """

    root: int

    def __post_init__(self) -> None:
        if whole_number("seed", self.root) < 0:
            raise ConfigError(f"seed: expected a non-negative integer, got {self.root}")

    def sequence(self, *key: str | int) -> np.random.SeedSequence:
        """Return the seed sequence of a key; equal keys give equal sequences."""
        return np.random.SeedSequence(self.root, spawn_key=tuple(_spawn_key_word(part) for part in key))

    def generator(self, *key: str | int) -> np.random.Generator:
        """Return a fresh random generator for a key."""
        return np.random.default_rng(self.sequence(*key))

    def simulator_seed(self, *key: str | int) -> int:
        """Return a 62-bit integer seed for a simulator call.

        Aer gives binding i of a call the seed ``s + 2113 i``; integers drawn from 2^62 make it practically impossible
        that two calls of a run overlap (tests/traps checks this).
        """
        word = self.sequence(*key).generate_state(1, np.uint64)[0]
        return int(word >> np.uint64(64 - _SIMULATOR_SEED_BITS))
