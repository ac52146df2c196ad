"""Estimate of the signal that survives a device's noise, from the errors that it states for gates and readout.

The estimate is crude: every error counts as the loss of an expectation value of all qubits. Where hardly any signal
survives, or broken gates are in use, a gradient is noise whatever its error bars are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qep_qiskit.core.amounts import percent
from qep_qiskit.core.errors import LostSignalWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.execution.device_snapshot import stated_error
from qep_qiskit.execution.transpilation import TranspiledProgram

_BROKEN = 0.5
_LEAST_SIGNAL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class SurvivingSignal:
    """Surviving fraction of an expectation value of all qubits.

    Args:
        gates: Product of 1 - error over all gates; 1 where the device states no errors.
        readout: Product of 1 - error of the readout over the qubits that are measured.
        broken: Gates and readouts in use with an error of 0.5 or more, such as `ecr on 3, 4`.
    """

    gates: float
    readout: float
    broken: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Surviving fraction, gates times readout."""
        return self.gates * self.readout


def surviving_signal(transpiled_program: TranspiledProgram) -> SurvivingSignal:
    """Estimate the surviving signal of a transpiled program by the errors of its device."""
    gates, readout, broken = 1.0, 1.0, dict[str, None]()
    for name, where, error in _errors(transpiled_program):
        if name == "measure":
            readout *= 1.0 - error
        else:
            gates *= 1.0 - error
        if error >= _BROKEN:
            broken[f"{name} on {', '.join(str(transpiled_program.device_qubits[qubit]) for qubit in where)}"] = None
    return SurvivingSignal(gates=gates, readout=readout, broken=tuple(broken))


def _errors(transpiled_program: TranspiledProgram) -> Iterator[tuple[str, tuple[int, ...], float]]:
    """Errors of each gate, and then of the readout of every measured qubit."""
    if transpiled_program.backend is None:
        return
    circuit, target = transpiled_program.circuit, transpiled_program.backend.target
    locations = [
        (instruction.operation.name, tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits))
        for instruction in circuit.data
        if instruction.operation.name not in ("barrier", "measure")
    ]
    for name, where in locations + [("measure", (qubit,)) for qubit in transpiled_program.outputs]:
        yield name, where, min(stated_error(target, name, where), 1.0)


def warn_of_lost_signal(signal: SurvivingSignal, device: str) -> None:
    """Warn of circuits that use broken gates, or that lose nearly all of their signal."""
    share = f"about {percent(signal.share)} of the signal survives on {device}"
    if signal.broken:
        more = f" and {len(signal.broken) - 1} more" if len(signal.broken) > 1 else ""
        warn(
            LostSignalWarning,
            "circuits use gates or readouts that do not work by the device's own calibration (error of 0.5 or more): "
            "states come out mixed and gradients are noise. Use another execution.backend, or network.graph = "
            "'native', which takes qubits that work",
            detail=f"{signal.broken[0]}{more}; {share}",
            once=True,
        )
    elif signal.share < _LEAST_SIGNAL:
        warn(
            LostSignalWarning,
            "hardly any signal survives the noise of the device by its calibration, so gradients are mostly noise. Use "
            "fewer preparation.steps or couplings, network.graph = 'native', or another execution.backend",
            detail=f"{share}: gates {percent(signal.gates)}, readout {percent(signal.readout)}",
            once=True,
            severity="warning",
        )
