"""Closing sentences on the warnings of a run: one for each kind and cause, from its counts by epoch."""

from __future__ import annotations

from qep_qiskit.core import errors
from qep_qiskit.core.amounts import amount, percent
from qep_qiskit.core.errors import UntrustedGradientWarning
from qep_qiskit.core.warning_log import WarningCount, WarningLog

_UNITS = {
    "BranchJumpWarning": "samples",
    "FloppyModesWarning": "samples",
    "NudgeBeyondGapWarning": "samples",
    "DeadGradientWarning": "steps",
    "NoisyGradientWarning": "steps",
    "CoarseTrotterWarning": "states",
    "DegenerateGroundStateWarning": "states",
    "ReversedDriverWarning": "states",
    "UnconvergedWarning": "states",
    "UnresolvedContrastWarning": "steps",
}
_OF_WINDOWS = ("DeadGradientWarning", "NoisyGradientWarning")  # their steps may start in earlier epochs
_FEW = 0.01


def closing(log: WarningLog, epochs: int) -> list[str]:
    """Return a sentence on each warning of a run, the most severe first: how often, when, and what it means.

    Args:
        log: The warnings.
        epochs: Number of epochs of the run, including an incomplete one.
    """
    return [_sentence(count, epochs) for count in log.given]


def _sentence(count: WarningCount, epochs: int) -> str:
    if count.once or count.first_step is None:
        return count.detail or count.text
    what = count.text.partition(";")[0] if count.quiet else ""  # the text was not shown
    reported = "; ".join(
        part for part in (f"{_how_many(count)}{_when(count, epochs)}", _meaning(count, epochs)) if part
    )
    return f"{what}: {reported}" if what else reported


def _how_many(count: WarningCount) -> str:
    unit = _UNITS.get(count.kind, "times" if not count.of else "cases")
    if not count.of:
        return f"{count.affected} {unit}"
    return f"{count.affected} of {count.of} {unit} ({percent(count.affected / count.of)})"


def _when(count: WarningCount, epochs: int) -> str:
    last, seen = max(count.by_epoch), len(count.by_epoch)
    if epochs < 2:
        return ""
    if count.kind in _OF_WINDOWS:
        return f", up to epoch {last + 1} of {epochs}"
    if seen == 1 and seen < epochs:
        return f", in epoch {last + 1} of {epochs}"
    if last + 1 < epochs:
        return f", all in the first {last + 1} of {amount(epochs, 'epoch')}"
    return f", in {'all' if seen == epochs else seen} of {amount(epochs, 'epoch')}, up to the last"


def _meaning(count: WarningCount, epochs: int) -> str:
    """Return the consequence of a warning about gradients: whether the final weights depend on the affected steps."""
    kind = getattr(errors, count.kind, UntrustedGradientWarning)
    if count.severity == "note" or not issubclass(kind, UntrustedGradientWarning):
        return ""
    clean = epochs - 1 - max(count.by_epoch)
    if clean:
        since = "the epoch" if clean == 1 else f"the {amount(clean, 'epoch')}"
        return f"{since} since then had none, so the last steps do not rest on it"
    if count.of and count.affected < _FEW * count.of:
        return "few enough to matter little"
    return "the final weights rest on such gradients"
