"""The requests that a run makes to a device, recorded from the same run in an ideal simulation.

The trainer itself runs on the statevector engine, and every request is recorded, so that the estimate and the run have
the same requests. Beyond 20 qubits requests are answered with random bits: few depend on what was measured. Epochs with
equal requests are simulated once. Of the steps of an epoch only the first, one in between and the last are simulated;
the last may have fewer samples.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from qep_qiskit.config import Experiment
from qep_qiskit.core.errors import ConfigError, QepWarning
from qep_qiskit.execution import Request, StatevectorExecutor
from qep_qiskit.learning import Callback, Record, Trainer, TrainingState
from qep_qiskit.learning.agnostic import FIRST_STAGE
from qep_qiskit.plan.coin_tosses import CoinTosses
from qep_qiskit.plan.jobs import Job, Recorder, RunRequests

_DRIVEN_STEPS = 3
_MOST_SIMULATED_QUBITS = 20
_STEP = "train"


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
    tosses = CoinTosses(experiment.seeds, once=not with_angles)
    inner = tosses if is_wide else StatevectorExecutor(experiment.seeds)
    recorder = Recorder(inner, experiment.config.execution.sampler_options())
    trainer = replace(experiment, executor=recorder).trainer([_OneEpoch(epoch)], state)
    skipped = max(0, trainer.steps_per_epoch - _DRIVEN_STEPS)
    first_step = epoch * trainer.steps_per_epoch
    state.epoch, state.step, state.batch = epoch, first_step, skipped
    recorder.phases_of = partial(_phases_of, trainer, skipped)
    trainer.run()
    return _DrivenEpoch(jobs=tuple(recorder.jobs), first_step=first_step, skipped=skipped, times=times)


@dataclass(slots=True)
class _OneEpoch(Callback):
    """Stop a trainer at the end of an epoch."""

    epoch: int

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Stop the trainer after the epoch."""
        if trainer.state.epoch > self.epoch:
            trainer.request_stop()


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
