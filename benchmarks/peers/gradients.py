"""A training step by QEP beside what users run today: parameter shift, finite differences and SPSA.

    python -m benchmarks.peers.gradients [--sizes 4,8,12] [--peers pennylane] [--rounds 3] [--shots 1000] [--store]

One step on exclusive or, a batch of four samples, a squared loss on the expectation of one qubit, equally many shots
for every circuit. The models differ: QEP trains the weights of a Hamiltonian, the others train the angles of a circuit
(two inputs as RY angles on all qubits, then `real_amplitudes` with two repetitions).
PennyLane and qiskit-machine-learning run as they come: what they send to a device is counted by PennyLane's tracker,
and by a simulator that counts what it is given. Steps of finite differences and SPSA are 0.5, because the defaults of
PennyLane (1e-7 and 1e-5) and qiskit-machine-learning (1e-6) are for exact expectations.

* jobs, circuits, executions: of the step, with the loss; QPU seconds: by the price model of `qep plan` on a snapshot of
  a device (fake_torino, extra ``ibm``), with the duration of the transpiled circuits; two-qubit gates: of one circuit
  there.
* CPU s, clock s: of the simulation on one core, processor time and time on the clock, medians over rounds, all methods
  in turn.
* gradient, error: length of the exact gradient of the model, and of the difference to it (root mean square over
  rounds); for QEP the bias of the nudge and of the ramp is part of it. Both depend on the weights, and errors of two
  models say little about which of them learns faster.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from qiskit import QuantumCircuit, transpile  # noqa: E402
from qiskit.circuit import ParameterVector  # noqa: E402
from qiskit.circuit.library import real_amplitudes  # noqa: E402
from qiskit.providers import BackendV2  # noqa: E402
from qiskit.quantum_info import SparsePauliOp  # noqa: E402
from qiskit_aer import AerSimulator  # noqa: E402

import qep_qiskit as qep  # noqa: E402
from benchmarks.peers.stored import FOLDER, write_results  # noqa: E402
from benchmarks.shown import show, whole_numbers  # noqa: E402
from qep_qiskit.device.usage import qpu_seconds_price  # noqa: E402
from qep_qiskit.execution.aer import fake_device  # noqa: E402
from qep_qiskit.execution.on_device import circuit_facts, rep_delay_of  # noqa: E402
from qep_qiskit.plan.estimate import estimate_run  # noqa: E402
from qep_qiskit.runs.versions import installed_version  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
INPUTS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
TARGETS = np.array([-1.0, 1.0, 1.0, -1.0])
_REPEATS, _STEP = 2, 0.5
_PACKAGES = {"PennyLane": ("pennylane", "pennylane-lightning"), "qiskit-ml": ("qiskit-machine-learning",)}


@dataclass(slots=True, kw_only=True)
class Counts:
    """What was sent to a device.

    Args:
        jobs: Number of jobs.
        circuits: Number of bound circuits.
        executions: Sum of shots over them.
    """

    jobs: int = 0
    circuits: int = 0
    executions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A way to a gradient.

    Args:
        name: Its name in the table.
        numbers: How many numbers are trained.
        gradient: Returns the gradient of round k and what it has sent.
        exact: The exact gradient of the same model.
        gates: Two-qubit gates of one circuit on the device.
        seconds: Duration of one circuit on the device.
    """

    name: str
    numbers: int
    gradient: Callable[[int], tuple[NDArray, Counts]]
    exact: NDArray
    gates: int
    seconds: float


