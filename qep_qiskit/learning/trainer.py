"""The training loop, and nothing else: everything that looks on is a callback."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import ConfigError, DataError
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.learning.evaluation import Evaluation, count_correct, evaluate
from qep_qiskit.learning.gradient import GradientEstimate, GradientEstimator
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.learning.update import Update
from qep_qiskit.measurement import Usage, drive
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import Dataset, Task

__all__ = ["Callback", "Record", "Trainer", "TrainingSettings"]

Record = Mapping[str, object]
Outcome = Literal["finished", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Length of a run.

    Args:
        epochs: Passes over the training samples.
        batch_size: Samples per step.
        evaluate_every: Epochs between evaluations on the test set; 0 for none but the last.

    Raises:
        ConfigError: A number is out of range.
    """

    epochs: int = 20
    batch_size: int = 16
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("evaluate_every", 0)):
            if getattr(self, name) < least:
                raise ConfigError(f"training.{name}: expected at least {least}, got {getattr(self, name)}")


class Callback(Protocol):
    """Looks on while a trainer works. Records are plain mappings, ready to be written as JSON."""

    def on_step(self, trainer: Trainer, record: Record) -> None:
        """After every update of the weights."""
        ...

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """After every epoch, and once before the first (epoch 0)."""
        ...

    def on_end(self, trainer: Trainer, outcome: Outcome) -> None:
        """When the run is finished or stopped."""
        ...


