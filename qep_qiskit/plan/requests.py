"""What a run will ask a device for, found by running it where nothing is charged.

The real trainer is driven on the ideal engine and every request it makes is written down, so that a plan cannot differ
from what runs. Epochs that ask for the same things are driven once, and so are the steps within an epoch that do: the
first, one of those between, and the last, which may have fewer samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from qep_qiskit.config import Experiment
from qep_qiskit.config.build_executor import build_sampler_options
from qep_qiskit.core.errors import ConfigError, QepWarning
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.execution import Executor, GroupMeasurement, JobHandle, Request, ShotData, StatevectorExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.learning import Callback, Record, Trainer, TrainingState

_DRIVEN_STEPS = 3
_STEP = "train"
_NAMES = {-2.0: "-2 beta", -1.0: "-beta", 0.0: "free", 1.0: "+beta", 2.0: "+2 beta"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Circuits of a job that are measured in one group and belong to one phase.

    Args:
        group: The group.
        phase: ``"free"``, ``"+beta"`` and the like in a step; elsewhere what the job is for.
        circuits: Bound circuits.
        executions: Shots times circuits.
        sent: Executions on a device, where circuits of one job share their number of shots and a calibration is
            repeated until it has its own.
        folding: How often two-qubit gates run.
        calibrates: Whether they are those of the calibration.
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
    """One request, which is one job on a device, or one for each number of shots.

    Args:
        purpose: As in its key: ``"train"``, ``"pilot"``, ``"test-evaluation"``, ...
        step: Step of the training loop.
        request: The request.
        program: What prepares its states.
        states: Bindings of the program that are sent.
        batches: What is measured.
        is_iteration: Whether an iterative preparation asks for it, to find its states.
        times: How often the run asks for it.
    """

    purpose: str
    step: int
    request: Request
    program: LayerProgram
    states: int
    batches: tuple[Batch, ...]
    is_iteration: bool = False
    times: int = 1

    @property
    def circuits(self) -> int:
        """Bound circuits, once."""
        return sum(batch.circuits for batch in self.batches)

    @property
    def executions(self) -> int:
        """Shots times circuits, once."""
        return sum(batch.executions for batch in self.batches)

    @property
    def jobs(self) -> int:
        """Jobs on a device, once: circuits of one job share their number of shots."""
        return len({batch.executions // batch.circuits for batch in self.without_calibration.batches})

    @property
    def sent(self) -> int:
        """Executions on a device, once."""
        return sum(batch.sent for batch in self.batches)

    @property
    def without_calibration(self) -> Job:
        """The job as it is where the calibration is known."""
        if self.request.calibration is None:
            return self
        request = replace(self.request, calibration=None)
        return replace(self, request=request, batches=tuple(batch for batch in self.batches if not batch.calibrates))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunRequests:
    """All jobs of a run.

    Args:
        jobs: Those that differ, with how often they come.
        step: Those of one step of a full batch. Calibrations come once in some epochs and are not in them.
        steps: Steps of the run.
        fixed: Whether answers have no say in what is asked; otherwise the numbers are an estimate.
    """

    jobs: tuple[Job, ...]
    step: tuple[Job, ...]
    steps: int
    fixed: bool


def record_run(experiment: Experiment) -> RunRequests:
    """Drive a run on the ideal engine, as far as its requests differ, and write them down.

    Shots are those that it starts with: adaptive shots may raise them later.

    Raises:
        ConfigError: The run asks a device for nothing.
    """
    _require_shots(experiment)
    training = experiment.config.training
    if training.evaluate_final is None:  # a plan is for a device
        training = training.model_copy(update={"evaluate_final": False})
    config = experiment.config.model_copy(update={"training": training})
    quiet = replace(experiment, config=config, policy=replace(experiment.policy, adaptive=None))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)
        epochs = list(_driven_epochs(quiet))
    trainer = quiet.trainer()
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
    """Whether what is asked follows from the configuration alone."""
    preparation, policy = experiment.config.preparation, experiment.policy
    return not preparation.measures_energies and policy.adaptive is None and not policy.optimal_split


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _DrivenEpoch:
    """What one epoch asked for, some of its steps left out.

    Args:
        jobs: The requests in their order.
        first_step: Number of its first step.
        skipped: Steps left out after the first; the second that was driven stands for them.
        times: Epochs of the run that ask for the same.
    """

    jobs: tuple[Job, ...]
    first_step: int
    skipped: int
    times: int

    @property
    def counted(self) -> tuple[Job, ...]:
        """The jobs with how often they come."""
        return tuple(replace(job, times=self.times * self._stands_for(job)) for job in self.jobs)

    def _stands_for(self, job: Job) -> int:
        return 1 + self.skipped if job.purpose == _STEP and job.step == self.first_step + 1 else 1

    @property
    def typical_step(self) -> tuple[Job, ...]:
        """A step of a full batch, the one that stands for others where there is one."""
        number = self.first_step + (1 if self.skipped else 0)
        return tuple(job.without_calibration for job in self.jobs if job.purpose == _STEP and job.step == number)


def _driven_epochs(experiment: Experiment) -> Iterator[_DrivenEpoch]:
    """One epoch of every kind, each from the state that the one before left.

    The first one calibrates; what it finds is kept for kinds that do not, and forgotten where a calibration is due.
    """
    trainer, mitigation = experiment.trainer(), experiment.estimator.mitigation
    if mitigation is not None:
        lasting = replace(mitigation, calibrate_every=trainer.settings.epochs + 1)
        experiment = replace(experiment, estimator=replace(experiment.estimator, mitigation=lasting))
    for epochs in _kinds_of_epochs(trainer):
        epoch, piloted = epochs[0]
        if mitigation is not None and mitigation.is_due(epoch):
            trainer.state.calibrations = {}
        if trainer.state.step_shots is not None:
            trainer.state.step_shots = replace(trainer.state.step_shots, piloted=piloted)
        yield _driven(experiment, trainer.state, epoch, times=len(epochs))


def _kinds_of_epochs(trainer: Trainer) -> list[list[tuple[int, int]]]:
    """Epochs that ask for the same things, each with the epoch of the last pilot before it.

    What an epoch asks for depends on whether it is the first or ends with a look at the training samples, and on
    whether a pilot (the first or a later one), a test and a calibration are due.
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