def by_qep(spins: int, shots: int, device: BackendV2 | None) -> Method:
    """A step of `configs/xor.toml` on a chain.

    Args:
        spins: Number of spins.
        shots: Shots per circuit.
        device: What the circuits are transpiled for; its figures are zero without one.
    """
    changes = ["network.graph=chain", f"network.num_spins={spins}", f"measurement.shots={shots}", "training.epochs=1"]
    experiment = qep.from_file(ROOT / "configs" / "xor.toml", [*changes, "execution.backend=statevector"])
    trainer = experiment.trainer()
    estimator, weights = trainer.estimator, trainer.weights
    samples = (trainer.task.train.inputs, trainer.task.train.targets)
    exact = qep.exact_gradient(estimator.hamiltonian, weights, *samples).gradient
    program = estimate_run(experiment, device).programs[0] if device else None

    def gradient(number: int) -> tuple[NDArray, Counts]:
        executor = _CountingExecutor(qep.Seeds(number))
        work = estimator.estimate(weights, *samples, qep.RequestKey("benchmark", number))
        estimate, usage = qep.run_measurements(work, executor)
        return estimate.gradient, Counts(jobs=executor.jobs, circuits=usage.circuits, executions=usage.shots)

    return Method(
        name="QEP",
        numbers=len(weights),
        gradient=gradient,
        exact=exact,
        gates=program.two_qubit_gates if program else 0,
        seconds=program.circuit_seconds if program else 0.0,
    )


class _CountingExecutor(qep.StatevectorExecutor):
    jobs = 0

    def submit(self, request):
        self.jobs += 1
        return super().submit(request)


@dataclass(frozen=True, slots=True)
class _Model:
    """The circuit whose angles others train.

    Args:
        qubits: Number of qubits.
    """

    qubits: int
    inputs: ParameterVector = field(default_factory=lambda: ParameterVector("x", 2))
    ansatz: QuantumCircuit = field(init=False)

    def __post_init__(self) -> None:
        ansatz = real_amplitudes(self.qubits, entanglement="linear", reps=_REPEATS)
        object.__setattr__(self, "ansatz", ansatz)

    @property
    def circuit(self) -> QuantumCircuit:
        circuit = QuantumCircuit(self.qubits)
        for qubit in range(self.qubits):
            circuit.ry(self.inputs[qubit % 2], qubit)
        return circuit.compose(self.ansatz)

    @property
    def angles(self) -> NDArray:
        return np.random.default_rng(self.qubits).uniform(-1.0, 1.0, self.ansatz.num_parameters)

    def on_device(self, device: BackendV2 | None) -> tuple[int, float]:
        """Two-qubit gates and duration of the measured circuit."""
        if device is None:
            return 0, 0.0
        circuit = self.circuit
        circuit.measure_all()
        facts = circuit_facts(transpile(circuit, device, optimization_level=3, seed_transpiler=0), device.target)
        return facts.two_qubit_gates, facts.seconds


def by_pennylane(qubits: int, shots: int, device: BackendV2 | None) -> list[Method]:
    """PennyLane's own rules, on two of its simulators.

    Args:
        qubits: Number of qubits.
        shots: Shots per circuit.
        device: What the circuits are transpiled for.
    """
    import pennylane as qml
    from pennylane import numpy as trainable

    model = _Model(qubits)
    gates, seconds = model.on_device(device)

    def loss_on(simulator: Any, method: str, shots: int | None, settings: dict[str, float]) -> Callable[[Any], Any]:
        @qml.qnode(simulator, diff_method=method, gradient_kwargs=settings)
        def output(x, angles):
            for qubit in range(qubits):
                qml.RY(x[qubit % 2], wires=qubit)
            for layer in range(_REPEATS + 1):
                for qubit in range(qubits):
                    qml.RY(angles[layer * qubits + qubit], wires=qubit)
                for qubit in range(qubits - 1 if layer < _REPEATS else 0):
                    qml.CNOT(wires=[qubit, qubit + 1])
            return qml.expval(qml.PauliZ(qubits - 1))

        shown = qml.set_shots(output, shots) if shots else output
        return lambda angles: (
            sum((shown(x, angles) - y) ** 2 for x, y in zip(INPUTS, TARGETS, strict=True)) / len(INPUTS)
        )

    angles = trainable.array(model.angles, requires_grad=True)
    exact = np.asarray(qml.grad(loss_on(qml.device("default.qubit", wires=qubits), "backprop", None, {}))(angles))

    def method_of(simulator: str, rule: str) -> Method:
        settings = {} if rule == "parameter-shift" else {"h": _STEP}

        def gradient(number: int) -> tuple[NDArray, Counts]:
            where = qml.device(simulator, wires=qubits, seed=number)
            with qml.Tracker(where) as tracker:
                found = np.asarray(qml.grad(loss_on(where, rule, shots, settings))(angles))
            sent = tracker.totals
            counts = Counts(jobs=sent["batches"], circuits=sent["executions"], executions=sent["shots"])
            return found, counts

        name = f"PennyLane {simulator}, {rule}"
        return Method(name=name, numbers=len(angles), gradient=gradient, exact=exact, gates=gates, seconds=seconds)

    return [
        method_of(s, r)
        for s in ("default.qubit", "lightning.qubit")
        for r in ("parameter-shift", "finite-diff", "spsa")
    ]


