"""Construction of the objects of a run from a checked configuration. Nothing is written to disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from qep_qiskit.config.callbacks import CallbackScene
from qep_qiskit.config.executor import build_executor
from qep_qiskit.config.load import load_config
from qep_qiskit.config.local_device import resolved_config
from qep_qiskit.config.preparation_section import PreparationScene
from qep_qiskit.config.schema import Config
from qep_qiskit.config.section import keys
from qep_qiskit.continuous.executor import CoordinateExecutor
from qep_qiskit.continuous.response import Responding
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.components import widest_component
from qep_qiskit.core.errors import ConfigError, DegenerateGroundStateWarning, UnconnectedOutputWarning
from qep_qiskit.core.jobs import set_jobs
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.core.warning_log import WarningLog, counting_warnings, warn
from qep_qiskit.execution import Executor, VectorExecutor
from qep_qiskit.learning import (
    Callback,
    GradientEstimator,
    ShotSchedule,
    StepShots,
    Trainer,
    TrainingSettings,
    TrainingState,
)
from qep_qiskit.learning.gradient_call import estimator_of
from qep_qiskit.learning.task_check import check_task, warn_of_certain_outputs, warn_of_inputs
from qep_qiskit.network import Network
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AnnealerPreparation, has_certain_outcomes
from qep_qiskit.tasks import Task


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The objects of a run, built from one configuration.

    Args:
        config: The configuration.
        task: Training and test samples.
        network: The network that is trained.
        estimator: Gradient estimator.
        executor: Executor of the requests.
        seeds: Root of the random streams.
        policy: Rule that chooses nudge and shots during training.
        step_shots: Nudge and shots that a run has chosen, as the estimator uses them; None before.
        warnings: Warnings given while the objects were built.

    Example:
        >>> experiment = qep.from_file("configs/xor.toml")
        >>> experiment.network.num_qubits, experiment.task.name
        (4, 'xor')
    """

    config: Config
    task: Task
    network: Network
    estimator: GradientEstimator
    executor: Executor
    seeds: Seeds
    policy: ShotSchedule
    step_shots: StepShots | None = None
    warnings: WarningLog = field(default_factory=WarningLog)

    @property
    def reference(self) -> Responding | None:
        """Reference for exact expectations and responses of a network that is not on qubits."""
        preparation = self.estimator.preparation
        return preparation if isinstance(preparation, Responding) else None

    @property
    def ideal(self) -> tuple[GradientEstimator, Executor]:
        """The same estimator with exact states and expectations, and the executor for it."""
        if self.config.network.is_in_space:
            return replace(self.estimator, shots=None), CoordinateExecutor(self.seeds)
        preparation = self.config.preparation.counterpart(self.estimator.hamiltonian)
        return replace(self.estimator, preparation=preparation, shots=None), VectorExecutor(self.seeds)

    def callbacks(self, folder: Path | None = None) -> tuple[Callback, ...]:
        """Return new callbacks, those that the configuration names.

        A run without a folder has them by `trainer`.

        Args:
            folder: Folder of the run; None in memory.

        Raises:
            ConfigError: One cannot be made.
        """
        scene = CallbackScene(
            config=self.config.resolved(),
            task=self.task,
            evaluate_every=self.config.training.evaluate_every,
            folder=folder,
        )
        return self.config.callbacks.build(scene)

    def trainer(
        self, callbacks: Sequence[Callback] | None = None, state: TrainingState | None = None, *, progress: bool = True
    ) -> Trainer:
        """Return a trainer, new or continued from a state.

        Args:
            callbacks: All callbacks of the trainer; None for those of the configuration.
            state: State to continue from; None for a new training.
            progress: Whether a notebook shows how far the training is.
        """
        training = self.config.training
        with keys(self.config, "update"):
            update = self.config.update.build()
        trainer = Trainer(
            estimator=self.estimator,
            executor=self.executor,
            update=update,
            task=self.task,
            settings=training.made(TrainingSettings, evaluate_final=_evaluates_final(self.config)),
            seeds=self.seeds,
            policy=self.policy,
            callbacks=self.callbacks() if callbacks is None else callbacks,
            state=state,  # type: ignore[arg-type]
            task_is_checked=True,
            progress=progress,
        )
        if state is None:
            trainer.state.warnings.merge(self.warnings)
        return trainer


