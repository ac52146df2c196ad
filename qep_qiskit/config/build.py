"""From a checked configuration to the objects of a run. Nothing is written here."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config.build_atoms import build_atoms_at_rest, shots_of
from qep_qiskit.config.build_cost import build_cost
from qep_qiskit.config.build_executor import (
    build_executor,
    build_extrapolation,
    build_mitigation,
    is_remote,
)
from qep_qiskit.config.build_grid import build_on_grid, refuse_keys_of_oscillators
from qep_qiskit.config.build_local_device import settled
from qep_qiskit.config.build_network import AnyNetwork, build_network, num_spins
from qep_qiskit.config.build_spending import build_contrast, build_policy
from qep_qiskit.config.build_variational import build_variational
from qep_qiskit.config.load import load_config
from qep_qiskit.config.schema import (
    Config,
    CsvTask,
    DigitsTask,
    LossCost,
    MoonsTask,
    NoDataTask,
    ParityTask,
    UpdateConfig,
)
from qep_qiskit.config.schema_preparation import AdiabaticConfig, EquilibriumConfig, GaussianConfig, VariationalConfig
from qep_qiskit.config.schema_springs import SpringsConfig
from qep_qiskit.errors import (
    ConfigError,
    DegenerateGroundStateWarning,
    UnconnectedOutputWarning,
)
from qep_qiskit.execution import Executor, PointExecutor, VectorExecutor
from qep_qiskit.learning import (
    Adam,
    Callback,
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
from qep_qiskit.memory import require_memory
from qep_qiskit.network import GridNetwork, SpringNetwork
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import (
    AdiabaticPreparation,
    ExactPreparation,
    ExactResponse,
    Preparation,
    Responding,
    check_level,
)
from qep_qiskit.seeds import Seeds
from qep_qiskit.tasks import (
    Task,
    TaskOptions,
    csv_task,
    digits_task,
    moons_task,
    no_data_task,
    parity_task,
    xor_task,
)

__all__ = ["Experiment", "build", "from_file"]

_SYMMETRY_BREAKERS = {"ising": "[network.biases]", "pauli": "terms such as Z0, with weights that start from"}
_CONNECTIONS = {
    "ising": "add edges, or link inputs to its part of the graph",
    "pauli": "add terms that join it to the spins with inputs",
    "oscillators": "add springs that lead to a clamped atom",
    "elastic": "add springs that lead to a clamped atom",
}


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
    """

    config: Config
    task: Task
    network: AnyNetwork
    estimator: GradientEstimator
    executor: Executor
    seeds: Seeds
    policy: SpendingPolicy
    spending: Spending | None = None

    @property
    def reference(self) -> Responding:
        """Exact expectations and responses of this network."""
        preparation = self.estimator.preparation
        return preparation if isinstance(preparation, Responding) else ExactResponse(self.config.preparation.level)

    @property
    def ideal(self) -> tuple[GradientEstimator, Executor]:
        """The same estimator with exact states and expectations, and where it is driven."""
        if isinstance(self.network, SpringNetwork):
            return replace(self.estimator, shots=None), PointExecutor(self.seeds)
        preparation = ExactPreparation(level=self.config.preparation.level)
        return replace(self.estimator, preparation=preparation, shots=None), VectorExecutor(self.seeds)

    def trainer(self, callbacks: Sequence[Callback] = (), state: TrainingState | None = None) -> Trainer:
        """A trainer, new or going on from a state."""
        training = self.config.training
        return Trainer(
            estimator=self.estimator,
            executor=self.executor,
            update=build_update(self.config.update),
            task=self.task,
            settings=TrainingSettings(
                epochs=training.epochs,
                batch_size=training.batch_size,
                evaluate_every=training.evaluate_every,
            ),
            seeds=self.seeds,
            policy=self.policy,
            callbacks=callbacks,
            state=state,  # type: ignore[arg-type]
        )


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
    config = settled(config)
    if not isinstance(config.network, SpringsConfig):
        _check_memory(config, num_spins(config.network))
    seeds = Seeds(config.seed)
    task = _named_build_task(config, seeds) if task is None else task
    network = build_network(config, task, seeds)
    if isinstance(network, GridNetwork):
        _check_memory(config, network.num_qubits)
    cost = build_cost(config, network, task)
    hamiltonian = NudgedHamiltonian(network, cost)
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=build_preparation(config, hamiltonian, task.train.inputs, seeds),
        contrast=build_contrast(config, hamiltonian, task.train, seeds),
        shots=shots_of(config),
        grouping=config.measurement.grouping,
        mitigation=build_mitigation(config),
        extrapolation=build_extrapolation(config),
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
    _warn_about(experiment)
    return experiment


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


