"""Changes that reduce the cost of a run on a device, each with the QPU seconds that it saves.

A changed configuration is estimated like the run itself, from the requests of the changed run. Its noise follows from
the error model: the variance of a contrast is (sum of the squared stencil coefficients) / (shots beta^2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from qiskit.providers import BackendV2

from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount, percent
from qep_qiskit.execution.on_device import fractional_device, offers_fractional_gates, rep_delay_range_of
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.shots import number
from qep_qiskit.plan.circuits import DeviceCircuits
from qep_qiskit.plan.estimate import cost_of, device_jobs_of, qpu_seconds_of
from qep_qiskit.plan.jobs import RunRequests
from qep_qiskit.plan.requests import record_run

_SHORT_DELAY = 50e-6
_LEAST_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A change that reduces the cost of a run.

    Args:
        change: What to change.
        price: The disadvantage of the change.
        qpu_seconds: QPU seconds that it saves in the whole run.
    """

    change: str
    price: str
    qpu_seconds: float


def savings(
    experiment: Experiment,
    requests: RunRequests,
    circuits: DeviceCircuits,
    fractional: BackendV2 | None = None,
) -> tuple[Saving, ...]:
    """Return changes that reduce the cost, the largest saving first. Each saving is that of one change alone.

    Savings do not add up.

    Args:
        experiment: The run.
        requests: Its requests.
        circuits: Its circuits on the device.
        fractional: The device with fractional gates, if it offers them and the run does not use them.
    """
    before = qpu_seconds_of(requests.jobs, circuits)
    found = [*_changed_runs(experiment, requests, circuits, before), *_changed_device(requests, circuits, before)]
    worth = [saving for saving in found if saving.qpu_seconds >= _LEAST_SECONDS]
    if fractional is None and offers_fractional_gates(circuits.device):
        fractional = fractional_device(circuits.device)
    if fractional is not None:
        worth.append(_fractional(requests, circuits, fractional, before))
    return tuple(sorted(worth, key=lambda saving: -saving.qpu_seconds))


def _changed_runs(
    experiment: Experiment, requests: RunRequests, circuits: DeviceCircuits, before: float
) -> Iterator[Saving]:
    for change, price, changed in _changes(experiment):
        jobs = record_run(changed, with_angles=False).jobs
        fewer = device_jobs_of(requests.jobs) - device_jobs_of(jobs)
        told = f"{price}; {amount(fewer, 'job')} fewer" if fewer > 0 else price
        yield Saving(change=change, price=told, qpu_seconds=before - qpu_seconds_of(jobs, circuits))


