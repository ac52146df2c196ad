"""The circuits of a run on a device, transpiled as the run transpiles them, with the figures of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qep_qiskit.core.cache import Cache
from qep_qiskit.core.errors import NEEDS_RUNTIME, ConfigError
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.named_bits import with_named_bits
from qep_qiskit.device.pubs import DeviceCircuits as SentCircuits
from qep_qiskit.device.specification import JobSpecification, Pub
from qep_qiskit.device.usage import Price, qpu_seconds_price
from qep_qiskit.execution.circuits import MeasuredCircuits, Transpile
from qep_qiskit.execution.folding import folded
from qep_qiskit.execution.fractional import FractionalProgram, bounds_rzz
from qep_qiskit.execution.interface import Request
from qep_qiskit.execution.on_device import (
    CircuitFacts,
    circuit_facts,
    payload_of_job,
    payload_of_template,
    rep_delay_of,
)
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.surviving_signal import SurvivingSignal, surviving_signal
from qep_qiskit.execution.transpilation import TranspiledProgram
from qep_qiskit.plan.jobs import Batch, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOnDevice:
    """A program transpiled for the device, without gate folding; the largest figures over its groups.

    Args:
        qubits: Physical qubits that are measured, in the order of the network's qubits.
        helpers: Other physical qubits that the circuit uses.
        parameters: Number of parameters of the circuit.
        template_bytes: Size of the parametrised circuit in bytes.
        two_qubit_gates: Number after transpilation.
        two_qubit_depth: Layers of two-qubit gates.
        depth: Depth after transpilation.
        circuit_seconds: Duration of one execution in seconds.
        surviving: Rough estimate of the fraction of the signal that survives, if every error destroys it.
    """

    qubits: tuple[int, ...]
    helpers: tuple[int, ...]
    parameters: int
    template_bytes: int
    two_qubit_gates: int
    two_qubit_depth: int
    depth: int
    circuit_seconds: float
    surviving: SurvivingSignal

    def record(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        plain, signal = asdict(self), self.surviving
        del plain["surviving"]
        parts = {"gate_signal": signal.gates, "readout_signal": signal.readout, "signal": signal.share}
        return plain | parts | {"broken": signal.broken}


def _with_any_signs(place: Transpile) -> Transpile:
    """Return programs as they are sent where rzz angles are bounded, before parameter values are known."""

    def transpiled_program(program: LayerProgram) -> TranspiledProgram:
        found = place(program)
        return FractionalProgram(found).for_any_signs() if bounds_rzz(found) else found

    return transpiled_program


class _Shelf(dict[str, bytes]):
    """Cache of circuits for the duration of a cost estimate."""

    def circuit(self, name: str) -> bytes | None:
        return self.get(name)

    def keep_circuit(self, name: str, content: bytes) -> None:
        self[name] = content


@dataclass(kw_only=True)
class DeviceCircuits:
    """The circuits of a run on a device, each transpiled once, with the parameters that are sent.

    Args:
        device: The device.
        seeds: Root of the random streams of the run; the seed of the transpiler follows from it.
        rep_delay: Delay between executions in seconds; by default that of the device.
        price: Price of jobs; by default that of IBM's service.
        layout: Physical qubits of all programs; by default the transpiler chooses them for each program.
        options: Options of the sampler.
    """

    device: BackendV2
    seeds: Seeds
    rep_delay: float | None = None
    price: Price | None = None
    layout: tuple[int, ...] | None = None
    options: SamplerOptions = field(default_factory=SamplerOptions)
    _facts: Cache[tuple[LayerProgram, str, int], CircuitFacts] = field(default_factory=Cache, init=False)
    _payloads: Cache[Request, int] = field(default_factory=Cache, init=False)
    _templates: Cache[tuple[int, ...], tuple[tuple[QuantumCircuit, ...], int]] = field(
        default_factory=Cache, init=False
    )  # by their ids, which stay theirs while they are kept

    def __post_init__(self) -> None:
        self.delay = rep_delay_of(self.device) if self.rep_delay is None else self.rep_delay
        self.jobs_price = qpu_seconds_price(self.delay) if self.price is None else self.price
        self._sent = SentCircuits(self.device, self.seeds, _Shelf(), layout=self.layout, options=self.options)
        self._circuits = MeasuredCircuits(_with_any_signs(self._sent.transpiled_program))

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """Return a program transpiled for the device."""
        return self._circuits.transpiled_program(program)

    def facts(
        self, program: LayerProgram, group: CommutingGroup, *, calibrates: bool = False, folding: int = 1
    ) -> CircuitFacts:
        """Return the figures of the circuit that measures a group, or of the longer of the two calibration circuits.

        Args:
            program: Program that prepares the states.
            group: The measured group.
            calibrates: Whether the circuit belongs to a readout calibration.
            folding: Odd number of times that each two-qubit gate is executed.
        """

        def facts() -> CircuitFacts:
            if calibrates:
                circuit = self._circuits.of_calibration(program)[1]
            else:
                circuit = folded(self.transpiled_program(program), folding).measured(group)
            return circuit_facts(circuit, self.device.target)

        return self._facts.of((program, "" if calibrates else group.basis.name, folding), facts)

    def price_of(self, job: Job, batch: Batch) -> float:
        """Return the price of the executions of a batch, in the unit of the device."""
        facts = self.facts(job.program, batch.group, calibrates=batch.calibrates, folding=batch.folding)
        return self.jobs_price.of(executions=batch.sent, circuit_seconds=facts.seconds)

    def seconds(self, job: Job, batch: Batch) -> float:
        """Return the QPU seconds of a batch, without the overhead of a job; 0 where the price has another unit."""
        return self.price_of(job, batch) if self.jobs_price.in_seconds else 0.0

    def payload_bytes(self, job: Job) -> int:
        """Return the size of a job in bytes, the description of its twirling included."""

        def payload() -> int:
            return sum(map(self._payload, self._sent.jobs_of_any_size(job.request)))

        return self._payloads.of(job.request, payload)

    def _payload(self, sent: JobSpecification) -> int:
        if sent.options.twirls or sent.options.changes_gates:
            try:
                from qep_qiskit.device.ibm_payload import payload_of_changed
            except ModuleNotFoundError as error:
                raise ConfigError(
                    f"execution.mitigation: the size of a job with twirling or decoupling {NEEDS_RUNTIME}"
                ) from error
            return payload_of_changed(sent.pubs, sent.options, sent.shots, self.device)
        return payload_of_job(self._template_bytes(sent.pubs), [pub.values for pub in sent.pubs])

    def _template_bytes(self, pubs: Sequence[Pub]) -> int:
        """Return the size of the circuits of a job; other jobs have the same, with other values."""
        circuits = tuple(pub.circuit for pub in pubs)

        def size() -> tuple[tuple[QuantumCircuit, ...], int]:
            return circuits, payload_of_template(*map(with_named_bits, circuits))

        return self._templates.of(tuple(map(id, circuits)), size)[1]

    def programs(self, jobs: tuple[Job, ...]) -> tuple[ProgramOnDevice, ...]:
        """Return the programs of some jobs, each with all groups in which it is measured."""
        found: dict[LayerProgram, list[CircuitFacts]] = {}
        for job in jobs:
            facts = [self.facts(job.program, batch.group) for batch in job.batches if not batch.calibrates]
            found.setdefault(job.program, []).extend(facts)
        return tuple(self._snapshot(program, facts) for program, facts in found.items() if facts)

    def _snapshot(self, program: LayerProgram, facts: list[CircuitFacts]) -> ProgramOnDevice:
        transpiled_program = self.transpiled_program(program)
        circuit, names = transpiled_program.circuit, transpiled_program.device_qubits
        used = {circuit.find_bit(qubit).index for instruction in circuit.data for qubit in instruction.qubits}
        return ProgramOnDevice(
            qubits=tuple(names[qubit] for qubit in transpiled_program.outputs),
            helpers=tuple(sorted(names[qubit] for qubit in used - set(transpiled_program.outputs))),
            parameters=circuit.num_parameters,
            template_bytes=payload_of_template(transpiled_program.circuit),
            two_qubit_gates=max(found.two_qubit_gates for found in facts),
            two_qubit_depth=max(found.two_qubit_depth for found in facts),
            depth=max(found.depth for found in facts),
            circuit_seconds=max(found.seconds for found in facts),
            surviving=surviving_signal(transpiled_program),
        )
