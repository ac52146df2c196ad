"""From a checked configuration to the objects of a run. Nothing is written here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from qep_qiskit.config.build_atoms import shots_of
from qep_qiskit.config.build_cost import build_cost
from qep_qiskit.config.build_executor import build_executor, build_extrapolation, build_mitigation, is_remote
from qep_qiskit.config.build_local_device import settled
from qep_qiskit.config.build_network import AnyNetwork, build_network, num_spins
from qep_qiskit.config.build_preparation import (
    build_preparation,
    check_memory,
    exact_counterpart,
    has_certain_outcomes,
)
from qep_qiskit.config.build_spending import build_contrast, build_policy, build_replication
from qep_qiskit.config.load import load_config
from qep_qiskit.config.schema import (
    Config,
    CsvTask,
    DigitsTask,
    LossCost,
    MoonsTask,
    NoDataTask,
    ParityTask,
    PhasesTask,
    UpdateConfig,
)
from qep_qiskit.config.schema_springs import SpringsConfig
from qep_qiskit.errors import (
    ConfigError,
    DataError,
    DegenerateGroundStateWarning,
    UnconnectedOutputWarning,
)
from qep_qiskit.execution import Executor, PointExecutor, VectorExecutor
from qep_qiskit.learning import (
    Adam,
    Callback,
    FluctuationEstimator,
    GradientDescent,
    GradientEstimator,
    Momentum,
    Optimizer,
    Schedule,
    Spending,
    SpendingPolicy,
    Trainer,
    TrainingSettings,
    TrainingState,
    Update,
)
from qep_qiskit.learning.task_check import check_task, warn_of_inputs
from qep_qiskit.network import GridNetwork, SpringNetwork
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import Responding
from qep_qiskit.seeds import Seeds
from qep_qiskit.short_repr import short_repr
from qep_qiskit.tasks import (
    Task,
    TaskOptions,
    csv_task,
    digits_task,
    moons_task,
    no_data_task,
    parity_task,
    phases_task,
    scale_targets,
    xor_task,
)
from qep_qiskit.warning_log import WarningLog, counting_warnings, warn

__all__ = ["Experiment", "build", "from_file"]

_SYMMETRY_BREAKERS = {
    "classical_ising": "[network.biases]",
    "ising": "[network.biases]",
    "pauli": "terms such as Z0, with weights that start from",
}
_CONNECTIONS = {
    "classical_ising": "add edges, or link inputs to its part of the graph",
    "ising": "add edges, or link inputs to its part of the graph",
    "pauli": "add terms that join it to the spins with inputs",
    "oscillators": "add springs that lead to a clamped atom",
    "elastic": "add springs that lead to a clamped atom",
}


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """The objects of a run, built from one configuration.

    Args:
        config: The configuration.
        task: Samples.
        network: What learns.
        estimator: Measures gradients.
        executor: Runs requests.
        seeds: Root of the random streams.
        policy: How nudge and shots are chosen while training.
        spending: What a run has chosen, where the estimator has it; None before.
        warnings: Given when it was built.
    """

    config: Config
    task: Task
    network: AnyNetwork
    estimator: GradientEstimator
    executor: Executor
    seeds: Seeds
    policy: SpendingPolicy
    spending: Spending | None = None
    warnings: WarningLog = field(default_factory=WarningLog)

    @property
    def reference(self) -> Responding | None:
        """Who knows exact expectations and responses of this network, where it is not of qubits."""
        preparation = self.estimator.preparation
        return preparation if isinstance(preparation, Responding) else None

    @property
    def ideal(self) -> tuple[GradientEstimator, Executor]:
        """The same estimator with exact states and expectations, and where it is driven."""
        if isinstance(self.network, SpringNetwork):
            return replace(self.estimator, shots=None), PointExecutor(self.seeds)
        preparation = exact_counterpart(self.config, self.estimator.hamiltonian)
        return replace(self.estimator, preparation=preparation, shots=None), VectorExecutor(self.seeds)

    def trainer(self, callbacks: Sequence[Callback] = (), state: TrainingState | None = None) -> Trainer:
        """A trainer, new or going on from a state."""
        training = self.config.training
        trainer = Trainer(
            estimator=self.estimator,
            executor=self.executor,
            update=build_update(self.config.update),
            task=self.task,
            settings=TrainingSettings(
                epochs=training.epochs,
                batch_size=training.batch_size,
                evaluate_every=training.evaluate_every,
                evaluate_final=_evaluates_final(self.config),
            ),
            seeds=self.seeds,
            policy=self.policy,
            callbacks=callbacks,
            state=state,  # type: ignore[arg-type]
            task_is_checked=True,
        )
        if state is None:
            trainer.state.warnings.merge(self.warnings)
        return trainer


def _evaluates_final(config: Config) -> bool:
    wanted = config.training.evaluate_final
    return not is_remote(config) if wanted is None else wanted


def from_file(path: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """Build a run from a TOML file.

    Args:
        path: The configuration.
        overrides: ``key.path=value`` texts.
    """
    return build(load_config(path, overrides))


def build(config: Config, task: Task | None = None) -> Experiment:
    """Build all objects of a run.

    Args:
        config: The configuration.
        task: Samples to use instead of reading the configured ones, as when a run is resumed.

    Raises:
        QepError: Something named in the configuration cannot be had; the message is one line.
    """
    log = WarningLog()
    with counting_warnings(log):
        return replace(_built(config, task), warnings=log)


def _built(config: Config, task: Task | None) -> Experiment:
    config = settled(config)
    if not isinstance(config.network, SpringsConfig):
        check_memory(config, num_spins(config.network))
    seeds = Seeds(config.seed)
    is_new = task is None
    task = _named_build_task(config, seeds) if task is None else task
    network = build_network(config, task, seeds)
    if isinstance(network, GridNetwork):
        check_memory(config, network.num_qubits)
    cost = build_cost(config, network, task)
    hamiltonian = NudgedHamiltonian(network, cost)
    if is_new:
        task = _with_scaled_targets(config, hamiltonian, task)
    check_task(hamiltonian, task)
    make = FluctuationEstimator if config.contrast.kind == "fluctuations" else GradientEstimator
    estimator = make(
        hamiltonian=hamiltonian,
        preparation=build_preparation(config, hamiltonian, task.train.inputs, seeds),
        contrast=build_contrast(config, hamiltonian, task.train, seeds),
        shots=shots_of(config),
        test_shots=config.measurement.test_shots,
        grouping=config.measurement.grouping,
        mitigation=build_mitigation(config),
        extrapolation=build_extrapolation(config),
        replication=build_replication(config),
    )
    experiment = Experiment(
        config=config,
        task=task,
        network=network,
        estimator=estimator,
        executor=build_executor(config, seeds, network.num_qubits),
        seeds=seeds,
        policy=build_policy(config),
    )
    _refuse_certainty(experiment)
    _warn_about(experiment)
    warn_of_inputs(hamiltonian, network.layout.initial(seeds), task.train.inputs)
    return experiment


def _refuse_certainty(experiment: Experiment) -> None:
    if experiment.policy.active and has_certain_outcomes(experiment.estimator.preparation):
        raise ConfigError(
            f"preparation.kind: {experiment.config.preparation.kind} states of classical spins have no shot noise to "
            "weigh; give contrast.beta a number, and leave out measurement.allocation and measurement.adaptive"
        )


def _with_scaled_targets(config: Config, hamiltonian: NudgedHamiltonian, task: Task) -> Task:
    """Targets of a regression where outputs can take them. Other costs than squared errors know what theirs mean."""
    section = config.task
    if not isinstance(section, CsvTask) or not section.targets:
        return task
    if section.target_scaling == "auto" and not hamiltonian.cost.compares_outputs:
        return task
    reach = hamiltonian.output_reach
    if len(reach) != len(section.targets):
        reach = np.tile([-1.0, 1.0], (len(section.targets), 1))
    # atoms go anywhere in principle, but those between anchors and clamped atoms stay between them
    farthest = float(np.abs(task.train.inputs).max(initial=0.0)) or 1.0
    reach = np.where(np.isfinite(reach), reach, [-farthest, farthest])
    try:
        return scale_targets(task, section.target_scaling, reach)
    except DataError as error:
        raise DataError(f"{section.file}: {error}") from None


def _named_build_task(config: Config, seeds: Seeds) -> Task:
    """Complaints about the section name it."""
    try:
        return build_task(config, seeds)
    except ConfigError as error:
        raise ConfigError(f"task: {error}") from error


def build_task(config: Config, seeds: Seeds) -> Task:
    """Read or make the samples."""
    section = config.task
    if isinstance(section, NoDataTask):
        return no_data_task(section.targets)
    if isinstance(section, PhasesTask):
        return phases_task(section.num_samples, section.test_size, seeds=seeds, patches=section.patches)
    options = TaskOptions(input_scale=section.input_scale, amplitude=section.amplitude)
    if section.scaling is not None:
        options["scaling"] = section.scaling
    if isinstance(config.cost, LossCost) and config.cost.loss == "cross_entropy":
        options["encoding"] = "one_hot"
    if isinstance(section, CsvTask):
        return csv_task(
            section.file,
            inputs=section.inputs,
            target=section.target,
            targets=section.targets,
            classes=section.classes,
            test_fraction=section.test_fraction,
            seeds=seeds,
            **options,
        )
    if isinstance(section, ParityTask):
        return parity_task(section.num_bits, **options)
    if isinstance(section, MoonsTask):
        return moons_task(
            section.num_samples, section.noise, test_fraction=section.test_fraction, seeds=seeds, **options
        )
    if isinstance(section, DigitsTask):
        return digits_task(seeds=seeds, test_size=section.test_size, **options)
    return xor_task(**options)


def build_update(section: UpdateConfig) -> Update:
    """How weights move."""
    optimizers: dict[str, Optimizer] = {
        "gradient_descent": GradientDescent(),
        "momentum": Momentum(momentum=section.momentum),
        "adam": Adam(beta1=section.beta1, beta2=section.beta2, epsilon=section.epsilon),
    }
    schedule = Schedule(learning_rate=section.learning_rate, decay=section.decay, final_fraction=section.final_fraction)
    return Update(optimizer=optimizers[section.kind], schedule=schedule, normalize=section.normalize)


def _warn_about(experiment: Experiment) -> None:
    network, inputs = experiment.network, experiment.task.train.inputs
    unreached = network.unreached_outputs()
    site = "atom" if isinstance(network, SpringNetwork | GridNetwork) else "spin"
    if unreached:
        warn(
            UnconnectedOutputWarning,
            f"output {site} {', '.join(map(str, unreached))} is not connected to any input: it cannot learn from the "
            f"data; {_CONNECTIONS[experiment.config.network.kind]}",
            affected=len(unreached),
        )
    if site == "atom":  # there are no spins to flip
        return
    weights = network.layout.initial(experiment.seeds)
    symmetric = experiment.estimator.hamiltonian.flip_symmetric(weights, inputs)
    breaker = _SYMMETRY_BREAKERS.get(experiment.config.network.kind, "terms with")
    warn(
        DegenerateGroundStateWarning,
        "nothing breaks the flip symmetry of all spins: outputs are zero, and where couplings dominate the ground "
        f"state is degenerate. Break it with {breaker} values other than zero, or with inputs other than zero",
        detail=f"for {int(symmetric.sum())} of {len(symmetric)} samples, at the initial weights",
        affected=int(symmetric.sum()),
        of=len(symmetric),
    )
