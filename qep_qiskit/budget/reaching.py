"""Number of shots at which the loss of a training run, averaged over some epochs, reaches a given value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from qep_qiskit.report.tables import grouped

_EPOCHS = 10

Row = Mapping[str, Any]


def shots_to_reach(rows: Sequence[Row], loss: float, *, epochs: int = _EPOCHS) -> dict[str, float]:
    """Return the shots after which the mean loss of the last epochs is at most a given loss, as the median over seeds.

    Args:
        rows: One for every budget, seed and epoch, in the order of epochs, with `shots` and `loss`.
        loss: The loss to reach.
        epochs: Number of epochs over which the loss is averaged.

    Returns:
        Shots by budget; infinite where fewer than half of the seeds reach the loss.
    """
    return {
        budget: float(np.median([_reached(run, loss, epochs) for run in grouped(own, itemgetter("seed")).values()]))
        for budget, own in grouped(rows, itemgetter("budget")).items()
    }


def _reached(rows: Sequence[Row], loss: float, epochs: int) -> float:
    losses = np.array([row["loss"] for row in rows], dtype=float)
    if len(losses) < epochs:
        return float("inf")
    means = np.convolve(losses, np.ones(epochs) / epochs, mode="valid")
    hits = np.flatnonzero(means <= loss)
    return float(rows[int(hits[0]) + epochs - 1]["shots"]) if hits.size else float("inf")


def losses_reached(rows: Sequence[Row], *, epochs: int = _EPOCHS) -> list[float]:
    """Return the losses 1 and 3 times powers of ten that half of the seeds of some budget reach, the lowest first.

    Args:
        rows: As for `shots_to_reach`.
        epochs: Number of epochs over which the loss is averaged.
    """
    first = max((row["loss"] for row in rows), default=0.0)
    ladder = sorted(step * 10.0**power for power in range(-8, 3) for step in (1.0, 3.0))
    return [
        loss
        for loss in ladder
        if loss < first and np.isfinite(list(shots_to_reach(rows, loss, epochs=epochs).values())).any()
    ]
