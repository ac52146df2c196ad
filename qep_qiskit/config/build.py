"""From a checked configuration to the objects of a run. Nothing is written here."""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.config.load import load_config
from qep_qiskit.config.schema import (
    AdiabaticConfig,
    Config,
    CsvTask,
    DigitsTask,
    LossCost,
    MoonsTask,
    NetworkConfig,
    NoDataTask,
    OperatorCostConfig,
    ParityTask,
    StartConfig,
    UpdateConfig,
)
from qep_qiskit.cost import Cost, CostTerm, LossOnExpectations, OperatorCost
from qep_qiskit.errors import (
    ConfigError,
    DegenerateGroundStateWarning,
    NetworkError,
    ResourceError,
    UnconnectedOutputWarning,
)
from qep_qiskit.execution import Executor, VectorExecutor
from qep_qiskit.learning import (
    Adam,
    Callback,
    Contrast,
    GradientDescent,
    GradientEstimator,
    Momentum,
    Optimizer,
    Schedule,
    Trainer,
    TrainingSettings,
    TrainingState,
    Update,
)
from qep_qiskit.losses import CrossEntropy, Loss, SquaredError
from qep_qiskit.memory import require_memory
from qep_qiskit.network import (
    ClampedInputs,
    Graph,
    IsingNetwork,
    Start,
    chain,
    complete,
    from_edges,
    heavy_hex,
    lattice,
    layered,
    ring,
)
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.operators import PauliWord, sparse_pauli_op
from qep_qiskit.preparation import AdiabaticPreparation, ExactPreparation, Preparation
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

