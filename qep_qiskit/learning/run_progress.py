"""How far a training is: a bar in a notebook, and elsewhere a line in the log now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from qep_qiskit.learning.state import TrainingState

_LOG = logging.getLogger(__name__)
_SECONDS_BEFORE_A_BAR = 1.0
_SECONDS_BETWEEN_BARS = 0.25
_SECONDS_BETWEEN_LINES = 10.0


def notebook_display() -> Callable[..., Any] | None:
    """Return IPython's function to display an object, where this process is the kernel of a notebook; else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return None if shell is None or getattr(shell, "kernel", None) is None else ipython.display.display  # type: ignore


@dataclass(frozen=True, slots=True)
class _Bar:
    """A bar with its words, as a notebook shows it."""

    share: float | None
    words: str

    def __repr__(self) -> str:
        return self.words if self.share is None else f"{100 * self.share:.0f} %  {self.words}"

    def _repr_html_(self) -> str:
        bar = "" if self.share is None else f'<progress value="{self.share:.4f}" max="1"></progress> '
        return f'<div>{bar}<span style="font-family: monospace">{escape(self.words)}</span></div>'


class RunProgress:
    """Progress of one call of `Trainer.run`.

    A bar appears after a second, so that short trainings show none; a line of it stays at the end. Without a notebook a
    line every ten seconds is logged by ``qep_qiskit.learning.run_progress`` with the level of information.

    Args:
        steps: Steps of the whole training.
        epochs: Epochs of the whole training.
        begins_at: Steps that are done already.
        shown: Whether a notebook shows the bar.
    """

    def __init__(self, steps: int, epochs: int, begins_at: int, *, shown: bool) -> None:
        self._steps, self._epochs, self._begins_at = steps, epochs, begins_at
        self._display = notebook_display() if shown else None
        self._handle: Any = None
        self._began = self._last = time.monotonic()
        self._loss: float | None = None
        self._accuracy: float | None = None

    def update(self, state: TrainingState, accuracy: float | None = None) -> None:
        """Show the progress, unless that was just done.

        Args:
            state: State of the training.
            accuracy: Accuracy of the last epoch, where it was measured.
        """
        self._accuracy = self._accuracy if accuracy is None else accuracy
        self._loss = state.tally.mean_cost if state.tally.samples else self._loss
        now = time.monotonic()
        if self._display is None:
            if now - self._last >= _SECONDS_BETWEEN_LINES:
                self._last = now
                _LOG.info("%s", self._words(state))
            return
        if now - self._last >= (_SECONDS_BEFORE_A_BAR if self._handle is None else _SECONDS_BETWEEN_BARS):
            self._last = now
            self._show(
                _Bar(min(1.0, state.step / max(self._steps, 1)), f"{self._words(state)}{self._left(state, now)}")
            )

    def close(self, state: TrainingState) -> None:
        """Leave one line in place of the bar, where there was one."""
        if self._handle is not None:
            self._show(_Bar(None, f"{self._words(state)}  in {_clock(time.monotonic() - self._began)}"))

    def _show(self, bar: _Bar) -> None:
        if self._handle is None:
            assert self._display is not None
            self._handle = self._display(bar, display_id=True)
        else:
            self._handle.update(bar)

    def _words(self, state: TrainingState) -> str:
        parts = [f"epoch {state.epoch}/{self._epochs}", f"step {state.step}/{self._steps}"]
        if self._loss is not None:
            parts.append(f"loss {self._loss:.4f}")
        if self._accuracy is not None:
            parts.append(f"accuracy {self._accuracy:.3f}")
        return "  ".join([*parts, f"{state.shots:,} shots"])

    def _left(self, state: TrainingState, now: float) -> str:
        done = state.step - self._begins_at
        return f"  {_clock((now - self._began) / done * (self._steps - state.step))} left" if done else ""


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
