"""Shots of an estimate: one number, one for every group, or exact; all functions that distinguish these are here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.learning.error_model import split_shots

_MOST_HALVINGS, _FEWEST = 4, 2
MOST_SHARES = _MOST_HALVINGS + 1
"""Most different numbers of shots that `shares_by_size` gives the samples of a batch."""

Shots = int | tuple[int, ...] | None
"""Shots per batch: the same for every group, one number a group, or None for exact expectations."""


def is_split(shots: Shots) -> bool:
    """Return whether every group has its own number of shots."""
    return isinstance(shots, tuple)


def per_group(shots: Shots, groups: int) -> list[int | None]:
    """Return the shots of every group, None where exact."""
    return list(shots) if isinstance(shots, tuple) else [shots] * groups


def per_state(
    shots: Sequence[int | None], fractions: NDArray, shares: NDArray | None = None
) -> list[int | tuple[int, ...] | NDArray[np.int64] | None]:
    """Return the shots of every group, or of every phase, or of every sample and phase of every group, as they differ.

    Args:
        shots: Shots of every group, None where exact.
        fractions: Shots of every phase over their mean, shape (phases,).
        shares: Shots of every sample over their mean, shape (samples,), or None where samples have equal shots.
    """
    if shares is not None:
        return [None if own is None else _of_samples(own, shares, fractions) for own in shots]
    if np.all(fractions == 1.0):
        return list(shots)
    return [None if own is None else split_shots(own, fractions) for own in shots]


def shares_by_size(sizes: NDArray) -> NDArray[np.float64]:
    """Return shots of samples over their mean, in proportion to sizes, shape (samples,).

    At a given number of shots this is the smallest variance of a sum with standard deviations in proportion to sizes.
    Shares are halved up to four times from that of the largest size on, so that few numbers of shots occur.

    Args:
        sizes: Shape (samples,); not negative.

    Example:
        >>> qep.learning.shots.shares_by_size(np.array([1.0, 0.5, 0.001, 0.0]))
        array([2.46153846, 1.23076923, 0.15384615, 0.15384615])
    """
    largest = sizes.max(initial=0.0)
    if not largest > 0.0:
        return np.ones(len(sizes))
    halvings = np.round(-np.log2(np.maximum(sizes / largest, 0.5**_MOST_HALVINGS)))
    shares = 0.5**halvings
    return np.asarray(shares / shares.mean())


def _of_samples(shots: int, shares: NDArray, fractions: NDArray) -> NDArray[np.int64]:
    """Whole shots of every sample and phase, shape (samples, phases), of not more than `shots` in the mean of samples.

    Samples have two shots at least, from which a variance can be estimated, or as many as there are.
    """
    fewest = min(_FEWEST, shots)
    scale = float(shots)
    while (own := np.maximum(np.floor(scale * shares), fewest)).sum() > shots * len(shares):
        scale *= (shots * len(shares) - 0.5) / own.sum()
    return np.array([split_shots(int(count), fractions) for count in own], dtype=np.int64)


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