class _CountingSimulator(AerSimulator):
    """Aer, which counts what it is given."""

    def run(self, circuits, *arguments, **options):
        circuits = circuits if isinstance(circuits, list) else [circuits]
        self.counts.jobs += 1
        self.counts.circuits += len(circuits)
        self.counts.executions += len(circuits) * options["shots"]
        return super().run(circuits, *arguments, **options)


def by_qiskit(qubits: int, shots: int, device: BackendV2 | None) -> list[Method]:
    """The networks of qiskit-machine-learning with its gradients, on the primitives for backends of Qiskit.

    Args:
        qubits: Number of qubits.
        shots: Shots per circuit.
        device: What the circuits are transpiled for.
    """
    from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2, StatevectorEstimator
    from qiskit.transpiler import generate_preset_pass_manager
    from qiskit_machine_learning.gradients import (
        ParamShiftEstimatorGradient,
        ParamShiftSamplerGradient,
        SPSAEstimatorGradient,
    )
    from qiskit_machine_learning.neural_networks import EstimatorQNN, SamplerQNN

    model = _Model(qubits)
    gates, seconds = model.on_device(device)
    observable = SparsePauliOp.from_sparse_list([("Z", [qubits - 1], 1.0)], num_qubits=qubits)
    shared = {
        "circuit": model.circuit,
        "input_params": list(model.inputs),
        "weight_params": list(model.ansatz.parameters),
    }
    passes = generate_preset_pass_manager(optimization_level=1, backend=AerSimulator())

    def of_estimator(rule: Callable[..., Any], **settings: Any) -> Callable[[AerSimulator, int], Any]:
        def network(simulator: AerSimulator, seed: int) -> Any:
            precision = {"default_precision": shots**-0.5, "seed_simulator": seed}
            estimator = BackendEstimatorV2(backend=simulator, options=precision)
            chosen = settings | ({"seed": seed} if settings else {})
            return EstimatorQNN(
                **shared,
                observables=observable,
                estimator=estimator,
                gradient=rule(estimator, pass_manager=passes, **chosen),
                default_precision=shots**-0.5,
                pass_manager=passes,
            )

        return network

    def of_sampler(simulator: AerSimulator, seed: int) -> Any:
        sampler = BackendSamplerV2(backend=simulator, options={"default_shots": shots, "seed_simulator": seed})
        return SamplerQNN(
            **shared,
            sampler=sampler,
            gradient=ParamShiftSamplerGradient(sampler),  # its circuit is transpiled already
            interpret=lambda bits: bits >> (qubits - 1) & 1,
            output_shape=2,
            pass_manager=passes,
        )

    perfect = StatevectorEstimator()
    exact_network = EstimatorQNN(
        **shared,
        observables=observable,
        estimator=perfect,
        gradient=ParamShiftEstimatorGradient(perfect),
        default_precision=0.0,
    )
    exact = _of_loss(exact_network, model.angles)

    def method_of(name: str, network: Callable[[AerSimulator, int], Any]) -> Method:
        def gradient(number: int) -> tuple[NDArray, Counts]:
            simulator = _CountingSimulator(method="statevector", max_parallel_threads=1)
            simulator.counts = Counts()
            return _of_loss(network(simulator, 1 + number), model.angles), simulator.counts

        name = f"qiskit-ml {name}"
        return Method(
            name=name, numbers=len(model.angles), gradient=gradient, exact=exact, gates=gates, seconds=seconds
        )

    return [
        method_of("EstimatorQNN, parameter shift", of_estimator(ParamShiftEstimatorGradient)),
        method_of("SamplerQNN, parameter shift", of_sampler),
        method_of("EstimatorQNN, SPSA", of_estimator(SPSAEstimatorGradient, epsilon=_STEP)),
    ]


