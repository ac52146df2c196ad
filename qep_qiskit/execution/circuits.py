"""Measured circuits of a program, and bits from any Qiskit sampler.

This is the path of noise models, fake devices and anything a user hands over: a `BackendV2` or a
`SamplerV2`. Every commuting group becomes one circuit, transpiled once, and one PUB that binds all states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

from qep_qiskit.errors import ConfigError, ResourceError
from qep_qiskit.execution.interface import BitMemory, Readout, Request, ShotData, Ticket
from qep_qiskit.execution.sampling import sample_vectors
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import CircuitStates
from qep_qiskit.program import LayerProgram, lower_per_gate
from qep_qiskit.seeds import Seeds

__all__ = ["SamplerExecutor", "bind_by_name", "gate_values", "measured_circuit"]

SamplerFactory = Callable[[int], BaseSamplerV2]


def measured_circuit(program_circuit: QuantumCircuit, group: CommutingGroup) -> QuantumCircuit:
    """A program's circuit followed by the group's change of basis and a measurement of all qubits."""
    circuit = program_circuit.copy(name=f"{group.name}_basis")
    group.basis.append_to(circuit)
    circuit.measure_all()
    return circuit


def gate_values(program: LayerProgram, parameters: NDArray) -> NDArray:
    """Rotation angles to bind to `lower_per_gate`: shape (states, rotations)."""
    return 2.0 * program.gate_angles(parameters)


def bind_by_name(circuit: QuantumCircuit, values: NDArray) -> NDArray:
    """Columns of `values` in the order of ``circuit.parameters``, matched by the index in their names.

    A transpiled circuit may order its parameters anew, and one rebuilt elsewhere has parameters of another
    identity; names stay.
    """
    columns = [int(parameter.name.rsplit("[", 1)[1][:-1]) for parameter in circuit.parameters]
    return values[:, columns]


class SamplerExecutor:
    """Runs measured circuits on a `BackendV2` or through a `SamplerV2`.

    Args:
        target: A backend or a sampler. A sampler draws its own random numbers, so a run on one is not repeatable
            from the root seed.
        seeds: Root of the random streams; every sampling call on a backend gets a seed of its own.
        optimization_level: Of the transpiler, for backends.
        sampler_factory: Makes a sampler from a seed, for simulators that know how; overrides `target`'s own.

    Raises:
        ConfigError: The sampler has an integer seed and would repeat the same random numbers in every call.
    """

    def __init__(
        self,
        target: BackendV2 | BaseSamplerV2,
        seeds: Seeds,
        *,
        optimization_level: int = 2,
        sampler_factory: SamplerFactory | None = None,
    ) -> None:
        self._seeds = seeds
        self._backend = target if isinstance(target, BackendV2) else None
        self._make_sampler = sampler_factory or _factory(target)
        self._optimization_level = optimization_level
        self._circuits: dict[tuple[int, CommutingGroup], tuple[LayerProgram, QuantumCircuit]] = {}

    def circuit(self, program: LayerProgram, group: CommutingGroup) -> QuantumCircuit:
        """The measured circuit of a group, transpiled for the backend; made once and kept."""
        key = (id(program), group)
        if key not in self._circuits:
            self._circuits[key] = (program, self._transpiled(measured_circuit(lower_per_gate(program), group)))
        return self._circuits[key][1]

    def _transpiled(self, circuit: QuantumCircuit) -> QuantumCircuit:
        if self._backend is None:
            return circuit
        size = self._backend.num_qubits
        if size is not None and circuit.num_qubits > size:
            raise ResourceError(
                f"execution.backend: {self._backend.name} has {size} qubits, the network needs {circuit.num_qubits}"
            )
        manager = generate_preset_pass_manager(
            optimization_level=self._optimization_level,
            backend=self._backend,
            seed_transpiler=self._seeds.simulator_seed("transpiler") % 2**31,
        )
        return manager.run(circuit)

    def submit(self, request: Request) -> Ticket:
        """Local samplers run when asked to collect."""
        return Ticket(key=request.key, request=request)

    def collect(self, ticket: Ticket) -> ShotData:
        """Run one PUB per readout and return the bits of every shot."""
        request = ticket.request
        if not isinstance(request.prepared, CircuitStates):
            return sample_vectors(request.prepared.vectors, request.readouts, self._seeds, ticket.key.words)
        return ShotData(outcomes=tuple(self._run(request, readout) for readout in request.readouts))

    def _run(self, request: Request, readout: Readout) -> BitMemory:
        if readout.shots is None:
            raise ConfigError(
                "measurement.shots: 'exact' needs an ideal simulator; give a number of shots for this backend"
            )
        assert isinstance(request.prepared, CircuitStates)
        program = request.prepared.program
        circuit = self.circuit(program, readout.group)
        values = gate_values(program, request.prepared.parameters[readout.states])
        seed = self._seeds.simulator_seed(*request.key.words, readout.group.name)
        pub: Any = (circuit, bind_by_name(circuit, values))
        bits = self._make_sampler(seed).run([pub], shots=readout.shots).result()[0].data.meas
        return BitMemory(bits=np.asarray(bits.array), num_qubits=program.num_qubits)


def _factory(target: BackendV2 | BaseSamplerV2) -> SamplerFactory:
    if isinstance(target, BackendV2):
        return lambda seed: BackendSamplerV2(backend=target, options={"seed_simulator": seed})
    if isinstance(getattr(target, "seed", None), int):
        raise ConfigError(
            "sampler: an integer seed makes every call repeat the same random numbers, so that free and nudged "
            "phases share their shot noise; give the sampler no seed, or a numpy Generator"
        )
    return lambda _: target
