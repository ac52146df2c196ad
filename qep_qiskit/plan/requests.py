"""The requests that a run makes to a device, recorded from the same run in an ideal simulation.

The trainer itself runs on the statevector engine, and every request is recorded, so that the estimate and the run have
the same requests. Beyond 20 qubits requests are answered with random bits: few depend on what was measured. Epochs with
equal requests are simulated once. Of the steps of an epoch only the first, one in between and the last are simulated;
the last may have fewer samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

import numpy as np

from qep_qiskit.config import Experiment
from qep_qiskit.core.errors import ConfigError, QepWarning
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import (
    Executor,
    GroupMeasurement,
    JobHandle,
    Request,
    RequestKey,
    ShotData,
    StatevectorExecutor,
)
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.sampling import LocalExecutor
from qep_qiskit.learning import Callback, Record, Trainer, TrainingState
from qep_qiskit.learning.agnostic import FIRST_STAGE
from qep_qiskit.outcomes import BitMemory, Outcomes
from qep_qiskit.outcomes.states import CalibrationStates, ProgramStates

_DRIVEN_STEPS = 3
_MOST_SIMULATED_QUBITS = 20
_STEP = "train"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Circuits of a job that are measured in one group and belong to one phase.

    Args:
        group: The group.
        phase: ``"free"``, ``"+beta"`` and so on in a step; otherwise the purpose of the job.
        circuits: Number of bound circuits.
        executions: Sum of shots over the circuits.
        sent: Executions on a device, where all circuits of a job have the same number of shots and calibration circuits
            are repeated to reach theirs.
        folding: Odd number of times that each two-qubit gate is executed.
        calibrates: Whether the circuits belong to a readout calibration.
    """

    group: CommutingGroup
    phase: str
    circuits: int
    executions: int
    sent: int
    folding: int = 1
    calibrates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One request: one job on a device, or one job for each number of shots.

    Args:
        request: The request.
        batches: The measured circuits.
        times: How often the run makes this request.
    """

    request: Request
    batches: tuple[Batch, ...]
    times: int = 1

    @property
    def key(self) -> RequestKey:
        """Purpose of the request, such as ``"train"`` or ``"pilot"``, with its place in the run."""
        return self.request.key

    @property
    def program(self) -> LayerProgram:
        """Program that prepares the states."""
        return self.request.prepared.as_circuits().program

    @property
    def circuits(self) -> int:
        """Number of bound circuits of one request."""
        return sum(batch.circuits for batch in self.batches)

    @property
    def executions(self) -> int:
        """Sum of shots over the circuits of one request."""
        return sum(batch.executions for batch in self.batches)

    @property
    def jobs(self) -> int:
        """Number of device jobs of one request: circuits of one job have the same number of shots."""
        return len({batch.executions // batch.circuits for batch in self.without_calibration.batches})

    @property
    def sent(self) -> int:
        """Number of executions on a device of one request."""
        return sum(batch.sent for batch in self.batches)

    @property
    def without_calibration(self) -> Job:
        """The job without its calibration circuits, as sent when the calibration is known."""
        if self.request.calibration is None:
            return self
        request = replace(self.request, calibration=None)
        return replace(self, request=request, batches=tuple(batch for batch in self.batches if not batch.calibrates))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRequests:
    """All jobs of a run.

    Args:
        jobs: The distinct jobs, each with its number of repetitions.
        step: Jobs of one step with a full batch, without the calibrations, which some epochs make once.
        steps: Number of steps of the run.
        fixed: Whether the requests follow from the configuration alone; otherwise they depend on results and are an
            estimate.
    """

    jobs: tuple[Job, ...]
    step: tuple[Job, ...]
    steps: int
    fixed: bool


def record_run(experiment: Experiment, *, with_angles: bool = True) -> RunRequests:
    """Return the requests of a run, recorded on the statevector engine.

    The shots are those at the start of the run; adaptive shots may increase later.

    Args:
        experiment: The run.
        with_angles: Whether the angles of the circuits should be like those of the run. Otherwise, beyond 20 qubits and
            where the requests follow from the configuration alone, they are recorded in a part of the time.

    Raises:
        ConfigError: The run makes no request to a device.
    """
    _require_shots(experiment)
    training = experiment.config.training
    if training.evaluate_final is None:  # the default of a run on a device
        training = training.model_copy(update={"evaluate_final": False})
    config = experiment.config.model_copy(update={"training": training})
    quiet = replace(experiment, config=config, policy=replace(experiment.policy, adaptive=None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        needed = with_angles or not _is_fixed(experiment) or config.network.is_on_grid
        epochs = list(_driven_epochs(quiet, with_angles=needed))
    trainer = quiet.trainer(callbacks=())
    return RunRequests(
        jobs=tuple(job for epoch in epochs for job in epoch.counted),
        step=epochs[0].typical_step,
        steps=trainer.total_steps,
        fixed=_is_fixed(experiment),
    )


def _require_shots(experiment: Experiment) -> None:
    config = experiment.config
    if config.preparation.has_known_states:
        raise ConfigError(
            f"preparation.kind: {config.preparation.kind} states are made by no circuit, so a device has nothing "
            "to run; use preparation.kind = 'adiabatic'"
        )
    if experiment.estimator.shots is None:
        raise ConfigError("measurement.shots: a device has no exact expectations; expected a number of shots")
    if experiment.estimator.mitigation is not None and experiment.estimator.mitigation.calibration_shots is None:
        raise ConfigError(
            "execution.mitigation.calibration_shots: a device has no exact probabilities; expected a number of shots"
        )


def _is_fixed(experiment: Experiment) -> bool:
    """Return whether the requests follow from the configuration alone."""
    config, policy = experiment.config, experiment.policy
    follows_results = (
        config.preparation.measures_energies or config.update.is_agnostic or experiment.estimator.shots_by_error
    )
    return not follows_results and policy.adaptive is None and not policy.optimal_split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _DrivenEpoch:
    """Requests of one simulated epoch, in which some steps are omitted.

    Args:
        jobs: The requests in their order.
        first_step: Number of its first step.
        skipped: Number of steps omitted after the first; the second simulated step represents them.
        times: Number of epochs of the run with the same requests.
    """

    jobs: tuple[Job, ...]
    first_step: int
    skipped: int
    times: int

    @property
    def counted(self) -> tuple[Job, ...]:
        """The jobs with the number of their repetitions in the run."""
        return tuple(replace(job, times=self.times * self._stands_for(job)) for job in self.jobs)

    def _stands_for(self, job: Job) -> int:
        return 1 + self.skipped if self._is_of_step(job, self.first_step + 1) else 1

    @staticmethod
    def _is_of_step(job: Job, step: int) -> bool:
        return (job.key.purpose, job.key.step) == (_STEP, step)

    @property
    def typical_step(self) -> tuple[Job, ...]:
        """Jobs of a step with a full batch; of the step that represents others, if there is one."""
        number = self.first_step + (1 if self.skipped else 0)
        return tuple(job.without_calibration for job in self.jobs if self._is_of_step(job, number))


def _driven_epochs(experiment: Experiment, *, with_angles: bool) -> Iterator[_DrivenEpoch]:
    """Simulate one epoch of every kind, each from the state at the end of the previous one.

    The first epoch calibrates. Its calibration is kept for kinds without one, and discarded where a calibration is due.
    """
    trainer, mitigation = experiment.trainer(callbacks=()), experiment.estimator.mitigation
    if mitigation is not None:
        lasting = replace(mitigation, calibrate_every=trainer.settings.epochs + 1)
        experiment = replace(experiment, estimator=replace(experiment.estimator, mitigation=lasting))
    for epochs in _kinds_of_epochs(trainer):
        epoch, piloted = epochs[0]
        if mitigation is not None and mitigation.is_due(epoch):
            trainer.state.calibrations = {}
        if trainer.state.step_shots is not None:
            trainer.state.step_shots = replace(trainer.state.step_shots, piloted=piloted)
        yield _driven(experiment, trainer.state, epoch, times=len(epochs), with_angles=with_angles)


def _kinds_of_epochs(trainer: Trainer) -> list[list[tuple[int, int]]]:
    """Group the epochs by their requests, each with the epoch of the last pilot before it.

    The requests of an epoch depend on whether it is the first or ends with an evaluation of the training samples, and
    on whether a pilot (the first or a later one), a test and a calibration are due.
    """
    kinds: dict[tuple[bool, bool, int, bool, bool], list[tuple[int, int]]] = {}
    step_shots, piloted, pilots = trainer.state.step_shots, -1, 0
    mitigation = trainer.estimator.mitigation
    for epoch in range(trainer.settings.epochs):
        due = step_shots is not None and trainer.policy.is_due(replace(step_shots, piloted=piloted), epoch)
        pilots += due
        calibrates = mitigation is not None and mitigation.is_due(epoch)
        tests, styles = trainer.settings.is_test_due(epoch + 1), trainer.settings.is_final_evaluation_due(epoch + 1)
        kind = (epoch == 0, styles, min(pilots, 2) if due else 0, tests, calibrates)
        kinds.setdefault(kind, []).append((epoch, piloted))
        piloted = epoch if due else piloted
    return list(kinds.values())


def _driven(experiment: Experiment, state: TrainingState, epoch: int, *, times: int, with_angles: bool) -> _DrivenEpoch:
    """Simulate one epoch without the steps that others represent; `state` is changed to the end of the epoch."""
    is_wide = experiment.network.num_qubits > _MOST_SIMULATED_QUBITS
    tosses = _CoinTosses(experiment.seeds, once=not with_angles)
    inner = tosses if is_wide else StatevectorExecutor(experiment.seeds)
    recorder = _Recorder(inner, experiment.config.execution.sampler_options())
    trainer = replace(experiment, executor=recorder).trainer([_OneEpoch(epoch)], state)
    skipped = max(0, trainer.steps_per_epoch - _DRIVEN_STEPS)
    first_step = epoch * trainer.steps_per_epoch
    state.epoch, state.step, state.batch = epoch, first_step, skipped
    recorder.phases_of = partial(_phases_of, trainer, skipped)
    trainer.run()
    return _DrivenEpoch(jobs=tuple(recorder.jobs), first_step=first_step, skipped=skipped, times=times)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _OneReading(BitMemory):
    """One reading of each state, in the place of the shots that are wanted; it is not stored."""

    mark: ClassVar[str] = ""

    wanted: int | None

    @property
    def shots(self) -> int:
        """Return the wanted shots."""
        return self.wanted or 1


class _CoinTosses(LocalExecutor):
    """Answers with random bits where states are too wide to simulate; readout has no errors.

    Args:
        seeds: Root of the random streams.
        once: Whether a state is measured once, as if every other shot read the same: this has no error bars, whose
            computation takes most of the time.
    """

    def __init__(self, seeds: Seeds, *, once: bool) -> None:
        super().__init__(seeds)
        self._once = once

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        size = circuits.num_qubits
        unused = (-size) % 8
        outcomes: list[Outcomes] = []
        for own in request.measurements:
            generator = self._seeds.generator(*request.key.seed_words, *own.seed_words)
            shots = 1 if self._once else own.shots or 1
            bits = generator.integers(0, 256, (len(own.states), shots, -(-size // 8)), dtype=np.uint8)
            if isinstance(circuits, CalibrationStates):
                bits[:] = 255 * (own.states == 1)[:, None, None]
            bits[..., 0] >>= unused
            if self._once:
                bits[..., -1] |= 1  # 0 in every bit of every shot would be a missing result
                outcomes.append(_OneReading(bits=bits, num_qubits=size, certain=True, wanted=own.shots))
            else:
                outcomes.append(BitMemory(bits=bits, num_qubits=size))
        return ShotData(outcomes=tuple(outcomes))


@dataclass(slots=True)
class _OneEpoch(Callback):
    """Stop a trainer at the end of an epoch."""

    epoch: int

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Stop the trainer after the epoch."""
        if trainer.state.epoch > self.epoch:
            trainer.request_stop()


