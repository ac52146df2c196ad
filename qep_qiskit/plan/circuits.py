"""The circuits of a run on a device, each placed as the run would place it and looked at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from qiskit.providers import BackendV2

from qep_qiskit.core.kept import Kept
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.device.pubs import DeviceCircuits as SentCircuits
from qep_qiskit.device.usage import estimated_qpu_seconds
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
from qep_qiskit.execution.surviving_signal import SurvivingSignal, surviving_signal
from qep_qiskit.execution.transpilation import TranspiledProgram
from qep_qiskit.plan.requests import Batch, Job


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOnDevice:
    """A template as it sits on the device, without foldings; the largest numbers over its groups.

    Args:
        qubits: Physical qubits that are read, in the order of the network's.
        helpers: Physical qubits that are used besides.
        parameters: Parameters of the template.
        template_bytes: Bytes of the template.
        two_qubit_gates: After transpilation.
        depth: After transpilation.
        circuit_seconds: Duration of one execution.
        surviving: What of the signal would survive, crudely: every error is taken to destroy it.
    """

    qubits: tuple[int, ...]
    helpers: tuple[int, ...]
    parameters: int
    template_bytes: int
    two_qubit_gates: int
    depth: int
    circuit_seconds: float
    surviving: SurvivingSignal

    @property
    def gate_signal(self) -> float:
        """Product of 1 - error over all gates."""
        return self.surviving.gates

    @property
    def readout_signal(self) -> float:
        """Product of 1 - error of the readout over the qubits that are read."""
        return self.surviving.readout

    @property
    def signal(self) -> float:
        """What survives in all."""
        return self.surviving.share

    def record(self) -> dict[str, Any]:
        """Plain data."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "surviving"}
        return plain | {
            "gate_signal": self.gate_signal,
            "readout_signal": self.readout_signal,
            "signal": self.signal,
            "broken": list(self.surviving.broken),
        }


def _with_any_signs(place: Transpile) -> Transpile:
    """Programs as they are sent where rzz is bounded: nothing is known of their bindings yet."""

    def transpiled_program(program: LayerProgram) -> TranspiledProgram:
        found = place(program)
        return FractionalProgram(found).for_any_signs() if bounds_rzz(found) else found

    return transpiled_program


class _Shelf(dict[str, bytes]):
    """Keeps circuits for as long as a plan takes."""

    def circuit(self, name: str) -> bytes | None:
        return self.get(name)

    def keep_circuit(self, name: str, content: bytes) -> None:
        self[name] = content


@dataclass(kw_only=True)
class DeviceCircuits:
    """The circuits of a run on a device, each placed and looked at once, with the parameters that are sent.

    Args:
        device: The device.
        seeds: Root of the run's random streams; the transpiler has its seed from it.
        rep_delay: Seconds between executions; those of the device by default.
        layout: The device's qubits that all programs start on; chosen for each where not given.
    """

    device: BackendV2
    seeds: Seeds
    rep_delay: float | None = None
    layout: tuple[int, ...] | None = None
    _facts: Kept[tuple[LayerProgram, str, int], CircuitFacts] = field(default_factory=Kept, init=False)
    _payloads: Kept[Request, int] = field(default_factory=Kept, init=False)

    def __post_init__(self) -> None:
        self.delay = rep_delay_of(self.device) if self.rep_delay is None else self.rep_delay
        self._sent = SentCircuits(self.device, self.seeds, _Shelf(), layout=self.layout)
        self._circuits = MeasuredCircuits(_with_any_signs(self._sent.transpiled_program))

    def transpiled_program(self, program: LayerProgram) -> TranspiledProgram:
        """Where a program sits."""
        return self._circuits.transpiled_program(program)

    def facts(
        self, program: LayerProgram, group: CommutingGroup, *, calibrates: bool = False, folding: int = 1
    ) -> CircuitFacts:
        """The measured circuit of a group, or the longer one of the two calibration circuits."""

        def facts() -> CircuitFacts:
            if calibrates:
                circuit = self._circuits.of_calibration(program)[1]
            else:
                circuit = folded(self.transpiled_program(program), folding).measured(group)
            return circuit_facts(circuit, self.device.target)

        return self._facts.of((program, "" if calibrates else group.basis.name, folding), facts)

    def seconds(self, job: Job, batch: Batch) -> float:
        """QPU seconds of a batch, without what every job costs."""
        facts = self.facts(job.program, batch.group, calibrates=batch.calibrates, folding=batch.folding)
        return estimated_qpu_seconds(batch.sent, 0, rep_delay=self.delay, circuit_seconds=facts.seconds)

    def payload_bytes(self, job: Job) -> int:
        """What is sent for a job, but for what says how it is twirled."""
        return self._payloads.of(
            job.request,
            lambda: sum(
                payload_of_job([pub.circuit for pub in plan.pubs], [pub.values for pub in plan.pubs])
                for plan in self._sent.jobs_of_any_size(job.request)
            ),
        )

    def programs(self, jobs: tuple[Job, ...]) -> tuple[ProgramOnDevice, ...]:
        """The templates of some jobs, each in the groups that it is measured in."""
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
            depth=max(found.depth for found in facts),
            circuit_seconds=max(found.seconds for found in facts),
            surviving=surviving_signal(transpiled_program),
        )
