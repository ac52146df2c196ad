"""Executors on Qiskit Aer, which only this module imports.

In ideal simulations one evolution serves all commuting groups: the state vector is saved once and numpy measures it in
every basis. Noise on few qubits is simulated with density matrices; noise on many, and matrix product states, with
measured circuits.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any, Literal

# OpenMP threads that wait actively make two threads slower than one; must be set before Aer is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.core.cache import Cache
from qep_qiskit.core.errors import NEEDS_RUNTIME, ConfigError, ResourceError, ResultError
from qep_qiskit.core.jobs import current_jobs
from qep_qiskit.core.limits import check_value
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.program import LayerProgram, to_circuit_per_gate
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution.circuits import Transpile, gate_values, transpile_on
from qep_qiskit.execution.interface import Executor
from qep_qiskit.execution.noisy import MOST_QUBITS, ExecutorPerProgram, NoisyExecutor
from qep_qiskit.execution.readout_errors import ReadoutErrors
from qep_qiskit.execution.sampler_executor import SamplerExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.sampling import VectorExecutor
from qep_qiskit.execution.surviving_signal import surviving_signal, warn_of_lost_signal
from qep_qiskit.execution.transpilation import cut_to_active_qubits, without_measurement
from qep_qiskit.execution.truncation import TruncatingExecutor
from qep_qiskit.outcomes.checks import require_probabilities
from qep_qiskit.outcomes.states import CircuitStates

Method = Literal["statevector", "density_matrix", "matrix_product_state", "automatic"]

_AMPLITUDES_PER_CALL = 1 << 24
_BINDINGS_PER_CALL = 256
# Aer declares 63 qubits for matrix product states and the transpiler applies it; the simulation has no such limit.
_MOST_QUBITS_OF_MPS = 1024
_ONE_QUBIT_GATES = ["rx", "ry", "rz", "h", "x", "s", "sdg", "sx", "u"]
_TWO_QUBIT_GATES = ["rxx", "rzz", "cx", "cz", "ecr"]


def _simulator_options() -> dict[str, int]:
    """Return options that compute as many states at a time as there are jobs, each on one thread."""
    return {"max_parallel_threads": 1, "max_parallel_experiments": current_jobs()}


class AerExecutor(VectorExecutor):
    """Simulates ideal circuits by state vectors; every state is evolved once, whatever the number of groups.

    Args:
        seeds: Root of the random streams.
        device: ``"CPU"``, or ``"GPU"`` where Aer is built for it.
        precision: Precision of the state vectors, ``"double"`` or ``"single"``.

    Example:
        >>> program, angles = qep.hardware_efficient(1, depth=0), np.array([[np.pi / 3, 0.0]])
        >>> states = qep.CircuitStates(program=program, parameters=angles)
        >>> qep.AerExecutor(qep.Seeds(0)).vectors(states).round(3)
        array([[0.866+0.j, 0.5  +0.j]])
    """

    def __init__(self, seeds: Seeds, *, device: Literal["CPU", "GPU"] = "CPU", precision: Precision = "double") -> None:
        super().__init__(seeds)
        check_value("precision", precision, Precision)
        self._simulator = AerSimulator(method="statevector", device=device, precision=precision, **_simulator_options())
        self._type = np.dtype(Arithmetic(precision=precision).complex)
        self._circuits: Cache[LayerProgram, QuantumCircuit] = Cache()

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complexfloating]:
        """Simulate the state vectors of circuits, shape (states, 2^N), in few Aer calls."""
        require_memory(prepared.num_qubits, 5 * self._type.itemsize, "a state vector simulation")
        circuit = self._circuits.of(prepared.program, lambda: _saving_the_vector(prepared.program))
        values = gate_values(prepared.program, prepared.parameters)
        per_call = max(1, _AMPLITUDES_PER_CALL >> prepared.num_qubits)
        chunks = [values[start : start + per_call] for start in range(0, len(values), per_call)]
        return np.concatenate([self._evolve(circuit, chunk) for chunk in chunks])

    def _evolve(self, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.complexfloating]:
        binds = {parameter: values[:, parameter.index].tolist() for parameter in circuit.parameters}
        result = self._simulator.run(circuit, parameter_binds=[binds], shots=1).result()
        found = _saved(result, "statevector", len(values), f"{self._simulator.name}: circuit '{circuit.name}'")
        return found.astype(self._type, copy=False)  # Aer returns the numbers of both precisions as double


def _saving_the_vector(program: LayerProgram) -> QuantumCircuit:
    circuit = to_circuit_per_gate(program)
    circuit.save_statevector()
    return circuit


def aer_sampler_executor(
    seeds: Seeds,
    *,
    noise_model: NoiseModel | None = None,
    method: Method = "automatic",
    backend: AerSimulator | None = None,
    device: Literal["CPU", "GPU"] = "CPU",
    max_bond_dimension: int | None = None,
    place: Transpile | None = None,
) -> SamplerExecutor:
    """Make an executor of measured circuits on Aer: with noise, another simulation method, or a simulated device.

    Args:
        seeds: Root of the random streams.
        noise_model: Aer noise model, or None for ideal circuits.
        method: Aer's simulation method.
        backend: A configured simulator (with the coupling map and noise of a device) to use instead.
        device: ``"CPU"`` or ``"GPU"``.
        max_bond_dimension: Largest number of Schmidt coefficients at a bond of a matrix product state, or None for all
            that exceed Aer's truncation threshold (discarded squares of 1e-16).
        place: Transpiles programs, where not for the simulator itself.
    """
    options: dict[str, Any] = {"method": method, "noise_model": noise_model, "device": device}
    if method == "matrix_product_state":
        options["n_qubits"] = _MOST_QUBITS_OF_MPS
        options["matrix_product_state_max_bond_dimension"] = max_bond_dimension
    simulator = backend or AerSimulator(**options)
    simulator.set_options(**_simulator_options())

    def sampler(seed: int) -> SamplerV2:
        return SamplerV2.from_backend(simulator, seed=seed)

    if method == "matrix_product_state" and backend is None and max_bond_dimension is not None:
        executor = TruncatingExecutor(simulator, seeds, optimization_level=1, sampler_factory=sampler, place=place)
        executor.truncating = simulator
        return executor
    return SamplerExecutor(simulator, seeds, optimization_level=1, sampler_factory=sampler, place=place)


def aer_noisy_executor(
    seeds: Seeds, *, noise_model: NoiseModel, device: Literal["CPU", "GPU"] = "CPU"
) -> NoisyExecutor:
    """Make an executor of noisy circuits by density matrices, for up to about ten qubits.

    Args:
        seeds: Root of the random streams.
        noise_model: Aer noise model; its readout errors must be of single qubits.
        device: ``"CPU"`` or ``"GPU"``.
    """
    simulator = AerSimulator(noise_model=noise_model, device=device)
    return NoisyExecutor(transpile_on(simulator, seeds, 1), _DensityMatrices(simulator), seeds)


def device_executor(
    device: BackendV2,
    seeds: Seeds,
    *,
    measured_circuits: bool = False,
    layout: Sequence[int] | None = None,
    options: SamplerOptions | None = None,
) -> ExecutorPerProgram:
    """Make an executor that simulates a device with its noise, on the qubits in use.

    Every program is laid out on the whole device once, on qubits with small errors.

    Args:
        device: Gates and errors of a device: a snapshot such as that of `fake_device`, or a live device.
        seeds: Root of the random streams, and of the layout.
        measured_circuits: Whether to simulate single shots of measured circuits, also where a density matrix is
            affordable.
        layout: Initial qubits of the device for all programs; None for the transpiler's choice.
        options: Options of IBM's sampler. Where they change the gates, circuits run through it, shot by shot.

    Example:
        >>> from qiskit.providers.fake_provider import GenericBackendV2
        >>> executor = qep.device_executor(GenericBackendV2(num_qubits=2, seed=1), qep.Seeds(0))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("ZZ"), masks=(1,))
        >>> states = qep.CircuitStates(program=qep.hardware_efficient(2, depth=1), parameters=np.zeros((1, 8)))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=None)
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
        >>> executor.collect(executor.submit(request)).moments(0, group).means.item() < 1.0
        True
    """

    def make(program: LayerProgram) -> Executor:
        transpiled_program = cut_to_active_qubits(transpile_on(device, seeds, 3, layout)(program))
        warn_of_lost_signal(surviving_signal(transpiled_program), device.name)
        simulator = AerSimulator.from_backend(transpiled_program.backend)
        if options is not None and options.changes_gates:
            from qep_qiskit.execution.ibm_local import LocalIbmExecutor

            simulator.set_options(**_simulator_options())
            return LocalIbmExecutor(simulator, seeds, options, place=lambda _: transpiled_program)
        if measured_circuits or transpiled_program.circuit.num_qubits > MOST_QUBITS:
            return aer_sampler_executor(seeds, backend=simulator, place=lambda _: transpiled_program)
        return NoisyExecutor(lambda _: transpiled_program, _DensityMatrices(simulator), seeds)

    return ExecutorPerProgram(make, seeds)


class _DensityMatrices:
    """Simulates exact noisy distributions, one evolution of a density matrix for every binding."""

    def __init__(self, simulator: AerSimulator) -> None:
        simulator.set_options(method="density_matrix", **_simulator_options())
        self._simulator = simulator
        self._confusions = _confusions_of(simulator.options.noise_model)

    def __call__(self, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.float64]:
        """Probabilities of the measured bits, shape (bindings, 2^bits)."""
        open_ended, outputs = without_measurement(circuit)
        open_ended.save_probabilities(list(outputs))
        chunks = [values[start : start + _BINDINGS_PER_CALL] for start in range(0, len(values), _BINDINGS_PER_CALL)]
        found = np.concatenate([self._run(open_ended, circuit, chunk) for chunk in chunks])
        require_probabilities(found, f"{self._simulator.name}: circuit '{circuit.name}'")
        return self._errors(outputs).blurred(np.maximum(found, 0.0))

    def readout(self, circuit: QuantumCircuit) -> ReadoutErrors:
        """Readout errors of the bits of a circuit."""
        return self._errors(without_measurement(circuit)[1])

    def _errors(self, outputs: Sequence[int]) -> ReadoutErrors:
        others = self._confusions.get(None, (0.0, 0.0))
        return ReadoutErrors(flip_probabilities=np.array([self._confusions.get(qubit, others) for qubit in outputs]).T)

    def _run(self, open_ended: QuantumCircuit, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.float64]:
        binds = {parameter: values[:, column].tolist() for column, parameter in enumerate(circuit.parameters)}
        result = self._simulator.run(open_ended, parameter_binds=[binds] if binds else None, shots=1).result()
        return _saved(result, "probabilities", len(values), f"{self._simulator.name}: circuit '{circuit.name}'")


def _saved(result: Any, kind: str, rows: int, name: str) -> NDArray:
    """Data that every binding saved, shape (rows, ...).

    Raises:
        ResultError: The simulation failed, or saved no such data.
    """
    if not result.success or len(result.results) != rows:
        status = next((found.status for found in result.results if not found.success), result.status)
        raise ResultError(f"{name}: Aer could not run it ({status})")
    return np.stack([np.asarray(result.data(row)[kind]) for row in range(rows)])


def _confusions_of(noise_model: NoiseModel | None) -> dict[int | None, tuple[float, float]]:
    """Flip probabilities by qubit, those of all other qubits under None.

    Raises:
        ConfigError: An error flips several bits together.
    """
    found: dict[int | None, tuple[float, float]] = {}
    for error in [] if noise_model is None else noise_model.to_dict()["errors"]:
        if error["type"] != "roerror":
            continue
        matrix = np.asarray(error["probabilities"])
        if matrix.shape != (2, 2):
            raise ConfigError(
                "execution: readout errors that flip several bits together have no exact distribution here; "
                "use measured circuits"
            )
        for qubits in error.get("gate_qubits", [(None,)]):
            found[qubits[0]] = (float(matrix[0, 1]), float(matrix[1, 0]))
    return found


def depolarizing_noise(*, one_qubit: float = 0.0, two_qubit: float = 0.0, readout: float = 0.0) -> NoiseModel:
    """Build a noise model from three error probabilities.

    Args:
        one_qubit: Depolarising probability after every one-qubit gate.
        two_qubit: Depolarising probability after every two-qubit gate.
        readout: Probability that a measured bit is flipped.
    """
    model: Any = NoiseModel()
    if one_qubit > 0:
        model.add_all_qubit_quantum_error(depolarizing_error(one_qubit, 1), _ONE_QUBIT_GATES)
    if two_qubit > 0:
        model.add_all_qubit_quantum_error(depolarizing_error(two_qubit, 2), _TWO_QUBIT_GATES)
    if readout > 0:
        model.add_all_qubit_readout_error(ReadoutError([[1 - readout, readout], [readout, 1 - readout]]))
    return model


def require_device(device: str) -> None:
    """Check that Aer can simulate on a device.

    Raises:
        ConfigError: The installed Aer does not support the device.
    """
    available = AerSimulator().available_devices()
    if device not in available:
        raise ConfigError(
            f"device: this qiskit-aer cannot simulate on '{device}', only on {', '.join(available)}; "
            "install qiskit-aer-gpu for a GPU"
        )


def fake_device(name: str, num_qubits: int) -> BackendV2:
    """Return the snapshot of an IBM device, such as ``"fake_manila"``.

    Raises:
        ConfigError: qiskit-ibm-runtime, which contains the snapshots, is not installed, or has no such snapshot.
        ResourceError: The device has too few qubits.
    """
    try:
        from qiskit_ibm_runtime import fake_provider
    except ImportError as error:
        raise ConfigError(f"backend: '{name}' {NEEDS_RUNTIME}") from error
    # By class and not through the provider, which loads all 68 snapshots.
    named = ((getattr(found, "backend_name", None), found) for found in vars(fake_provider).values())
    devices = {found_name: found for found_name, found in named if isinstance(found_name, str)}
    if name not in devices:
        nearest = difflib.get_close_matches(name, devices, n=3, cutoff=0.0)
        raise ConfigError(f"backend: there is no '{name}'; the nearest names are {', '.join(nearest)}")
    device: BackendV2 = devices[name]()
    if device.num_qubits < num_qubits:
        raise ResourceError(f"backend: {name} has {amount(device.num_qubits, 'qubit')}, the network needs {num_qubits}")
    return device