def _changes(experiment: Experiment) -> Iterator[tuple[str, str, Experiment]]:
    estimator, training = experiment.estimator, experiment.config.training
    shots, contrast = number(estimator.shots), estimator.contrast
    samples = experiment.task.train.num_samples
    batch = min(training.batch_size, samples)
    follows_gradient = not experiment.config.update.is_agnostic  # there the nudge is also the length of a step
    if follows_gradient and shots is not None and shots >= 4 and not experiment.policy.auto_beta:
        fewer = _share(estimator, shots, 0.25)
        yield (
            f"contrast.beta = {2 * contrast.beta:g} with measurement.shots = {fewer}",
            f"the same noise of the contrast, {2**contrast.order} times its bias; costs are read with less precision",
            _with(experiment, replace(contrast, beta=2 * contrast.beta), fewer),
        )
    if follows_gradient and shots is not None:
        yield from _other_contrasts(experiment, estimator, shots)
    if estimator.shots_by_error:
        yield (
            "measurement.shots_by_error = false",
            "one job in place of one for each number of shots; gradients are noisier where errors differ",
            replace(experiment, estimator=replace(estimator, shots_by_error=False)),
        )
    if batch > 1 and training.epochs > 1:
        halved = -(-training.epochs // 2)
        yield (
            f"training.batch_size = {batch // 2} with training.epochs = {halved}",
            "about as many steps from half the samples each: gradients noisier by a factor of 1.4",
            _with_training(experiment, batch_size=batch // 2, epochs=halved),
        )
    if follows_gradient and shots is not None and training.epochs > 1 and not experiment.policy.active:
        yield _fewer_steps(experiment, shots)
    if batch < samples:
        yield (
            f"training.batch_size = {min(2 * batch, samples)}",
            "larger jobs and fewer of them: half the updates an epoch",
            _with_training(experiment, batch_size=min(2 * batch, samples)),
        )
    if experiment.task.test is not None and training.evaluate_every != 0 and training.epochs > 1:
        yield (
            "training.evaluate_every = 0",
            "the test set is looked at once, at the end",
            _with_training(experiment, evaluate_every=0),
        )
    if training.evaluate_final:  # unset, a run on a device makes no final evaluation
        yield (
            "training.evaluate_final = false",
            "the loss of the final weights is not measured; that of the last epoch is a mean over weights that moved",
            _with_training(experiment, evaluate_final=False),
        )


def _fewer_steps(experiment: Experiment, shots: int) -> tuple[str, str, Experiment]:
    """The same shots and the same way for the weights in half the jobs: what a job costs is paid half as often."""
    halved = -(-experiment.config.training.epochs // 2)
    return (
        f"training.epochs = {halved} with update.learning_rate = {2 * experiment.config.update.learning_rate:g} and "
        f"measurement.shots = {2 * shots}",
        "half the steps, each twice as large and with half the variance: too large ones overshoot, so rehearse it",
        _with_training(_with(experiment, experiment.estimator.contrast, 2 * shots), epochs=halved),
    )


def _other_contrasts(
    experiment: Experiment, estimator: GradientEstimator, shots: int
) -> Iterator[tuple[str, str, Experiment]]:
    """Estimate the symmetric contrast in place of another contrast, by what the stencils say of noise and bias."""
    contrast = estimator.contrast
    symmetric = Contrast(kind="symmetric", beta=abs(contrast.beta))
    if contrast.order > symmetric.order:
        price = f"bias of the order beta^{symmetric.order} in place of beta^{contrast.order}"
        yield "contrast.kind = 'symmetric'", price, _with(experiment, symmetric, shots)
        return
    same_noise = symmetric.noise / contrast.noise
    if same_noise < 1 <= same_noise * shots:
        fewer = _share(estimator, shots, same_noise)
        bias = "less bias" if contrast.order < symmetric.order else "a bias of the same order"
        yield (
            f"contrast.kind = 'symmetric' with measurement.shots = {fewer}",
            f"none: the same noise of the contrast and {bias}; costs are read with less precision",
            _with(experiment, symmetric, fewer),
        )


def _share(estimator: GradientEstimator, shots: int, share: float) -> int:
    """Return a share of the shots, rounded up to a number that the replicates can share."""
    fewer = math.ceil(share * shots)
    return fewer if estimator.replication is None else estimator.replication.rounded(fewer)


def _with(experiment: Experiment, contrast: Contrast, shots: int) -> Experiment:
    estimator = replace(experiment.estimator, contrast=contrast, shots=shots)
    return replace(experiment, estimator=estimator)


def _with_training(experiment: Experiment, **values: int) -> Experiment:
    config = experiment.config
    training = config.training.model_copy(update=values)
    return replace(experiment, config=config.model_copy(update={"training": training}))


def _changed_device(requests: RunRequests, circuits: DeviceCircuits, before: float) -> Iterator[Saving]:
    limits = rep_delay_range_of(circuits.device)
    shortest = _SHORT_DELAY if limits is None else max(_SHORT_DELAY, limits[0])
    if circuits.delay > shortest:
        executions = sum(job.times * job.sent for job in requests.jobs)
        yield Saving(
            change=f"execution.rep_delay = {shortest:g} (seconds between executions)",
            price="qubits are reset less well",
            qpu_seconds=executions * (circuits.delay - shortest),
        )
    iterations = [job for job in requests.jobs if job.key.iteration > 0]
    if iterations:
        yield Saving(
            change="preparation.energies = 'simulated'",
            price="angles are found without the device and its noise, for as many qubits as can be simulated",
            qpu_seconds=qpu_seconds_of(iterations, circuits),
        )


def _fractional(requests: RunRequests, circuits: DeviceCircuits, fractional: BackendV2, before: float) -> Saving:
    """Estimate fractional gates, which save few seconds and many two-qubit gates; listed whatever they save."""
    other = replace(circuits, device=fractional, options=replace(circuits.options, gate_twirling=False))
    programs = [
        max(found.programs(requests.jobs), key=lambda program: program.two_qubit_gates) for found in (circuits, other)
    ]
    (gates, fewer), (before_bytes, bytes_) = (
        [program.two_qubit_gates for program in programs],
        [cost_of(requests.step, found).payload_bytes for found in (circuits, other)],
    )
    signals = [percent(program.surviving.share) for program in programs]
    return Saving(
        change=f"execution.fractional_gates = true: {fewer} two-qubit gates in place of {gates}, a signal of "
        f"{signals[1]} in place of {signals[0]}",
        price=f"{bytes_ / 1e3:,.1f} kB a step in place of {before_bytes / 1e3:,.1f}; gates cannot be twirled",
        qpu_seconds=before - qpu_seconds_of(requests.jobs, other),
    )
