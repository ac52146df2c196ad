"""Qiskit Aer: the only module that imports it.

Where the simulation is ideal, one evolution serves all commuting groups: the state vector is saved once and
numpy reads every basis from it. Noise models and matrix product states go through measured circuits.
"""

from __future__ import annotations

import difflib
import os
from typing import Any, Literal

# OpenMP threads that wait actively make two threads slower than one; must be set before Aer is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from qep_qiskit.errors import ConfigError, QepError, ResourceError
from qep_qiskit.execution.circuits import SamplerExecutor, gate_values
from qep_qiskit.execution.sampling import VectorExecutor
from qep_qiskit.memory import require_memory
from qep_qiskit.prepared import CircuitStates
from qep_qiskit.program import LayerProgram, lower_per_gate
from qep_qiskit.seeds import Seeds

__all__ = ["AerExecutor", "aer_sampler_executor", "depolarizing_noise"]

Method = Literal["statevector", "density_matrix", "matrix_product_state", "automatic"]

_AMPLITUDES_PER_CALL = 1 << 24
# Aer declares 63 qubits for matrix product states and the transpiler heeds it; the simulation itself has no such limit.
_MOST_QUBITS_OF_MPS = 1024
_ONE_QUBIT_GATES = ["rx", "ry", "rz", "h", "x", "s", "sdg", "sx", "u"]
_TWO_QUBIT_GATES = ["rxx", "rzz", "cx", "cz", "ecr"]
_SIMULATOR_OPTIONS = {"max_parallel_threads": 1, "max_parallel_experiments": os.cpu_count() or 1}


class AerExecutor(VectorExecutor):
    """Ideal state-vector simulation; every state is evolved once, whatever the number of groups.

    Args:
        seeds: Root of the random streams.
        device: ``"CPU"`` or ``"GPU"``, where Aer was built for it.
    """

    def __init__(self, seeds: Seeds, *, device: Literal["CPU", "GPU"] = "CPU") -> None:
        super().__init__(seeds)
        self._simulator = AerSimulator(method="statevector", device=device, **_SIMULATOR_OPTIONS)
        self._templates: dict[int, tuple[LayerProgram, QuantumCircuit]] = {}

    def _template(self, program: LayerProgram) -> QuantumCircuit:
        if id(program) not in self._templates:
            circuit = lower_per_gate(program)
            circuit.save_statevector()
            self._templates[id(program)] = (program, circuit)
        return self._templates[id(program)][1]

    def vectors(self, prepared: CircuitStates) -> NDArray[np.complex128]:
        """State vectors of circuits, shape (states, 2^N), in few Aer calls."""
        require_memory(prepared.num_qubits, 5 * 16, "a state vector simulation")
        circuit = self._template(prepared.program)
        values = gate_values(prepared.program, prepared.parameters)
        per_call = max(1, _AMPLITUDES_PER_CALL >> prepared.num_qubits)
        chunks = [values[start : start + per_call] for start in range(0, len(values), per_call)]
        return np.concatenate([self._evolve(circuit, chunk) for chunk in chunks])

    def _evolve(self, circuit: QuantumCircuit, values: NDArray) -> NDArray[np.complex128]:
        binds = {parameter: values[:, parameter.index].tolist() for parameter in circuit.parameters}
        result = self._simulator.run(circuit, parameter_binds=[binds], shots=1).result()
        if not result.success:
            raise QepError(f"Aer could not run the circuit: {result.status}")
        return np.stack([np.asarray(result.data(row)["statevector"]) for row in range(len(values))])


def aer_sampler_executor(
    seeds: Seeds,
    *,
    noise_model: NoiseModel | None = None,
    method: Method = "automatic",
    backend: AerSimulator | None = None,
    device: Literal["CPU", "GPU"] = "CPU",
    max_bond_dimension: int | None = None,
) -> SamplerExecutor:
    """Measured circuits on Aer: with noise, with another simulation method, or on a simulated device.

    Args:
        seeds: Root of the random streams.
        noise_model: Aer noise model, or None.
        method: Aer's simulation method.
        backend: A configured simulator (with the coupling map and noise of a device) to use instead.
        device: ``"CPU"`` or ``"GPU"``.
        max_bond_dimension: Most Schmidt coefficients that a matrix product state keeps at a bond, or None for all
            that exceed Aer's truncation threshold (discarded squares of 1e-16).
    """
    options: dict[str, Any] = {"method": method, "noise_model": noise_model, "device": device}
    if method == "matrix_product_state":
        options["n_qubits"] = _MOST_QUBITS_OF_MPS
        options["matrix_product_state_max_bond_dimension"] = max_bond_dimension
    simulator = backend or AerSimulator(**options)
    simulator.set_options(**_SIMULATOR_OPTIONS)

    def sampler(seed: int) -> SamplerV2:
        return SamplerV2.from_backend(simulator, seed=seed)

    return SamplerExecutor(simulator, seeds, optimization_level=1, sampler_factory=sampler)


def depolarizing_noise(*, one_qubit: float = 0.0, two_qubit: float = 0.0, readout: float = 0.0) -> NoiseModel:
    """A noise model from three error probabilities.

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
        ConfigError: This Aer cannot.
    """
    available = AerSimulator().available_devices()
    if device not in available:
        raise ConfigError(
            f"execution.device: this qiskit-aer cannot simulate on '{device}', only on {', '.join(available)}; "
            "install qiskit-aer-gpu for a GPU"
        )


def fake_device(name: str, num_qubits: int) -> AerSimulator:
    """Aer with the coupling map and the noise of a device snapshot such as ``"fake_manila"``.

    Args:
        name: Name of the snapshot.
        num_qubits: Qubits that are needed.

    Raises:
        ConfigError: qiskit-ibm-runtime, which brings the snapshots, is not installed; or there is no such.
        ResourceError: The device is too small.
    """
    try:
        from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2
    except ImportError as error:
        raise ConfigError(
            f"execution.backend: '{name}' needs qiskit-ibm-runtime; install with pip install 'qep_qiskit[ibm]'"
        ) from error
    devices = {backend.name: backend for backend in FakeProviderForBackendV2().backends()}
    if name not in devices:
        nearest = difflib.get_close_matches(name, devices, n=3, cutoff=0.0)
        raise ConfigError(f"execution.backend: there is no '{name}'; the nearest names are {', '.join(nearest)}")
    if devices[name].num_qubits < num_qubits:
        raise ResourceError(
            f"execution.backend: {name} has {devices[name].num_qubits} qubits, the network needs {num_qubits}"
        )
    return AerSimulator.from_backend(devices[name])