@dataclass(slots=True)
class _Recorder:
    """Record requests and pass them on to an ideal executor.

    Args:
        inner: The ideal executor.
        options: Sampler options that apply to the circuits on a device.
        phases_of: Names of the phases of the states of a step, in the order of the states of a sample.
        jobs: The requests so far.
    """

    inner: Executor
    options: SamplerOptions
    phases_of: Callable[[Request], list[str]] = lambda _: []
    jobs: list[Job] = field(default_factory=list)

    def submit(self, request: Request) -> JobHandle:
        """Record a request and submit it."""
        names, options = self.phases_of(request), self.options.of_request(request.randomizations)
        batches = [batch for measurement in request.measurements for batch in _batches(measurement, names, options)]
        if request.calibration is not None:
            batches.append(_calibration(request.calibration, request.measurements[0], options))
        self.jobs.append(Job(request=request, batches=tuple(batches)))
        return self.inner.submit(request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Return the result of a request."""
        return self.inner.collect(job_handle)


def _calibration(calibration: Request, measurement: GroupMeasurement, options: SamplerOptions) -> Batch:
    """Return the calibration circuits of a request, with their repetitions."""
    (own,) = calibration.measurements
    assert own.shots is not None
    assert measurement.shots is not None
    return Batch(
        group=own.paulis,
        phase="calibration",
        circuits=own.num_circuits,
        executions=own.num_shots,
        sent=own.num_circuits * -(-own.shots // measurement.shots) * options.executions(measurement.shots),
        calibrates=True,
    )


def _batches(measurement: GroupMeasurement, names: list[str], options: SamplerOptions) -> Iterator[Batch]:
    """Return the measured circuits of a request by phase; states are in the order of samples, then of phases."""
    phases, circuits = np.unique(measurement.states % len(names), return_counts=True)
    for phase, count in zip(phases.tolist(), circuits.tolist(), strict=True):
        shots = measurement.shots or 0
        yield Batch(
            group=measurement.paulis,
            phase=names[phase],
            circuits=count,
            executions=shots * count,
            sent=options.executions(shots) * count,
            folding=measurement.folding,
        )


def _phases_of(trainer: Trainer, skipped: int, request: Request) -> list[str]:
    """Return the names of the phases of the states of a request."""
    key, prepared = request.key, request.prepared
    if key.iteration > 0:
        return ["preparation"]
    if key.purpose != _STEP:
        return [key.purpose]
    start = (skipped + key.step % trainer.steps_per_epoch) * trainer.settings.batch_size
    samples = min(trainer.settings.batch_size, trainer.task.train.num_samples - start)
    contrast = trainer.estimator.contrast
    names = [_phase_name(multiple) for multiple in replace(contrast, beta=float(np.sign(contrast.beta))).betas]
    if key.stage >= FIRST_STAGE:
        return names[-1:]
    if prepared.num_states == samples * len(names):
        return names
    return ["free"] if key.stage == 0 else [name for name in names if name != "free"]


def _phase_name(multiple: float) -> str:
    """Return the name of a phase by its multiple of |beta|: ``free``, ``+beta``, ``-2 beta``, ``+0.924 beta``."""
    size = "" if abs(multiple) == 1 else f"{abs(multiple):.3g} "
    return f"{'-' if multiple < 0 else '+'}{size}beta" if multiple else "free"