def _evaluates_final(config: Config) -> bool:
    wanted = config.training.evaluate_final
    return not config.execution.is_remote if wanted is None else wanted


def from_file(path: str | Path, overrides: Sequence[str] = (), *, simulates: bool = True) -> Experiment:
    """Build a run from a TOML file.

    Args:
        path: The configuration file.
        overrides: ``key.path=value`` texts.
        simulates: Whether states are simulated on this machine and have to fit; a cost estimate simulates none of a
            device.

    Example:
        >>> qep.from_file("configs/xor.toml", ["measurement.shots=50"]).estimator.shots
        50
    """
    return build(load_config(path, overrides), simulates=simulates)


def build(config: Config, task: Task | None = None, *, simulates: bool = True) -> Experiment:
    """Build all objects of a run, and set the number of jobs of this process.

    Args:
        config: The configuration.
        task: Samples to use instead of the configured ones: those of a run folder, or of a program.
        simulates: Whether states are simulated on this machine and have to fit; a cost estimate simulates none of a
            device.

    Raises:
        QepError: An object of the configuration is not available; the message is one line.
    """
    log = WarningLog()
    set_jobs(config.execution.jobs)
    with counting_warnings(log), keys(config, "contrast", "measurement", "cost", "network", "execution"):
        return replace(_built(config, task, simulates=simulates), warnings=log)


def _built(config: Config, task: Task | None, *, simulates: bool) -> Experiment:
    here = Path.cwd()
    kept = {name: getattr(config, name).beside(here) for name in ("network", "cost", "callbacks")}
    config = config.model_copy(update=kept)
    config = resolved_config(config)
    with keys(config, "network"):
        ahead = config.network.qubits_ahead
    simulates = simulates or not config.execution.where.is_snapshot
    by_components = config.network.may_fall_apart and config.preparation.splits_components(config.execution)
    if simulates and ahead is not None and not by_components:
        _check_memory(config, ahead)
    seeds = Seeds(config.seed)
    if task is None:
        with keys(config, "task"):
            task = config.task.build(seeds, one_hot=config.cost.one_hot)
    seeds = config.task.run_seeds(seeds)
    with keys(config, "network"):
        network = _network(config, task, seeds)
    if simulates and ahead is None and network.num_qubits and not by_components:
        _check_memory(config, network.num_qubits)
    cost = _build_cost(config, network, task)
    hamiltonian = NudgedHamiltonian(network, cost)
    if simulates and by_components:
        _check_memory(config, widest_component(hamiltonian.groups))
    task = _with_scaled_targets(config, hamiltonian, task)
    check_task(hamiltonian, task)
    measurement, execution = config.measurement, config.execution
    scene = PreparationScene(
        measurement=measurement, execution=execution, hamiltonian=hamiltonian, inputs=task.train.inputs, seeds=seeds
    )
    with keys(config, "preparation"):
        preparation = config.network.prepared(config.preparation, scene)
    contrast = config.contrast.build(hamiltonian, task.train, seeds)
    shots = measurement.estimator_shots(has_shot_noise=config.network.has_shot_noise)
    mitigation, extrapolation = execution.mitigations(runs_circuits=config.runs_circuits)
    estimator = estimator_of(config.contrast.kind)(
        hamiltonian=hamiltonian,
        preparation=preparation,
        contrast=contrast,
        shots=shots,
        test_shots=measurement.test_shots,
        grouping=measurement.grouping,
        mitigation=mitigation,
        extrapolation=extrapolation,
        replication=measurement.replication(shots),
        trained_only=True,
        equal_nudges=config.contrast.equal_nudges,
        shots_by_error=config.measurement.shots_by_error,
    )
    with keys(config, "update"):
        config.update.build().check(estimator)
    _refuse_decay_without_rate(config)
    with keys(config, "execution"):
        executor = build_executor(config, seeds, network.num_qubits)
    experiment = Experiment(
        config=config,
        task=task,
        network=network,
        estimator=estimator,
        executor=executor,
        seeds=seeds,
        policy=config.contrast.schedule(measurement),
    )
    _refuse_certainty(experiment)
    _warn_about(experiment)
    warn_of_inputs(hamiltonian, network.layout.initial(seeds), task.train.inputs)
    warn_of_certain_outputs(estimator, task.train.targets)
    return experiment