@dataclass(kw_only=True)
class Trainer:
    """Trains a network; the only mutable thing of a run is its `state`.

    Args:
        estimator: Measures gradients.
        executor: Runs requests.
        update: Moves the weights.
        task: Training and test samples, inputs scaled.
        settings: Length of the run.
        seeds: Root of the random streams.
        callbacks: Look on, in this order.
        state: Where to go on from; a new run by default.
    """

    estimator: GradientEstimator
    executor: Executor
    update: Update
    task: Task
    settings: TrainingSettings
    seeds: Seeds
    callbacks: Sequence[Callback] = ()
    state: TrainingState = field(default=None)  # type: ignore[assignment]
    stop_requested: bool = False

    def __post_init__(self) -> None:
        layout = self.estimator.hamiltonian.network.layout
        if self.state is None:
            start = layout.initial(self.seeds)
            self.state = TrainingState(
                weights=start, initial_weights=start.copy(), memory=self.update.optimizer.start(len(start))
            )
        self._trainable, self._bounds = layout.trainable(), layout.bounds()
        self._check_task()
        self._resumed_at, self._resumed_seconds = time.monotonic(), self.state.seconds

    def _check_task(self) -> None:
        network, data = self.estimator.hamiltonian.network, self.task.train
        if data.num_inputs != network.num_inputs:
            raise DataError(f"task: samples have {data.num_inputs} inputs, the network takes {network.num_inputs}")
        readout = self.estimator.hamiltonian.readout
        if data.num_targets and readout is not None and data.num_targets != len(readout[0]):
            raise DataError(
                f"task: samples have {data.num_targets} targets, the network has {len(readout[0])} outputs; "
                "set network.outputs to as many spins"
            )

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights as they are now, shape (weights,)."""
        return self.state.weights

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one may be smaller."""
        return -(-self.task.train.num_samples // self.settings.batch_size)

    @property
    def total_steps(self) -> int:
        """Steps in the whole run."""
        return self.steps_per_epoch * self.settings.epochs

    def request_stop(self) -> None:
        """Stop after the current step; everything done so far is kept."""
        self.stop_requested = True

    def run(self) -> Outcome:
        """Train to the end, or until a stop is requested."""
        if self.state.step == 0 and self.state.epoch == 0 and self.state.metrics_bytes == 0:
            self._finish_epoch(self._first_look())
        while self.state.epoch < self.settings.epochs and not self.stop_requested:
            self._epoch()
        outcome: Outcome = "finished" if self.state.epoch >= self.settings.epochs else "stopped"
        self.state.seconds = self._seconds()
        for callback in self.callbacks:
            callback.on_end(self, outcome)
        return outcome

    def _epoch(self) -> None:
        state, data = self.state, self.task.train
        order = self.seeds.generator("order", state.epoch).permutation(data.num_samples)
        while state.batch < self.steps_per_epoch:
            if self.stop_requested:
                return
            start = state.batch * self.settings.batch_size
            self._step(data.take(order[start : start + self.settings.batch_size]))
        state.epoch, state.batch = state.epoch + 1, 0
        tally, state.tally = state.tally, EpochTally()
        self._finish_epoch(tally)

    def _step(self, batch: Dataset) -> None:
        state = self.state
        work = self.estimator.estimate(state.weights, batch.inputs, batch.targets, RequestKey("train", state.step))
        estimate, usage = drive(work, self.executor)
        state.weights, state.memory = self.update.apply(
            state.weights,
            estimate.gradient,
            state.memory,
            step=state.step,
            total_steps=self.total_steps,
            trainable=self._trainable,
            bounds=self._bounds,
        )
        state.tally.add(estimate.cost.values, estimate.cost.variances, count_correct(estimate.outputs, batch))
        state.step += 1
        state.batch += 1
        self._count(usage)
        record = self._step_record(estimate)
        for callback in self.callbacks:
            callback.on_step(self, record)

    def _step_record(self, estimate: GradientEstimate) -> Record:
        return self._stamped(
            "step",
            loss=estimate.cost.mean,
            loss_se=estimate.cost.standard_error,
            gradient_norm=float(np.linalg.norm(estimate.gradient[self._trainable])),
            gradient_noise=float(np.sqrt(np.maximum(estimate.variance[self._trainable], 0.0).sum())),
            **estimate.diagnostics.record(),
        )

    def _first_look(self) -> EpochTally:
        """Cost and accuracy on the training samples before the first update."""
        return self._evaluate(self.task.train, "train-evaluation").tally

    def _finish_epoch(self, train: EpochTally) -> None:
        every, epoch = self.settings.evaluate_every, self.state.epoch
        last = epoch == self.settings.epochs
        due = last or (every > 0 and epoch % every == 0)
        test = self._evaluate(self.task.test, "test-evaluation").tally if due and self.task.test else None
        record = self._stamped("epoch", **_named("train", train), **_named("test", test))
        for callback in self.callbacks:
            callback.on_epoch(self, record)

    def _evaluate(self, data: Dataset, purpose: str) -> Evaluation:
        found = evaluate(
            self.estimator, self.executor, self.state.weights, data, purpose=purpose, index=self.state.epoch
        )
        self._count(found.usage)
        return found

    def _count(self, usage: Usage) -> None:
        self.state.shots += usage.shots
        self.state.circuits += usage.circuits

    def _seconds(self) -> float:
        return self._resumed_seconds + time.monotonic() - self._resumed_at

    def _stamped(self, event: str, **values: object) -> Record:
        """A record with the counters of the run; `seconds` is the only value that a rerun would not repeat."""
        state = self.state
        state.seconds = self._seconds()
        return {
            "event": event,
            "step": state.step,
            "epoch": state.epoch,
            **{name: _json_number(value) for name, value in values.items()},
            "shots": state.shots,
            "circuits": state.circuits,
            "seconds": round(state.seconds, 3),
        }


def _named(part: str, tally: EpochTally | None) -> dict[str, float | None]:
    return {
        f"{part}_loss": None if tally is None else tally.mean_cost,
        f"{part}_loss_se": None if tally is None else tally.cost_error,
        f"{part}_accuracy": None if tally is None else tally.accuracy,
        f"{part}_accuracy_se": None if tally is None else tally.accuracy_error,
    }


def _json_number(value: object) -> object:
    """NaN and infinities have no place in JSON: they become null."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
