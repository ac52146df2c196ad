"""The state of a training run, and its checkpoint file.

Every random number of a run follows from the root seed and the number of the step. Weights, optimiser state, counters
and, in the middle of a step, the answers to its requests are therefore the whole state.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.core.json_record import JsonRecord
from qep_qiskit.core.npz import arrays_of
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import WarningLog
from qep_qiskit.execution import ReadoutErrors, TwirledErrors
from qep_qiskit.learning.gradient_monitor import GradientMonitor
from qep_qiskit.learning.replicates import ScatterTally
from qep_qiskit.learning.request_log import RequestLog, pack_request_log, unpack_request_log
from qep_qiskit.learning.shot_schedule import SignalTally, StepShots
from qep_qiskit.outcomes import ReadoutErrorModel

_FORMAT = 10
_DIGEST_BYTES = 32
_COUNTERS = ("step", "epoch", "batch", "shots", "circuits", "seconds", "records", "metrics_bytes")


Ending = Literal["no", "due", "done"]
"""Whether a callback has ended the run: ``due`` until the samples are measured with the final weights."""


@dataclass(slots=True)
class EpochTally(JsonRecord):
    """Running sums over the samples of the current epoch.

    Args:
        samples: Number of samples.
        cost: Sum of costs.
        cost_variance: Sum of their shot-noise variances; NaN once one is unknown.
        cost_square: Sum of squared costs.
        correct: Number of samples whose outputs decode to their label, or NaN where outputs are not measured.
    """

    samples: int = 0
    cost: float = 0.0
    cost_variance: float = 0.0
    cost_square: float = 0.0
    correct: float = 0.0

    def add(self, costs: NDArray, variances: NDArray, correct: float) -> None:
        """Add a batch to the sums.

        Args:
            costs: Shape (samples,).
            variances: Shot-noise variances of the costs, shape (samples,).
            correct: Number of correct samples, or NaN.
        """
        self.samples += len(costs)
        self.cost += float(costs.sum())
        self.cost_variance += float(variances.sum())
        self.cost_square += float((costs**2).sum())
        self.correct += correct

    @property
    def mean_cost(self) -> float:
        """Mean cost of a sample."""
        return self.cost / self.samples

    @property
    def cost_error(self) -> float | None:
        """Standard error of the mean cost by shots, or by the scatter over samples where shots give none."""
        if np.isfinite(self.cost_variance):
            return float(np.sqrt(max(self.cost_variance, 0.0)) / self.samples)
        if self.samples < 2:
            return None
        variance = (self.cost_square - self.samples * self.mean_cost**2) / (self.samples - 1)
        return float(np.sqrt(max(variance, 0.0) / self.samples))

    @property
    def accuracy(self) -> float | None:
        """Fraction of correct samples, or None where unknown."""
        return None if np.isnan(self.correct) else self.correct / self.samples

    @property
    def accuracy_error(self) -> float | None:
        """Standard error of the accuracy over samples, or None where unknown.

        This is the standard deviation of a binomial fraction with a flat prior, which is not zero where all samples are
        correct.
        """
        if np.isnan(self.correct):
            return None
        share = (self.correct + 1) / (self.samples + 2)
        return float(np.sqrt(share * (1 - share) / (self.samples + 3)))


@short_repr
@dataclass(slots=True)
class TrainingState:
    """State of a training run; everything that changes during the run.

    Args:
        weights: Shape (weights,).
        initial_weights: Weights at the start of the run, shape (weights,).
        optimizer_state: Arrays of the optimiser by name, each of shape (weights,).
        step: Completed steps.
        epoch: Completed epochs.
        batch: Completed batches of the current epoch.
        shots: Shots used, evaluations included.
        circuits: Bound circuits run, evaluations included.
        seconds: Wall time in seconds, without the time between stop and resume.
        records: Number of records given to the callbacks; zero until the check before the first step is complete.
        metrics_bytes: Length in bytes of the metrics file that belongs to this state.
        tally: Sums over the current epoch.
        signal: Signal and noise of the last gradients.
        step_shots: Current nudge and shots, or None where they never change.
        warm_starts: Warm-start arrays of the training samples by name, samples on the first axis; NaN for samples that
            were not prepared yet.
        calibrations: Readout calibrations that are still valid, by name.
        scatter: Scatter of the replicates of recent steps.
        monitor: Sums that show whether gradients exceed their noise.
        warnings: Warnings given so far.
        request_log: Answers to the requests of the current step; empty between steps.
        ending: Whether a callback has ended the run before its last epoch.
        notes: What callbacks keep in the checkpoint, by their names: values for JSON.
    """

    weights: NDArray[np.float64]
    initial_weights: NDArray[np.float64]
    optimizer_state: dict[str, NDArray[np.float64]]
    step: int = 0
    epoch: int = 0
    batch: int = 0
    shots: int = 0
    circuits: int = 0
    seconds: float = 0.0
    records: int = 0
    metrics_bytes: int = 0
    tally: EpochTally = field(default_factory=EpochTally)
    signal: SignalTally = field(default_factory=SignalTally)
    step_shots: StepShots | None = None
    warm_starts: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    calibrations: dict[str, ReadoutErrorModel] = field(default_factory=dict)
    scatter: ScatterTally = field(default_factory=ScatterTally)
    monitor: GradientMonitor = field(default_factory=GradientMonitor)
    warnings: WarningLog = field(default_factory=WarningLog)
    request_log: RequestLog = field(default_factory=list)
    ending: Ending = "no"
    notes: dict[str, Any] = field(default_factory=dict)


_PARTS: dict[str, type[Any]] = {
    "tally": EpochTally,
    "signal": SignalTally,
    "scatter": ScatterTally,
    "monitor": GradientMonitor,
}


class _OtherFormatError(Exception):
    """A checkpoint is whole, and written in another format."""


def save_state(path: Path, state: TrainingState, belongs_to: str) -> None:
    """Write a checkpoint atomically.

    Args:
        path: File to write.
        state: State to save.
        belongs_to: Fingerprint of the configuration and data of the run.
    """
    request_log, answers = pack_request_log(state.request_log)
    meta = {
        "format": _FORMAT,
        "request_log": request_log,
        "belongs_to": belongs_to,
        "step_shots": None if state.step_shots is None else state.step_shots.record(),
        "warnings": state.warnings.record(),
        "ending": state.ending,
        "notes": state.notes,
        **{name: getattr(state, name).record() for name in _PARTS},
        **{name: getattr(state, name) for name in _COUNTERS},
    }
    arrays = {f"optimizer_{name}": array for name, array in state.optimizer_state.items()}
    arrays |= {f"warm_start_{name}": array for name, array in state.warm_starts.items()}
    for name, errors in state.calibrations.items():
        arrays |= {f"{kind}_{name}": array for kind, array in errors.arrays().items()}
    buffer = BytesIO()
    np.savez(
        buffer,
        meta=np.array(json.dumps(meta)),
        weights=state.weights,
        initial_weights=state.initial_weights,
        **arrays,  # type: ignore[arg-type]
        **answers,  # type: ignore[arg-type]
    )
    content = buffer.getvalue()
    write_atomically(path, content + hashlib.sha256(content).digest())


def load_state(path: Path, belongs_to: str) -> TrainingState:
    """Read a checkpoint.

    Args:
        path: File to read.
        belongs_to: Expected fingerprint of configuration and data.

    Raises:
        RunFolderError: The file is missing, damaged, written in another format or for another run.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise RunFolderError(f"{path}: there is no checkpoint here; is this the folder of a run?") from error
    except OSError as error:
        raise RunFolderError(f"{path}: the checkpoint cannot be read ({error.strerror})") from error
    try:
        state, meta = _parse(content)
    except _OtherFormatError as error:
        raise RunFolderError(
            f"{path}: the checkpoint has {error}; use the version that wrote it, or start the run anew"
        ) from None
    except Exception as error:  # zip and numpy raise more than a dozen kinds over damaged bytes
        raise RunFolderError(
            f"{path}: the checkpoint is damaged ({_in_one_line(error)}); start the run anew"
        ) from error
    if meta["belongs_to"] != belongs_to:
        raise RunFolderError(
            f"{path}: was written for another configuration or other data than config.json and data.npz hold now; "
            "these parts do not belong together"
        )
    return state


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _parse(content: bytes) -> tuple[TrainingState, dict[str, Any]]:
    content, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise ValueError("its checksum does not match")
    arrays = arrays_of(content)
    meta = json.loads(str(arrays.pop("meta")))
    if meta["format"] != _FORMAT:
        raise _OtherFormatError(f"format {meta['format']}, and this version reads {_FORMAT}")
    counters = {name: _checked_counter(name, meta[name]) for name in _COUNTERS}
    parts = {name: kind.from_record(meta[name]) for name, kind in _PARTS.items()}
    weights = _checked_vector("weights", arrays.pop("weights"))
    state = TrainingState(
        weights=weights,
        initial_weights=_checked_vector("initial_weights", arrays.pop("initial_weights"), len(weights)),
        optimizer_state={
            name: _checked_vector(name, array, len(weights)) for name, array in _named(arrays, "optimizer_").items()
        },
        step_shots=None if meta["step_shots"] is None else StepShots.from_record(meta["step_shots"]),
        warm_starts=_named(arrays, "warm_start_"),
        calibrations=_calibrations(arrays),
        warnings=WarningLog.from_record(meta["warnings"]),
        request_log=unpack_request_log(meta["request_log"], arrays),
        ending=_checked_ending(meta["ending"]),
        notes=dict(meta["notes"]),
        **counters,
        **parts,
    )
    return state, meta


def _calibrations(arrays: dict[str, NDArray]) -> dict[str, ReadoutErrorModel]:
    found: dict[str, ReadoutErrorModel] = {
        name: ReadoutErrors(flip_probabilities=array) for name, array in _named(arrays, "calibration_").items()
    }
    for name, strings in _named(arrays, "twirled_strings_").items():
        found[name] = TwirledErrors(strings=strings, frequencies=arrays[f"twirled_frequencies_{name}"])
    return found


def _named(arrays: dict[str, NDArray], prefix: str) -> dict[str, NDArray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _checked_ending(found: Any) -> Ending:
    if found not in get_args(Ending):
        raise ValueError(f"ending is {found!r}")
    return found


def _checked_counter(name: str, value: Any) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole or (name == "seconds" and isinstance(value, float))) or not value >= 0:
        raise ValueError(f"{name} is {value!r}")
    return value


def _checked_vector(name: str, array: NDArray, length: int | None = None) -> NDArray[np.float64]:
    fits = array.dtype == np.float64 and array.ndim == 1 and (length is None or len(array) == length)
    if not fits or not np.isfinite(array).all():
        raise ValueError(
            f"{name} is not a vector of {'finite numbers' if length is None else amount(length, 'number')}"
        )
    return array