def _network(config: Config, task: Task, seeds: Seeds) -> Network:
    """Build the network, with the initial weights of another run where they are named."""
    section = config.network
    network = section.build(task, seeds, reads_spins=config.cost.reads_spins)
    if section.start_weights is None:
        return network
    network = section.started(network.layout).build(task, seeds, reads_spins=config.cost.reads_spins)
    section.require_started(network.layout, seeds)
    return network


def _check_memory(config: Config, num_qubits: int) -> None:
    config.preparation.check_memory(num_qubits, config.execution, is_classical=config.network.is_classical)


def _refuse_decay_without_rate(config: Config) -> None:
    if config.training.decay_epochs is not None and config.update.decay == "constant":
        raise ConfigError(
            "training.decay_epochs: goes with a learning rate that decays, which update.decay sets; leave it out"
        )


def _refuse_certainty(experiment: Experiment) -> None:
    preparation = experiment.estimator.preparation
    if experiment.estimator.shots_by_error and (
        has_certain_outcomes(preparation) or isinstance(preparation, AnnealerPreparation)
    ):
        raise ConfigError(
            "measurement.shots_by_error: all samples have the reads of the annealer, or certain outcomes; leave it out"
        )
    if experiment.policy.active and has_certain_outcomes(experiment.estimator.preparation):
        raise ConfigError(
            f"preparation.kind: {experiment.config.preparation.kind} states of classical spins have no shot noise to "
            "weigh; give contrast.beta a number, and leave out measurement.allocation and measurement.adaptive"
        )


def _with_scaled_targets(config: Config, hamiltonian: NudgedHamiltonian, task: Task) -> Task:
    """Return the samples with regression targets scaled to the range of the outputs."""
    count = len(task.target_columns)
    if count == 0 or task.target_scaling is not None:
        return task
    reach = hamiltonian.output_reach
    if len(reach) != count:
        reach = np.tile([-1.0, 1.0], (count, 1))
    # atoms go anywhere in principle, but those between anchors and clamped atoms stay between them
    farthest = float(np.abs(task.train.inputs).max(initial=0.0)) or 1.0
    reach = np.where(np.isfinite(reach), reach, [-farthest, farthest])
    return config.task.scaled(task, reach, compares_outputs=hamiltonian.cost.compares_outputs)


def _build_cost(config: Config, network: Network, task: Task) -> Cost:
    """Build the cost. Atoms have positions and no Pauli operators."""
    if config.network.is_in_space and config.cost.strings_key is not None:
        raise ConfigError(
            f"cost.{config.cost.strings_key}: Pauli strings go with spins; for atoms use operator = "
            "'squared_error' or a "
            "loss on the outputs"
        )
    return config.cost.build(network, task)


def _warn_about(experiment: Experiment) -> None:
    network, inputs = experiment.network, experiment.task.train.inputs
    unreached = network.unreached_outputs()
    section = experiment.config.network
    if unreached:
        warn(
            UnconnectedOutputWarning,
            f"output {section.site} {', '.join(map(str, unreached))} is not connected to any input: it cannot learn "
            f"from the data; {section.connection}",
            affected=len(unreached),
        )
    if section.site == "atom":  # there are no spins to flip
        return
    weights = network.layout.initial(experiment.seeds)
    symmetric = experiment.estimator.hamiltonian.flip_symmetric(weights, inputs)
    warn(
        DegenerateGroundStateWarning,
        "nothing breaks the flip symmetry of all spins: outputs are zero, and where couplings dominate the ground "
        f"state is degenerate. Break it with {section.symmetry_breaker} values other than zero, or with inputs other "
        "than zero",
        detail=f"for {int(symmetric.sum())} of {amount(len(symmetric), 'sample')}, at the initial weights",
        affected=int(symmetric.sum()),
        of=len(symmetric),
    )
