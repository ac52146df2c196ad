"""The stopping rule of the published study of classifiers, as a callback."""

from __future__ import annotations

import math

import numpy as np

import qep_qiskit as qep

__all__ = ["FlatLoss"]

_NOTES = "flat_loss"


class FlatLoss(qep.Callback):
    """End a training when the loss of its batches is flat.

    The mean loss of the last steps is compared with that of as many steps before them. Where they differ by at most
    half of what chance alone lets a mean of so many steps scatter, nothing was learned that the noise of the batches
    would not hide, and the run ends (Bowles, Ahmed & Schuld 2024, arXiv:2403.07059).

    Args:
        steps: Number of steps of each mean.
    """

    def __init__(self, steps: int = 200) -> None:
        self.steps = steps

    def on_step(self, trainer: qep.Trainer, record: qep.Record) -> None:
        losses = [*trainer.state.notes.get(_NOTES, []), float(record["loss"])][-2 * self.steps :]
        trainer.state.notes[_NOTES] = losses
        if len(losses) < 2 * self.steps:
            return
        before, last = np.split(np.array(losses), 2)
        if abs(last.mean() - before.mean()) <= last.std() / math.sqrt(self.steps) / 2.0:
            trainer.finish()