_GRAPH_KEYS: dict[str, tuple[str, ...]] = {
    "chain": ("num_spins",),
    "ring": ("num_spins",),
    "complete": ("num_spins",),
    "lattice": ("shape",),
    "layered": ("layers",),
    "heavy_hex": ("distance",),
    "edges": ("num_spins", "edges"),
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
    """

    config: Config
    task: Task
    network: IsingNetwork
    estimator: GradientEstimator
    executor: Executor
    seeds: Seeds

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
    seeds = Seeds(config.seed)
    task = build_task(config, seeds) if task is None else task
    network = build_network(config, task)
    cost = build_cost(config, network, task)
    hamiltonian = NudgedHamiltonian(network, cost)
    shots = config.measurement.shots
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=build_preparation(config),
        contrast=Contrast(kind=config.contrast.kind, beta=config.contrast.beta),
        shots=None if shots == "exact" else shots,
    )
    _check_memory(config, network.num_qubits)
    experiment = Experiment(
        config=config,
        task=task,
        network=network,
        estimator=estimator,
        executor=build_executor(config, seeds),
        seeds=seeds,
    )
    _warn_about(experiment)
    return experiment


def build_task(config: Config, seeds: Seeds) -> Task:
    """Read or make the samples."""
    section = config.task
    if isinstance(section, NoDataTask):
        return no_data_task()
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


def build_graph(section: NetworkConfig) -> Graph:
    """The graph by its name and keys."""
    wanted = _GRAPH_KEYS[section.graph]
    for key in ("num_spins", "shape", "layers", "distance", "edges"):
        given = getattr(section, key) is not None
        if key in wanted and not given:
            raise ConfigError(f"network.{key}: this key is missing; graph = '{section.graph}' needs it")
        if given and key not in wanted:
            raise ConfigError(f"network.{key}: does not go with graph = '{section.graph}'; leave it out")
    if section.periodic and section.graph != "lattice":
        raise ConfigError(f"network.periodic: does not go with graph = '{section.graph}'; leave it out")
    values: list[Any] = [getattr(section, key) for key in wanted]
    if section.graph == "lattice":
        return lattice(*values[0], periodic=section.periodic)
    makers: dict[str, Any] = {
        "chain": chain,
        "ring": ring,
        "complete": complete,
        "layered": layered,
        "heavy_hex": heavy_hex,
        "edges": from_edges,
    }
    return makers[section.graph](*values)


def _start(section: StartConfig, default: Start) -> Start:
    """A start with the given keys, and the default's values for the others."""
    given = {
        "distribution": section.init,
        "mean": section.mean,
        "std": section.std,
        "low": section.low,
        "high": section.high,
        "values": section.values,
        "frozen": section.frozen,
        "minimum": section.min,
        "maximum": section.max,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(default, **changes)


def build_network(config: Config, task: Task) -> IsingNetwork:
    """The network, sized by the task's inputs and targets."""
    section = config.network
    graph = build_graph(section)
    outputs = section.outputs
    if outputs is None:
        count = max(1, task.train.num_targets)
        outputs = list(graph.layers[-1]) if graph.layers else list(range(graph.num_spins))[-count:]
    return IsingNetwork(
        graph=graph,
        outputs=tuple(outputs),
        inputs=_inputs(section, graph, task.train.num_inputs),
        couplings=_start(section.couplings, Start(distribution="normal", std=0.3)),
        fields=_start(section.fields, Start(mean=1.0, minimum=0.1)),
        biases=_start(section.biases, Start(distribution="normal", std=0.1)) if section.biases.enabled else None,
    )


def _inputs(section: NetworkConfig, graph: Graph, count: int) -> ClampedInputs | None:
    if count == 0:
        return None
    given = section.inputs
    if given.mode == "fields":
        spins = given.spins or list(graph.layers[0] if graph.layers else range(graph.num_spins))[:count]
        if len(spins) != count:
            raise NetworkError(
                f"network.inputs.spins: the task has {count} inputs, each needs an input spin of its own; "
                f"there are {len(spins)}"
            )
        return ClampedInputs.as_fields(spins, given.strength)
    start = _start(given, Start(distribution="normal", std=0.3))
    if given.links is not None:
        return ClampedInputs(count=count, links=tuple((a, k) for a, k in given.links), start=start)
    spins = given.spins or list(graph.layers[0] if graph.layers else range(graph.num_spins))
    return ClampedInputs.all_to(count, spins, start)


def build_cost(config: Config, network: IsingNetwork, task: Task) -> Cost:
    """Operator cost or loss on expectations."""
    section, size = config.cost, network.num_qubits
    if isinstance(section, OperatorCostConfig):
        return _operator_cost(section, network, task)
    if section.observables is not None:
        observables = tuple(_observable(text, size) for text in section.observables)
        return LossOnExpectations(observables, _loss(section))
    return LossOnExpectations.on_spins(network.outputs, size, _loss(section))


def _observable(text: str, num_qubits: int) -> SparsePauliOp:
    word = PauliWord.parse(text)
    if word.max_qubit >= num_qubits:
        raise NetworkError(
            f"cost.observables: '{text}' names a spin out of range; there are {num_qubits} spins, 0 to {num_qubits - 1}"
        )
    return sparse_pauli_op([(word, 1.0)], num_qubits)


def _operator_cost(section: OperatorCostConfig, network: IsingNetwork, task: Task) -> OperatorCost:
    if (section.operator is None) == (not section.terms):
        raise ConfigError("cost: an operator cost needs either operator = 'squared_error' or a list of terms")
    targets = task.train.num_targets
    if section.operator is not None:
        if targets != len(network.outputs):
            raise ConfigError(
                f"cost.operator: squared_error needs one target per output, got {targets} targets for "
                f"{len(network.outputs)} outputs"
            )
        return OperatorCost.squared_error(network.outputs, network.num_qubits)
    beyond = [term.target for term in section.terms if term.target is not None and term.target >= targets]
    if beyond:
        raise ConfigError(f"cost.terms: target {beyond[0]} is out of range; the task has {targets} target numbers")
    terms = [
        CostTerm(word=PauliWord.parse(term.pauli), coefficient=term.coefficient, target=term.target)
        for term in section.terms
    ]
    return OperatorCost.from_terms(terms, network.num_qubits)


def _loss(section: LossCost) -> Loss:
    if section.loss == "squared_error":
        return SquaredError()
    if section.loss == "cross_entropy":
        return CrossEntropy(section.gain)
    module, colon, name = section.loss.partition(":")
    if not colon:
        raise ConfigError(
            f"cost.loss: expected squared_error, cross_entropy or module:name of your own, got '{section.loss}'"
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"cost.loss: cannot import '{section.loss}' ({error})") from error
    finally:
        sys.path.pop(0)
    if not all(hasattr(found, method) for method in ("value", "gradient", "curvature")):
        raise ConfigError(
            f"cost.loss: '{section.loss}' has no value, gradient and curvature; wrap a plain function in CustomLoss"
        )
    return found


def build_preparation(config: Config) -> Preparation:
    """How states are reached."""
    section = config.preparation
    if isinstance(section, AdiabaticConfig):
        return AdiabaticPreparation(
            total_time=section.total_time,
            steps=section.steps,
            order=section.order,
            ramp=section.ramp,
            driver_field=section.driver_field,
        )
    return ExactPreparation(solver=section.solver, tolerance=section.tolerance)


def build_update(section: UpdateConfig) -> Update:
    """How weights move."""
    optimizers: dict[str, Optimizer] = {
        "gradient_descent": GradientDescent(),
        "momentum": Momentum(momentum=section.momentum),
        "adam": Adam(beta1=section.beta1, beta2=section.beta2),
    }
    schedule = Schedule(learning_rate=section.learning_rate, decay=section.decay, final_fraction=section.final_fraction)
    return Update(optimizer=optimizers[section.kind], schedule=schedule, normalize=section.normalize)


def build_executor(config: Config, seeds: Seeds) -> Executor:
    """Where requests run; Aer is imported only when it is needed."""
    section = config.execution
    if section.backend != "aer" and not section.backend.startswith("fake_"):
        raise ConfigError(f"execution.backend: expected 'aer' or 'fake_...', got '{section.backend}'")
    if section.backend != "aer" and section.noise is not None:
        raise ConfigError(f"execution.noise: '{section.backend}' brings the noise of its device; leave it out")
    if config.preparation.kind == "exact":
        _refuse_noise_on_exact(config)
        return VectorExecutor(seeds)
    from qep_qiskit.execution.aer import AerExecutor, aer_sampler_executor, depolarizing_noise, fake_device

    ideal = section.backend == "aer" and section.noise is None and section.method in ("automatic", "statevector")
    if ideal and not section.measured_circuits:
        return AerExecutor(seeds, device=section.device)
    if config.measurement.shots == "exact":
        raise ConfigError(
            "measurement.shots: 'exact' needs the ideal state vector (backend 'aer', no noise, "
            "measured_circuits = false); give a number of shots"
        )
    if section.backend != "aer":
        return aer_sampler_executor(seeds, backend=fake_device(section.backend))
    noise = None if section.noise is None else depolarizing_noise(**section.noise.model_dump())
    return aer_sampler_executor(seeds, noise_model=noise, method=section.method, device=section.device)


def _refuse_noise_on_exact(config: Config) -> None:
    if config.execution.backend != "aer" or config.execution.noise is not None:
        raise ConfigError(
            "execution: exact states are sampled without circuits, so a noisy backend has no meaning; "
            "use preparation.kind = 'adiabatic'"
        )


def _check_memory(config: Config, num_qubits: int) -> None:
    if config.preparation.kind == "exact":
        require_memory(num_qubits, 16 * 26, "exact preparation")
    elif config.execution.method != "matrix_product_state":
        require_memory(num_qubits, 5 * 16, "a state vector simulation")
    elif num_qubits > 62:
        raise ResourceError(f"network: {num_qubits} spins are more than the 62 this version can sample")


def _warn_about(experiment: Experiment) -> None:
    network, inputs = experiment.network, experiment.task.train.inputs
    unreached = network.unreached_outputs()
    if unreached:
        warnings.warn(
            f"output spin {', '.join(map(str, unreached))} is not connected to any input: it cannot learn from the "
            "data; add edges, or link inputs to its part of the graph",
            UnconnectedOutputWarning,
            stacklevel=3,
        )
    weights = network.layout.initial(experiment.seeds)
    symmetric = experiment.estimator.hamiltonian.flip_symmetric(weights, inputs)
    if np.any(symmetric):
        warnings.warn(
            f"for {int(symmetric.sum())} of {len(symmetric)} samples nothing breaks the flip symmetry of all spins: "
            "outputs are zero, and where couplings dominate the ground state is degenerate. Break it with "
            "[network.biases] values other than zero, or with inputs other than zero",
            DegenerateGroundStateWarning,
            stacklevel=3,
        )
