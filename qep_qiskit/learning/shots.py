"""What the shots of an estimate are, and what they are for each group: the one place that tells their kinds apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from qep_qiskit.learning.error_model import split_shots

Shots = int | tuple[int, ...] | None
"""Shots per batch: the same for every group, one number a group, or None for exact expectations."""


def is_split(shots: Shots) -> bool:
    """Whether every group has its own."""
    return isinstance(shots, tuple)


def per_group(shots: Shots, groups: int) -> list[int | None]:
    """Shots of each of so many groups, None where exact."""
    return list(shots) if isinstance(shots, tuple) else [shots] * groups


def number(shots: Shots) -> int | None:
    """The one number that all groups have; None where they have their own, or none."""
    return None if shots is None or isinstance(shots, tuple) else int(shots)


def each(shots: Shots, change: Callable[[int], int]) -> Shots:
    """The same with every number changed."""
    if isinstance(shots, tuple):
        return tuple(change(own) for own in shots)
    return None if shots is None else change(shots)


def split(shots: int | None, shot_fractions: Sequence[float] | None) -> Shots:
    """So many shots per batch in the mean, split between groups; as they are without shares."""
    return shots if shots is None or shot_fractions is None else split_shots(shots, np.array(shot_fractions))
