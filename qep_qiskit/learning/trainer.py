"""The training loop.

The loop measures a gradient, updates the weights and records both. Logging, checkpoints and figures are callbacks.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, PausedError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.execution import Executor, Request, RequestKey, StatevectorExecutor
from qep_qiskit.learning.callback import Callback
from qep_qiskit.learning.epoch_evaluations import EpochEvaluations, epoch_evaluations
from qep_qiskit.learning.evaluation import count_correct
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_batch import GradientBatch
from qep_qiskit.learning.records import (
    Outcome,
    Record,
    epoch_values,
    evaluation_values,
    pilot_values,
    stamped,
    step_values,
)
from qep_qiskit.learning.request_log import completed_with_log
from qep_qiskit.learning.run_progress import RunProgress
from qep_qiskit.learning.shot_schedule import ShotSchedule, StepShots
from qep_qiskit.learning.state import EpochTally, TrainingState
from qep_qiskit.learning.step_check import check_estimate, check_moved, naming_step
from qep_qiskit.learning.task_check import check_task, warn_of_certain_outputs, warn_of_inputs
from qep_qiskit.learning.training_settings import TrainingSettings
from qep_qiskit.learning.update import UpdateRule
from qep_qiskit.learning.warm_starts import store_warm_start
from qep_qiskit.measurement import Calibrations, MeasurementCoroutine, Result
from qep_qiskit.tasks import Task


class _Stopped(Exception):  # noqa: N818
    """Raised when a stop was requested; all work done so far is in the state."""


@short_repr
@dataclass(kw_only=True)
class Trainer:
    """Trains the weights of a network by gradient descent on measured gradients.

    All that changes during a run is in `state`, so a run continues from a saved state.

    Args:
        estimator: Measures gradients.
        executor: Runs the circuits; an ideal simulation by default.
        update: Says what is measured in a step, and moves the weights.
        task: Training and test samples, with scaled inputs.
        settings: Length of the run.
        seeds: Root of all random streams.
        policy: Chooses nudge and shots during the run; by default those of the estimator do not change.
        callbacks: Called in this order.
        state: State to continue from; a new run by default.
        task_is_checked: Whether `check_task` was already called for this task.
        stop_requested: Whether the run stops at the next opportunity; set by `request_stop`.
        progress: Whether a notebook shows how far the run is.
        job_note: Message about the job that the run waited for when the executor paused; set by `run`.
        evaluations: Last evaluations of whole sets of samples, None before the first; set by `run`.

    Raises:
        ConfigError: A callback does not derive from `Callback`, or the update does not go with the estimator.
        DataError: The samples do not fit the network or the cost.
        NetworkError: The loss cannot be used, or weights of the state are outside their bounds.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,))
        >>> problem = qep.NudgedHamiltonian(network, qep.OperatorCost.from_operator(SparsePauliOp("ZI")))
        >>> exact, contrast = qep.ExactPreparation(), qep.Contrast(beta=0.01)
        >>> trainer = qep.Trainer(
        ...     estimator=qep.GradientEstimator(hamiltonian=problem, preparation=exact, contrast=contrast, shots=None),
        ...     update=qep.Update(),
        ...     task=qep.no_data_task(),
        ...     settings=qep.TrainingSettings(epochs=3, batch_size=1),
        ...     seeds=qep.Seeds(0),
        ... )
        >>> trainer.run()
        'finished'
    """

    estimator: GradientEstimator
    executor: Executor = field(default=None)  # type: ignore[assignment]
    update: UpdateRule
    task: Task
    settings: TrainingSettings
    seeds: Seeds
    policy: ShotSchedule = field(default_factory=ShotSchedule)
    callbacks: Sequence[Callback] = ()
    state: TrainingState = field(default=None)  # type: ignore[assignment]
    task_is_checked: bool = False
    stop_requested: bool = False
    progress: bool = True
    job_note: str = ""
    evaluations: EpochEvaluations | None = None

    def __post_init__(self) -> None:
        for callback in self.callbacks:
            if not isinstance(callback, Callback):
                raise ConfigError(f"callbacks: expected objects of classes that derive from Callback, got {callback!r}")
        if self.executor is None:
            self.executor = StatevectorExecutor(self.seeds)
        self.update.check(self.estimator)
        layout = self.estimator.hamiltonian.network.layout
        if self.state is None:
            start = layout.initial(self.seeds)
            self.state = TrainingState(
                weights=start, initial_weights=start.copy(), optimizer_state=self.update.start(len(start))
            )
        if self.policy.active and self.state.step_shots is None:
            self.state.step_shots = self.policy.start(self.estimator)
        layout.check_within_bounds(layout.checked(self.state.weights))
        self._layout = layout
        self._trainable = layout.trainable()
        self._shown: set[tuple[str, str]] = set()
        self._progress = RunProgress(self.total_steps, self.settings.epochs, self.state.step, shown=False)
        if not self.task_is_checked:
            check_task(self.estimator.hamiltonian, self.task)
            warn_of_inputs(self.estimator.hamiltonian, self.state.initial_weights, self.task.train.inputs)
            warn_of_certain_outputs(self.estimator, self.task.train.targets)
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

    @property
    def decay_steps(self) -> int:
        """Number of steps over which the learning rate decays."""
        return self.steps_per_epoch * (self.settings.decay_epochs or self.settings.epochs)

    def request_stop(self) -> None:
        """Stop after the current request, or while the run waits for its job; all results so far are kept.

        `job_note` then says whether the job continues on the device.
        """
        self.stop_requested = True

    def finish(self) -> None:
        """End the run after this epoch, as if it had been the last one; `EarlyStopping` does.

        A callback may set other weights in `state` before. All samples are then measured with the final weights.
        """
        if self.state.ending == "no":
            self.state.ending = "due"

    def run(self) -> Outcome:
        """Train to the end, or until a stop is requested or the executor pauses.

        Returns:
            ``"finished"``, or ``"stopped"`` where a stop was requested or the executor paused.

        Raises:
            QepError: A step failed; the results of earlier steps are kept.
        """
        outcome: Outcome = "stopped"
        steps, epochs = self.total_steps, self.settings.epochs
        self._progress = RunProgress(steps, epochs, self.state.step, shown=self.progress)
        try:
            if self.state.records == 0:
                self._first_check()
            while self.state.ending == "no" and self.state.epoch < self.settings.epochs:
                self._epoch()
            if self.state.ending == "due":
                self._last_check()
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
            self._progress.close(self.state)
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
        result = completed_with_log(
            work, self.state.request_log, self.executor, before=self._stop_if_requested, after=self._count
        )
        self.state.request_log = []
        return result

    def _count(self, request: Request) -> None:
        self.state.shots += request.num_shots
        self.state.circuits += request.num_circuits
        self._progress.update(self.state)
        for callback in self.callbacks:
            callback.on_request(self)

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
            found = self._drive(self._evaluations(state.epoch + 1, dict(state.calibrations)))
        state.epoch, state.batch = state.epoch + 1, 0
        mitigation = self.estimator.mitigation
        if mitigation is not None and mitigation.is_due(state.epoch):
            state.calibrations = {}
        tally, state.tally = state.tally, EpochTally()
        self._finish_epoch(tally, found, "final_train")

    def _run_pilot(self, rows: NDArray[np.int64]) -> None:
        """Run a pilot measurement if one is due, and choose nudge and allocation of shots by it."""
        state, step_shots = self.state, self.state.step_shots
        if step_shots is None or not self.policy.is_due(step_shots, state.epoch):
            return
        self._stop_if_requested()
        calibrations = dict(state.calibrations)
        batch = self._batch(rows, RequestKey("pilot", state.epoch), calibrations)
        work = self.policy.run_pilot(step_shots, self.estimator, batch, self._trainable)
        with self._counting(state.step):
            state.step_shots, pilot = self._drive(work)
        state.calibrations = calibrations
        record = self._stamped("pilot", **pilot_values(state.step_shots, pilot))
        for callback in self.callbacks:
            callback.on_pilot(self, record)

    def _batch(self, rows: NDArray[np.int64], key: RequestKey, calibrations: Calibrations) -> GradientBatch:
        """Return training samples with the current weights, and what is known of their states."""
        state, data = self.state, self.task.train
        return GradientBatch(
            weights=state.weights,
            inputs=data.inputs[rows],
            targets=data.targets[rows],
            key=key,
            warm_start={name: array[rows] for name, array in state.warm_starts.items()},
            calibrations=calibrations,
        )

    def _step(self, rows: NDArray[np.int64]) -> None:
        state, data = self.state, self.task.train
        calibrations = dict(state.calibrations)  # a copy: the state changes only when the step is complete
        batch = self._batch(rows, RequestKey("train", state.step), calibrations)
        work = self.update.estimate(self.current_estimator, batch)
        with self._counting(state.step + 1) as found, naming_step(state.step + 1):
            estimate = self._drive(work)
            check_estimate(estimate, self._layout)
            scatter = state.scatter.after(estimate.scatter)
            estimate = estimate.pooled(scatter)
            monitor = state.monitor.after(
                estimate, self._trainable, per_epoch=self.steps_per_epoch, steps=self.total_steps
            )
            weights, optimizer_state = self.update.moved(
                state.weights,
                estimate,
                state.optimizer_state,
                step=state.step,
                total_steps=self.decay_steps,
                layout=self._layout,
            )
            check_moved(weights, self._layout)
        state.weights, state.optimizer_state = weights, optimizer_state
        state.calibrations, state.monitor, state.scatter = calibrations, monitor, scatter
        store_warm_start(state.warm_starts, data.num_samples, rows, estimate.warm_start)
        correct = count_correct(self.estimator.hamiltonian.cost, estimate.outputs, data, rows)
        state.tally.add(estimate.cost.values, estimate.cost.variances, correct)
        state.step += 1
        state.batch += 1
        record = self._stamped(
            "step", **step_values(estimate, self._trainable, state.step_shots, found), **state.scatter.summary()
        )
        if state.step_shots is not None:
            state.step_shots, state.signal = self.policy.after_step(
                state.step_shots, state.signal, estimate, self._trainable, self.estimator
            )
        self._progress.update(self.state)
        for callback in self.callbacks:
            callback.on_step(self, record)

    def _first_check(self) -> None:
        """Measure cost and accuracy before the first update."""
        calibrations: Calibrations = {}
        with self._counting(0):
            found = self._drive(self._evaluations(0, calibrations))
        assert found.train is not None
        self.state.calibrations = dict(calibrations)
        samples = self.task.train.num_samples
        store_warm_start(self.state.warm_starts, samples, np.arange(samples), found.train.warm_start)
        self._finish_epoch(found.train.tally, found, "train")

    def _last_check(self) -> None:
        """Measure all samples with the weights that the callback which has ended the run has left."""
        self._stop_if_requested()
        state = self.state
        with self._counting(state.step):
            self.evaluations = found = self._drive(self._evaluations(state.epoch, dict(state.calibrations), ended=True))
        state.ending = "done"
        parts = {"final_train": found.train, "test": found.test}
        record = self._stamped("final", **evaluation_values(self.task, parts))
        for callback in self.callbacks:
            callback.on_final(self, record)

    def _evaluations(
        self, epoch: int, calibrations: Calibrations, *, ended: bool = False
    ) -> MeasurementCoroutine[EpochEvaluations]:
        """Evaluate what is due after an epoch, without a change of the state, so that it can be repeated."""
        return epoch_evaluations(
            self.current_estimator,
            self.state.weights,
            self.task,
            self.settings,
            epoch,
            warm_starts=self.state.warm_starts,
            calibrations=calibrations,
            ended=ended,
        )

    def _finish_epoch(self, tally: EpochTally, found: EpochEvaluations, part: str) -> None:
        """Record an epoch and call the callbacks.

        Args:
            tally: Sums over the training samples, measured during the steps of the epoch.
            found: Evaluations after the last step.
            part: Prefix of the training values of `found` in the record.
        """
        self.evaluations = found
        values = epoch_values(self.task, tally, {part: found.train, "test": found.test})
        train, test = values["train_accuracy"], values["test_accuracy"]
        self._progress.update(self.state, train if test is None else test)
        record = self._stamped("epoch", **values)
        for callback in self.callbacks:
            callback.on_epoch(self, record)

    def _seconds(self) -> float:
        return self._resumed_seconds + time.monotonic() - self._resumed_at

    def _stamped(self, event: str, **values: object) -> Record:
        self.state.seconds = self._seconds()
        self.state.records += 1
        return stamped(self.state, event, values)