def _of_loss(network: Any, angles: NDArray) -> NDArray:
    """Gradient of the mean squared loss, from a forward and a backward pass."""
    outputs, (_, slopes) = network.forward(INPUTS, angles), network.backward(INPUTS, angles)
    if outputs.shape[1] == 2:  # probabilities of the bit
        outputs, slopes = outputs[:, :1] - outputs[:, 1:], np.asarray(slopes)[:, :1] - np.asarray(slopes)[:, 1:]
    return np.mean(2.0 * (outputs[:, 0] - TARGETS)[:, None] * np.asarray(slopes)[:, 0], axis=0)


def methods_of(size: int, shots: int, device: BackendV2 | None, peers: Sequence[str]) -> list[Method]:
    """QEP, and what is asked for and installed of the others."""
    found = [by_qep(size, shots, device)]
    for name, make in {"PennyLane": by_pennylane, "qiskit-ml": by_qiskit}.items():
        if any(part.lower() in name.lower() for part in peers) and not missing(name):
            found += make(size, shots, device)
    return found


def missing(name: str) -> list[str]:
    """Distributions of a library that are not installed."""
    return [package for package in _PACKAGES[name] if installed_version(package) is None]


def rows_of(methods: Sequence[Method], rounds: int, device: BackendV2 | None) -> list[dict[str, Any]]:
    """The table of one size; all methods take turns."""
    seconds: dict[str, list[tuple[float, float]]] = {one.name: [] for one in methods}
    errors: dict[str, list[float]] = {one.name: [] for one in methods}
    sent: dict[str, Counts] = {}
    for number in range(rounds + 1):
        for one in methods:
            start = time.process_time(), time.perf_counter()
            found, sent[one.name] = one.gradient(number)
            if number > 0:  # the first round warms up
                seconds[one.name].append((time.process_time() - start[0], time.perf_counter() - start[1]))
                errors[one.name].append(float(np.linalg.norm(found - one.exact)))
    price = qpu_seconds_price(rep_delay_of(device)) if device else None
    rows = []
    for one in methods:
        counts = sent[one.name]
        row = {"": one.name, "numbers": one.numbers} | {
            name: getattr(counts, name) for name in ("jobs", "circuits", "executions")
        }
        if price is not None:
            charge = price.of(jobs=counts.jobs, executions=counts.executions, circuit_seconds=one.seconds)
            row |= {"QPU s": f"{charge:.1f}", "two-qubit gates": one.gates}
        error = float(np.sqrt(np.mean(np.square(errors[one.name]))))
        cpu, wall = np.median(seconds[one.name], axis=0)
        row |= {"CPU s": f"{cpu:.2g}", "clock s": f"{wall:.2g}"}
        rows.append(row | {"gradient": f"{np.linalg.norm(one.exact):.2f}", "error": f"{error:.2f}"})
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=whole_numbers, default=(4, 8, 12), help="numbers of spins and qubits")
    parser.add_argument("--peers", default="", help="parts of names of libraries; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shots", type=int, default=1000, help="of every circuit")
    parser.add_argument("--device", default="fake_torino", help="snapshot of the price model; empty for none")
    parser.add_argument("--store", action="store_true", help="write the tables to --folder")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    qep.set_jobs(1)
    for name in _PACKAGES:
        if lacking := missing(name):
            print(f"{name} is left out: {' and '.join(lacking)} missing (benchmarks/peers/requirements.txt)")
    for size in options.sizes:
        device = fake_device(options.device, size) if options.device else None
        methods = methods_of(size, options.shots, device, options.peers.split(","))
        rows = rows_of(methods, options.rounds, device)
        show(
            [list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)], title=f"\n{size} spins or qubits"
        )
        if options.store:
            packages = [one for some in _PACKAGES.values() for one in some if installed_version(one) is not None]
            command = f"python -m benchmarks.peers.gradients --sizes {size} --rounds {options.rounds} --store"
            notes = {
                "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
                "shots": f"{options.shots} a circuit",
            }
            path = options.folder / f"gradients_{size}.csv"
            write_results(path, rows, command, packages=[*packages, "qiskit-ibm-runtime"], notes=notes)


if __name__ == "__main__":
    main()