def _driven(experiment: Experiment, state: TrainingState, epoch: int, times: int) -> _DrivenEpoch:
    """Drive one epoch, without the steps that others stand for; `state` is where it ends."""
    recorder = _Recorder(StatevectorExecutor(experiment.seeds), build_sampler_options(experiment.config))
    trainer = replace(experiment, executor=recorder).trainer([_OneEpoch(epoch)], state)
    skipped = max(0, trainer.steps_per_epoch - _DRIVEN_STEPS)
    first_step = epoch * trainer.steps_per_epoch
    state.epoch, state.step, state.batch = epoch, first_step, skipped
    recorder.phases_of = partial(_phases_of, trainer, skipped)
    trainer.run()
    return _DrivenEpoch(jobs=tuple(recorder.jobs), first_step=first_step, skipped=skipped, times=times)


@dataclass(slots=True)
class _OneEpoch(Callback):
    """Stops a trainer when an epoch is done."""

    epoch: int

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Enough is known."""
        if trainer.state.epoch > self.epoch:
            trainer.request_stop()


@dataclass(slots=True)
class _Recorder:
    """Writes requests down and passes them on to an ideal executor.

    Args:
        inner: Answers them.
        options: What the sampler of a device would do to circuits.
        phases_of: Names of the phases of a step's states, in the order of the states within a sample.
        jobs: The requests so far.
    """

    inner: Executor
    options: SamplerOptions
    phases_of: Callable[[Request], list[str]] = lambda _: []
    jobs: list[Job] = field(default_factory=list)

    def submit(self, request: Request) -> JobHandle:
        """Write down and pass on."""
        prepared = request.prepared.as_circuits()
        names, options = self.phases_of(request), self.options.of_request(request.randomizations)
        batches = [batch for measurement in request.measurements for batch in _batches(measurement, names, options)]
        if request.calibration is not None:
            batches.append(_calibration(request.calibration, request.measurements[0], options))
        self.jobs.append(
            Job(
                purpose=request.key.purpose,
                step=request.key.step,
                request=request,
                program=prepared.program,
                states=prepared.num_states,
                is_iteration=request.key.iteration > 0,
                batches=tuple(batches),
            )
        )
        return self.inner.submit(request)

    def collect(self, job_handle: JobHandle) -> ShotData:
        """Pass on."""
        return self.inner.collect(job_handle)


def _calibration(calibration: Request, measurement: GroupMeasurement, options: SamplerOptions) -> Batch:
    """The circuits of a calibration, repeated in the job of a readout."""
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
    """The circuits of a readout by their phases; states lie sample by sample, within a sample phase by phase."""
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
    """Names of the phases of a request's states."""
    key, prepared = request.key, request.prepared
    if key.iteration > 0:
        return ["preparation"]
    if key.purpose != _STEP:
        return [key.purpose]
    start = (skipped + key.step % trainer.steps_per_epoch) * trainer.settings.batch_size
    samples = min(trainer.settings.batch_size, trainer.task.train.num_samples - start)
    contrast = trainer.estimator.contrast
    names = [_NAMES[beta] for beta in replace(contrast, beta=float(np.sign(contrast.beta))).betas.tolist()]
    if prepared.num_states == samples * len(names):
        return names
    return ["free"] if key.stage == 0 else [name for name in names if name != "free"]
