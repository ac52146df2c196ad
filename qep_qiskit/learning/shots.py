"""Shots of an estimate: one number, one for every group, or exact; all functions that distinguish these are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning.error_model import split_shots

Shots = int | tuple[int, ...] | None
"""Shots per batch: the same for every group, one number a group, or None for exact expectations."""


def is_split(shots: Shots) -> bool:
    """Return whether every group has its own number of shots."""
    return isinstance(shots, tuple)


def per_group(shots: Shots, groups: int) -> list[int | None]:
    """Return the shots of every group, None where exact.

    Args:
        shots: Shots per batch.
        groups: Number of groups.
    """
    return list(shots) if isinstance(shots, tuple) else [shots] * groups


def per_phase(shots: Sequence[int | None], fractions: NDArray) -> list[int | tuple[int, ...] | None]:
    """Return the shots of every group, or of every phase of every group where phases differ.

    Args:
        shots: Shots of every group, None where exact.
        fractions: Shots of every phase over their mean, shape (phases,).
    """
    if np.all(fractions == 1.0):
        return list(shots)
    return [None if own is None else split_shots(own, fractions) for own in shots]


def number(shots: Shots) -> int | None:
    """Return the one number of shots of all groups; None where groups have their own numbers, or exact expectations."""
    return None if shots is None or isinstance(shots, tuple) else int(shots)


def each(shots: Shots, change: Callable[[int], int]) -> Shots:
    """Return the shots with a function applied to every number; exact expectations stay exact.

    Args:
        shots: Shots per batch.
        change: Function from old to new shots.
    """
    if isinstance(shots, tuple):
        return tuple(change(own) for own in shots)
    return None if shots is None else change(shots)


def split(shots: int | None, shot_fractions: Sequence[float] | None) -> Shots:
    """Return the shots of every group from their mean; one number, or None, without fractions.

    Args:
        shots: Mean shots per batch, or None for exact expectations.
        shot_fractions: Shots of every group over that mean, or None for an equal split.
    """
    return shots if shots is None or shot_fractions is None else split_shots(shots, np.array(shot_fractions))
