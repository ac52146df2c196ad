"""The training loop.

The loop measures a gradient, updates the weights and records both. Logging, checkpoints and figures are callbacks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import whole_number
from qep_qiskit.core.errors import ConfigError, PausedError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.execution import Executor, Request, RequestKey, ShotData, answered
from qep_qiskit.learning.callback import Callback, Outcome
from qep_qiskit.learning.evaluation import Evaluation, count_correct, evaluation
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.records import Record, epoch_values, json_number, pilot_values, step_values
from qep_qiskit.learning.request_log import kept
from qep_qiskit.learning.shot_schedule import ShotSchedule, StepShots
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.learning.step_check import check_estimate, check_moved, naming_step
from qep_qiskit.learning.task_check import check_task, warn_of_inputs
from qep_qiskit.learning.update import Update
from qep_qiskit.learning.warm_starts import nearest_warm_start, store_warm_start
from qep_qiskit.measurement import Calibrations, MeasurementCoroutine, Result, completed
from qep_qiskit.preparation import WarmStartArrays
from qep_qiskit.tasks import Dataset, Task


class _Stopped(Exception):  # noqa: N818
    """Raised when a stop was requested; all work done so far is in the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Length of a training run and when it is evaluated.

    Args:
        epochs: Passes over the training samples.
        batch_size: Samples per step.
        evaluate_every: Epochs between evaluations on the test set; 0 evaluates after the last epoch only.
        evaluate_final: Whether the cost of the training samples is measured again with the final weights.

    Raises:
        ConfigError: A number is out of range.

    Example:
        >>> qep.TrainingSettings(epochs=10, batch_size=4).is_test_due(10)
        True
    """

    epochs: int = 20
    batch_size: int = 16
    evaluate_every: int = 1
    evaluate_final: bool = True

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("evaluate_every", 0)):
            whole_number(f"training.{name}", getattr(self, name), least)

    def is_test_due(self, epoch: int) -> bool:
        """Return whether the test set is evaluated after `epoch` epochs (0: before the first)."""
        return epoch == self.epochs or (self.evaluate_every > 0 and epoch % self.evaluate_every == 0)

    def is_final_evaluation_due(self, epoch: int) -> bool:
        """Return whether the training samples are measured again after `epoch` epochs."""
        return self.evaluate_final and epoch == self.epochs


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Evaluations:
    """Evaluations of the current weights on the training and the test samples, None where not measured."""

    train: Evaluation | None
    test: Evaluation | None


@short_repr
@dataclass(kw_only=True)
class Trainer:
    """Trains the weights of a network by gradient descent on measured gradients.

    All that changes during a run is in `state`, so a run continues from a saved state.

    Args:
        estimator: Measures gradients.
        executor: Runs the circuits.
        update: Changes the weights by a gradient.
        task: Training and test samples, with scaled inputs.
        settings: Length of the run.
        seeds: Root of all random streams.
        policy: Chooses nudge and shots during the run; by default those of the estimator do not change.
        callbacks: Called in this order.
        state: State to continue from; a new run by default.
        task_is_checked: Whether `check_task` was already called for this task.
        stop_requested: Whether the run stops at the next opportunity; set by `request_stop`.
        job_note: Message about the job that the run waited for when the executor paused; set by `run`.

    Raises:
        ConfigError: A callback does not derive from `Callback`.
        DataError: The samples do not fit the network or the cost.
        NetworkError: The loss cannot be used, or weights of the state are outside their bounds.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.from_operator(SparsePauliOp("ZI")))
        >>> exact, contrast = qep.ExactPreparation(), qep.Contrast(beta=0.01)
        >>> trainer = qep.Trainer(
        ...     estimator=qep.GradientEstimator(hamiltonian=problem, preparation=exact, contrast=contrast, shots=None),
        ...     executor=qep.VectorExecutor(qep.Seeds(0)),
        ...     update=qep.Update(),
        ...     task=qep.no_data_task(),
        ...     settings=qep.TrainingSettings(epochs=3, batch_size=1),
        ...     seeds=qep.Seeds(0),
        ... )
        >>> trainer.run()
        'finished'
    """

    estimator: GradientEstimator
    executor: Executor
    update: Update
    task: Task
    settings: TrainingSettings
    seeds: Seeds
    policy: ShotSchedule = field(default_factory=ShotSchedule)
    callbacks: Sequence[Callback] = ()
    state: TrainingState = field(default=None)  # type: ignore[assignment]
    task_is_checked: bool = False
    stop_requested: bool = False
    job_note: str = ""

    def __post_init__(self) -> None:
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"callbacks: expected objects of classes that derive from Callback, got {callback!r}")
        layout = self.estimator.hamiltonian.network.layout
        if self.state is None:
            start = layout.initial(self.seeds)
            self.state = TrainingState(
                weights=start, initial_weights=start.copy(), optimizer_state=self.update.optimizer.start(len(start))
            )
        if self.policy.active and self.state.step_shots is None:
            self.state.step_shots = self.policy.start(self.estimator)
        layout.check_within_bounds(layout.checked(self.state.weights))
        self._layout = layout
        self._trainable, self._bounds = layout.trainable(), layout.bounds()
        self._shown: set[tuple[str, str]] = set()
        if not self.task_is_checked:
            check_task(self.estimator.hamiltonian, self.task)
            warn_of_inputs(self.estimator.hamiltonian, self.state.initial_weights, self.task.train.inputs)
        self._resumed_at, self._resumed_seconds = time.monotonic(), self.state.seconds

    @property
    def current_estimator(self) -> GradientEstimator:
        """Estimator with the current nudge and shots."""
        return StepShots.of(self.estimator, self.state.step_shots)

    @property
    def weights(self) -> NDArray[np.float64]:
        """Current weights, shape (weights,)."""
        return self.state.weights

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch; the last one may be smaller."""
        return -(-self.task.train.num_samples // self.settings.batch_size)

    @property
    def total_steps(self) -> int:
        """Number of steps in the whole run."""
        return self.steps_per_epoch * self.settings.epochs

    def request_stop(self) -> None:
        """Stop after the current request, or while the run waits for its job; all results so far are kept.

        `job_note` then says whether the job continues on the device.
        """
        self.stop_requested = True

    def run(self) -> Outcome:
        """Train to the end, or until a stop is requested or the executor pauses.

        Returns:
            ``"finished"``, or ``"stopped"`` where a stop was requested or the executor paused.

        Raises:
            QepError: A step failed; the results of earlier steps are kept.
        """
        outcome: Outcome = "stopped"
        try:
            if self.state.step == 0 and self.state.epoch == 0 and self.state.metrics_bytes == 0:
                self._first_check()
            while self.state.epoch < self.settings.epochs:
                self._epoch()
            outcome = "finished"
        except _Stopped:
            pass
        except PausedError as pause:
            self.job_note = str(pause)
        except OSError:
            outcome = "broken"  # a checkpoint must not count records that could not be written
            raise
        finally:
            self.state.seconds = self._seconds()
            for callback in self.callbacks:
                callback.on_end(self, outcome)
        return outcome

    @contextmanager
    def _counting(self, step: int) -> Iterator[WarningLog]:
        """Add the warnings of a block to the state when the block is complete.

        A block that is interrupted gives its warnings when it is repeated.
        """
        found = WarningLog()
        with counting_warnings(found, self._shown):
            yield found
        self.state.warnings.merge(found, step=step, epoch=self.state.epoch)

    def _drive(self, work: MeasurementCoroutine[Result]) -> Result:
        """Run a measurement coroutine, with the logged answers first if it was interrupted before."""
        numbers = count()
        result = completed(work, lambda request: self._answer(request, next(numbers)))
        self.state.request_log = []
        return result

    def _answer(self, request: Request, number: int) -> ShotData:
        """Return the answer to a request from the request log, or measure it and add it to the log."""
        request_log = self.state.request_log
        known = number < len(request_log)
        written = request_log[number] if known else None
        if written is not None:
            return written
        if not known:
            self._stop_if_requested()
        answer = answered(self.executor, request)
        if not known:
            request_log.append(kept(answer))
            self.state.shots += request.num_shots
            self.state.circuits += request.num_circuits
            for callback in self.callbacks:
                callback.on_request(self)
        return answer

    def _stop_if_requested(self) -> None:
        if self.stop_requested:
            raise _Stopped

    def _epoch(self) -> None:
        state, data = self.state, self.task.train
        order = self.seeds.generator("order", state.epoch).permutation(data.num_samples)
        self._run_pilot(order[: self.settings.batch_size])
        while state.batch < self.steps_per_epoch:
            self._stop_if_requested()
            start = state.batch * self.settings.batch_size
            self._step(order[start : start + self.settings.batch_size])
        self._stop_if_requested()
        with self._counting(state.step):
            found = self._drive(self._final_evaluation(state.epoch + 1, dict(state.calibrations)))
        state.epoch, state.batch = state.epoch + 1, 0
        mitigation = self.estimator.mitigation
        if mitigation is not None and mitigation.is_due(state.epoch):
            state.calibrations = {}
        tally, state.tally = state.tally, EpochTally()
        self._finish_epoch(tally, found, "final_train")

    def _run_pilot(self, rows: NDArray[np.int64]) -> None:
        """Run a pilot measurement if one is due, and choose nudge and allocation of shots by it."""
        state, batch = self.state, self.task.train.take(rows)
        step_shots = state.step_shots
        if step_shots is None or not self.policy.is_due(step_shots, state.epoch):
            return
        self._stop_if_requested()
        calibrations = dict(state.calibrations)
        work = self.policy.run_pilot(
            step_shots,
            self.estimator,
            state.weights,
            batch.inputs,
            batch.targets,
            RequestKey("pilot", state.epoch),
            trainable=self._trainable,
            warm_start={name: array[rows] for name, array in state.warm_starts.items()},
            calibrations=calibrations,
        )
        with self._counting(state.step):
            state.step_shots, pilot = self._drive(work)
        state.calibrations = calibrations
        record = self._stamped("pilot", **pilot_values(state.step_shots, pilot))
        for callback in self.callbacks:
            callback.on_pilot(self, record)

    def _step(self, rows: NDArray[np.int64]) -> None:
        state, batch = self.state, self.task.train.take(rows)
        calibrations = dict(state.calibrations)  # a copy: the state changes only when the step is complete
        work = self.current_estimator.estimate(
            state.weights,
            batch.inputs,
            batch.targets,
            RequestKey("train", state.step),
            warm_start={name: array[rows] for name, array in state.warm_starts.items()},
            calibrations=calibrations,
        )
        with self._counting(state.step + 1) as found, naming_step(state.step + 1):
            estimate = self._drive(work)
            check_estimate(estimate, self._layout)
            scatter = state.scatter.after(estimate.scatter)
            estimate = estimate.pooled(scatter)
            monitor = state.monitor.after(
                estimate, self._trainable, per_epoch=self.steps_per_epoch, steps=self.total_steps
            )
            weights, optimizer_state = self.update.apply(
                state.weights,
                estimate.gradient,
                state.optimizer_state,
                step=state.step,
                total_steps=self.total_steps,
                trainable=self._trainable,
                bounds=self._bounds,
            )
            check_moved(weights, self._layout)
        state.calibrations, state.weights, state.optimizer_state, state.monitor = (
            calibrations,
            weights,
            optimizer_state,
            monitor,
        )
        state.scatter = scatter
        self._store_warm_start(rows, estimate.warm_start)
        state.tally.add(estimate.cost.values, estimate.cost.variances, count_correct(estimate.outputs, batch))
        state.step += 1
        state.batch += 1
        record = self._stamped(
            "step", **step_values(estimate, self._trainable, state.step_shots, found), **state.scatter.record()
        )
        if state.step_shots is not None:
            state.step_shots, state.signal = self.policy.after_step(
                state.step_shots, state.signal, estimate, self._trainable, self.estimator
            )
        for callback in self.callbacks:
            callback.on_step(self, record)

    def _first_check(self) -> None:
        """Measure cost and accuracy before the first update."""
        calibrations: Calibrations = {}

        def first_evaluations() -> MeasurementCoroutine[_Evaluations]:
            train = yield from self._evaluated("train", self.task.train, 0, {}, calibrations)
            return _Evaluations(train=train, test=(yield from self._test(0, train.warm_start, calibrations)))

        with self._counting(0):
            found = self._drive(first_evaluations())
        assert found.train is not None
        self.state.calibrations = dict(calibrations)
        self._store_warm_start(np.arange(self.task.train.num_samples), found.train.warm_start)
        self._finish_epoch(found.train.tally, found, "train")

    def _final_evaluation(self, epoch: int, calibrations: Calibrations) -> MeasurementCoroutine[_Evaluations]:
        """Evaluate the test samples where due and, after the last epoch, the training samples once more."""
        test = yield from self._test(epoch, self.state.warm_starts, calibrations)
        train = None
        if self.settings.is_final_evaluation_due(epoch):
            warm_start = self.state.warm_starts
            train = yield from self._evaluated("train", self.task.train, epoch, warm_start, calibrations)
        return _Evaluations(train=train, test=test)

    def _test(
        self, epoch: int, warm_start: WarmStartArrays, calibrations: Calibrations
    ) -> MeasurementCoroutine[Evaluation | None]:
        """Evaluate the test samples if due, with the warm start of the nearest training samples."""
        train, test = self.task.train, self.task.test
        if test is None or not self.settings.is_test_due(epoch):
            return None
        nearest = nearest_warm_start(warm_start, train.inputs, test.inputs)
        return (yield from self._evaluated("test", test, epoch, nearest, calibrations))

    def _finish_epoch(self, tally: EpochTally, _final: _Evaluations, checked_states: str) -> None:
        """Record an epoch and call the callbacks.

        Args:
            tally: Sums over the training samples, measured during the steps of the epoch.
            _final: Evaluations after the last step.
            checked_states: Prefix of the training values of `_final` in the record.
        """
        record = self._stamped(
            "epoch", **epoch_values(self.task, tally, {checked_states: _final.train, "test": _final.test})
        )
        for callback in self.callbacks:
            callback.on_epoch(self, record)

    def _evaluated(
        self, part: str, data: Dataset, epoch: int, warm_start: WarmStartArrays, calibrations: Calibrations
    ) -> MeasurementCoroutine[Evaluation]:
        """Evaluate a data set without a change of the state, so that interrupted work can be repeated."""
        purpose = f"{part}-evaluation"
        return evaluation(
            self.current_estimator,
            self.state.weights,
            data,
            purpose=purpose,
            index=epoch,
            warm_start=warm_start,
            calibrations=calibrations,
        )

    def _store_warm_start(self, rows: NDArray[np.int64], warm_start: WarmStartArrays) -> None:
        store_warm_start(self.state.warm_starts, self.task.train.num_samples, rows, warm_start)

    def _seconds(self) -> float:
        return self._resumed_seconds + time.monotonic() - self._resumed_at

    def _stamped(self, event: str, **values: object) -> Record:
        """Return a record with the counters of the run; only `seconds` differs when a run is repeated."""
        state = self.state
        state.seconds = self._seconds()
        return {
            "event": event,
            "step": state.step,
            "epoch": state.epoch,
            **{name: json_number(value) for name, value in values.items()},
            "shots": state.shots,
            "circuits": state.circuits,
            "seconds": round(state.seconds, 3),
        }