def build_preparation(config: Config, hamiltonian: NudgedHamiltonian, inputs: NDArray, seeds: Seeds) -> Preparation:
    """How states are reached; `inputs` are those of the training samples."""
    section, network = config.preparation, hamiltonian.network
    if isinstance(network, SpringNetwork):
        return build_atoms_at_rest(config, network)
    if isinstance(section, GaussianConfig | EquilibriumConfig):
        where = "atoms in space; leave network.grid out, or" if isinstance(network, GridNetwork) else "springs;"
        raise ConfigError(
            f"preparation.kind: '{section.kind}' goes with networks of {where} use 'exact', 'adiabatic' or "
            "'variational'"
        )
    check_level(section.level, hamiltonian.num_qubits)
    if isinstance(network, GridNetwork):
        return build_on_grid(config, hamiltonian, network, inputs, seeds)
    if isinstance(section, VariationalConfig):
        return build_variational(config, section, hamiltonian, seeds)
    if isinstance(section, AdiabaticConfig):
        refuse_keys_of_oscillators(section)
        return AdiabaticPreparation(
            total_time=section.total_time,
            steps=section.steps,
            order=section.order,
            ramp=section.ramp,
            driver_field=section.driver_field,
            driver_spread=section.driver_spread,
            level=section.level,
        )
    preparation = ExactPreparation(level=section.level, solver=section.solver, tolerance=section.tolerance)
    preparation.check_level(hamiltonian.num_qubits)
    return preparation


def build_update(section: UpdateConfig) -> Update:
    """How weights move."""
    optimizers: dict[str, Optimizer] = {
        "gradient_descent": GradientDescent(),
        "momentum": Momentum(momentum=section.momentum),
        "adam": Adam(beta1=section.beta1, beta2=section.beta2),
    }
    schedule = Schedule(learning_rate=section.learning_rate, decay=section.decay, final_fraction=section.final_fraction)
    return Update(optimizer=optimizers[section.kind], schedule=schedule, normalize=section.normalize)


def _check_memory(config: Config, num_qubits: int) -> None:
    if config.preparation.kind == "exact":
        require_memory(num_qubits, 16 * 26, "exact preparation")
        return
    if config.preparation.kind == "variational" and config.preparation.energies == "simulated":
        require_memory(num_qubits, 16 * 6, "simulating the energies")
    if config.execution.method == "density_matrix":
        require_memory(num_qubits, 2 * 16, "a density matrix simulation", bits_per_qubit=2)
    elif config.execution.method != "matrix_product_state" and not is_remote(config):
        require_memory(num_qubits, 5 * 16, "a state vector simulation")


def _warn_about(experiment: Experiment) -> None:
    network, inputs = experiment.network, experiment.task.train.inputs
    unreached = network.unreached_outputs()
    site = "atom" if isinstance(network, SpringNetwork | GridNetwork) else "spin"
    if unreached:
        warnings.warn(
            f"output {site} {', '.join(map(str, unreached))} is not connected to any input: it cannot learn from the "
            f"data; {_CONNECTIONS[experiment.config.network.kind]}",
            UnconnectedOutputWarning,
            stacklevel=3,
        )
    if isinstance(network, GridNetwork):
        return
    weights = network.layout.initial(experiment.seeds)
    symmetric = experiment.estimator.hamiltonian.flip_symmetric(weights, inputs)
    if np.any(symmetric):
        warnings.warn(
            f"for {int(symmetric.sum())} of {len(symmetric)} samples nothing breaks the flip symmetry of all spins: "
            "outputs are zero, and where couplings dominate the ground state is degenerate. Break it with "
            f"{_SYMMETRY_BREAKERS[experiment.config.network.kind]} values other than zero, or with inputs other than "
            "zero",
            DegenerateGroundStateWarning,
            stacklevel=3,
        )
