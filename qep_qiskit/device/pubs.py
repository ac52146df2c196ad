"""Circuits of jobs for a device, with few circuits and a small payload.

The groups of a request differ by rotations of single qubits, so one circuit serves them all: its last layer changes the
basis, by angles that are parameters. Parameters are matched by name, since a circuit loaded from a file has other
parameter objects.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.providers import BackendV2

from qep_qiskit.core.cache import Cache
from qep_qiskit.core.circuit_bytes import bytes_of, circuits_of
from qep_qiskit.core.errors import ConfigError, LedgerError
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.program import LayerProgram, lower
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.basis_layers import basis_layer
from qep_qiskit.device.specification import JobOutline, JobSpecification, Pub, PubOutline, jobs_of_any_size
from qep_qiskit.execution.bound_circuits import takes_free_angles
from qep_qiskit.execution.circuits import MeasuredCircuits, filled, transpile_on
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import Columns, Fit, bounds_rzz
from qep_qiskit.execution.interface import Request
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.transpilation import TranspiledProgram

_OPTIMIZATION = 3
_FRACTIONAL = frozenset({"rx", "rzz"})

_TemplateKey = tuple[LayerProgram, tuple[Basis, ...], int, Fit | None]


class CircuitStore(Protocol):
    """Protocol of stores that keep circuits by name on disk."""

    def circuit(self, name: str) -> bytes | None:
        """Return the circuit of a name as bytes, or None."""
        ...

    def keep_circuit(self, name: str, content: bytes) -> None:
        """Store a circuit under a new name.

        Args:
            name: Name of the circuit.
            content: The circuit as bytes.
        """
        ...


class DeviceCircuits:
    """Builds the circuits of programs on a device. Each is made once for a store, and does not change.

    So an earlier submission can be collected, and repeated, after a new calibration of the device.

    Args:
        device: The device.
        seeds: Root of the transpiler's seed.
        store: Stores transpiled circuits.
        layout: Initial qubits of the device for all programs; None for the transpiler's choice.
        options: Options of the sampler.
    """

    def __init__(
        self,
        device: BackendV2,
        seeds: Seeds,
        store: CircuitStore,
        *,
        layout: Sequence[int] | None = None,
        options: SamplerOptions | None = None,
    ) -> None:
        self._device, self._store, self._options = device, store, options or SamplerOptions()
        self._transpile = transpile_on(device, seeds, _OPTIMIZATION, layout, synthesis=lower)
        self._circuits = MeasuredCircuits(self._stored)
        self._calibrations: Cache[tuple[LayerProgram, int], QuantumCircuit] = Cache()
        self._templates: Cache[_TemplateKey, tuple[QuantumCircuit, NDArray[np.float64]]] = Cache()

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """The program transpiled for the device, from the store."""
        return self._circuits.transpiled_program(program)

    def _stored(self, program: LayerProgram) -> TranspiledProgram:
        name = f"{self._device.name}/{program.fingerprint}"
        kept = self._store.circuit(name)
        if kept is None:
            kept = _packed(self._transpile(program))
            self._store.keep_circuit(name, kept)
        return _unpacked(kept, self._device if takes_free_angles(self._device, _OPTIMIZATION) else None)

    def jobs_of_any_size(self, request: Request) -> tuple[JobSpecification, ...]:
        """Build the jobs of a request, also where they are longer than the service accepts.

        Raises:
            ConfigError: The states are not circuits, or exact probabilities are requested.
        """
        return jobs_of_any_size(request, self._options, self.pubs)

    def pubs(self, outline: JobOutline) -> tuple[Pub, ...]:
        """Make the circuits of a job and bind them.

        Raises:
            ConfigError: Gates that are to be twirled are fractional.
        """
        program = outline.request.prepared.as_circuits().program
        pubs = tuple(self._broadcast(outline.request, pub) for pub in outline.pubs)
        self._require_twirling(pubs)
        return pubs + tuple(
            # It has a parameter because PUBs repeat along parameters only.
            Pub(circuit=self._calibration_circuit(program, state), values=np.zeros((outline.repeats, 1)))
            for state in outline.calibration_states
        )

    def _require_twirling(self, pubs: Sequence[Pub]) -> None:
        if self._options.gate_twirling and any(not _FRACTIONAL.isdisjoint(pub.circuit.count_ops()) for pub in pubs):
            raise ConfigError(
                "execution.mitigation.gate_twirling: does not go with fractional gates; switch one of them off"
            )

    def _calibration_circuit(self, program: LayerProgram, state: int) -> QuantumCircuit:
        layer = QuantumCircuit(program.num_qubits, name="ones" if state else "zeros")
        layer.rz(ParameterVector("repeat", 1)[0], 0)
        if state:
            layer.x(range(program.num_qubits))

        def calibration() -> QuantumCircuit:
            return self._kept(program, layer.name, lambda: self.transpiled_program(program).only(layer))

        return self._calibrations.of((program, state), calibration)

    def _kept(self, program: LayerProgram, what: str, make: Callable[[], QuantumCircuit]) -> QuantumCircuit:
        """A measured circuit of a program from the store, made where it is missing."""
        name = f"{self._device.name}/{program.fingerprint}/{hashlib.sha256(what.encode()).hexdigest()}"
        kept = self._store.circuit(name)
        if kept is None:
            kept = bytes_of(make())
            self._store.keep_circuit(name, kept)
        return _circuit_in(kept)

    def two_qubit_gates(self, program: LayerProgram) -> tuple[int, int]:
        """Numbers of two-qubit gates of a program as stored, and as it would be transpiled now."""
        kept, anew = (
            sum(len(gate.qubits) == 2 for gate in own.circuit.data)
            for own in (self.transpiled_program(program), self._transpile(program))
        )
        return kept, anew

    def _broadcast(self, request: Request, pub: PubOutline) -> Pub:
        prepared, measurements = request.prepared.as_circuits(), [request.measurements[place] for place in pub.places]
        states = (
            measurements[0].states
            if pub.is_common
            else np.concatenate([measurement.states for measurement in measurements])
        )
        bases = tuple(measurement.paulis.basis for measurement in measurements)
        circuit, angles, columns = self._template(prepared.program, bases, prepared.parameters[states], pub.folding)
        if pub.is_common:
            columns = {name: column[:, None] for name, column in columns.items()}
            turned = angles[None]
        else:
            turned = np.repeat(angles, [len(measurement.states) for measurement in measurements], axis=0)
        columns |= {f"basis[{index}]": turned[..., index] for index in range(turned.shape[-1])}
        return Pub(circuit=circuit, values=filled(circuit, columns, pub.shape))

    def _template(
        self, program: LayerProgram, bases: tuple[Basis, ...], parameters: NDArray, folding: int
    ) -> tuple[QuantumCircuit, NDArray[np.float64], Columns]:
        """The measured circuit, its basis angles, and the program's parameters by name, each of shape (states,)."""
        names = [f"p[{index}]" for index in range(program.num_parameters)]
        bounded = bounds_rzz(self.transpiled_program(program))
        fit, columns = None, dict(zip(names, parameters.T, strict=True))
        if bounded:
            fit, columns = self._circuits.fractional(program, folding).fit(names, parameters)

        def template() -> tuple[QuantumCircuit, NDArray[np.float64]]:
            layer, angles = basis_layer(bases)

            def measured() -> QuantumCircuit:
                if fit is None:
                    return folded(self.transpiled_program(program), folding).measured_after(layer)
                return self._circuits.fractional(program, folding).fitted(fit).measured_after(layer)

            what = f"{[basis.name for basis in bases]} {folding} {fit}"
            return self._kept(program, what, measured), angles

        return *self._templates.of((program, bases, folding, fit), template), columns


def _packed(transpiled_program: TranspiledProgram) -> bytes:
    return json.dumps(transpiled_program.outputs).encode() + b"\n" + bytes_of(transpiled_program.circuit)


def _circuit_in(content: bytes) -> QuantumCircuit:
    try:
        (found,) = circuits_of(content)
    except ValueError as error:
        raise LedgerError(f"ledger: a stored circuit cannot be read ({error})") from None
    return found


def _unpacked(content: bytes, device: BackendV2 | None) -> TranspiledProgram:
    outputs, circuit = content.split(b"\n", 1)
    found = _circuit_in(circuit)
    return TranspiledProgram(
        circuit=found,
        outputs=tuple(json.loads(outputs)),
        backend=device,
        device_qubits=tuple(range(found.num_qubits)),
    )
