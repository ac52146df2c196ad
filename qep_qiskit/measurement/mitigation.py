"""Readout mitigation: calibrations, and answers that carry what they found.

A calibration is a request like any other (`CalibrationStates`), asked for by the work that needs it: its shots and
circuits are counted where all are, it is kept with the other answers of work that is stopped half-way, and it is read
from the very qubits that the program is read from. Errors of different qubits are taken to be independent of each other
and of the circuit. Other ways to know `ReadoutErrors` fit in at `mitigated`: shots of the same job, or twirled readout;
correlated errors (M3) would be another kind of `Outcomes.readout`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.errors import ConfigError
from qep_qiskit.execution import (
    BitMemory,
    Distribution,
    Outcomes,
    Readout,
    ReadoutErrors,
    Request,
    RequestKey,
    ShotData,
)
from qep_qiskit.measurement.batches import Measuring, Result
from qep_qiskit.measurement.inversion import words_of_bits
from qep_qiskit.operators import CommutingGroup, LocalBasis
from qep_qiskit.prepared import CalibrationStates, CircuitStates
from qep_qiskit.program import LayerProgram

__all__ = ["Calibrations", "ReadoutMitigation", "mitigated"]

Calibrations = MutableMapping[str, ReadoutErrors]
"""Errors of the readout by the fingerprint of the program they were calibrated for."""


@dataclass(frozen=True, slots=True)
class ReadoutMitigation:
    """Calibrate the readout and take its errors out.

    Args:
        shots: Shots of each of the two calibration circuits, or None for exact probabilities.

    Raises:
        ConfigError: The number of shots is not positive.
    """

    shots: int | None = 4096

    def __post_init__(self) -> None:
        if self.shots is not None and self.shots < 1:
            raise ConfigError(f"execution.mitigation.calibration_shots: expected at least 1, got {self.shots}")


def mitigated(
    work: Measuring[Result], mitigation: ReadoutMitigation | None, known: Calibrations | None = None
) -> Measuring[Result]:
    """The same work with the errors of the readout taken out of its answers.

    Every program is calibrated before its first request, unless it is known; states that need no circuits, and requests
    that ask for no means, are left alone.

    Args:
        work: Measures.
        mitigation: How to calibrate; None leaves the work as it is.
        known: Calibrations that still hold; new ones are added.
    """
    if mitigation is None:
        return (yield from work)
    known = {} if known is None else known
    try:
        request = next(work)
        while True:
            errors = yield from _errors(request, mitigation, known)
            data = yield request
            request = work.send(data if errors is None else _carrying(data, errors))
    except StopIteration as finished:
        return finished.value
    finally:
        work.close()


def _errors(request: Request, mitigation: ReadoutMitigation, known: Calibrations) -> Measuring[ReadoutErrors | None]:
    if not isinstance(request.prepared, CircuitStates) or not request.for_means:
        return None
    wide = [readout.group.name for readout in request.readouts if not readout.group.basis.is_local]
    if wide:
        raise ConfigError(
            f"execution.mitigation.readout: the basis of group {wide[0]} has two-qubit gates, after which other qubits "
            "may be read than were calibrated; leave it out, or use network.grouping = 'qubit_wise'"
        )
    program = request.prepared.program
    if program.fingerprint not in known:
        data = yield _calibration(program, mitigation, request.key)
        known[program.fingerprint] = ReadoutErrors.from_calibration(_frequencies(data.outcomes[0]))
    return known[program.fingerprint]


def _calibration(program: LayerProgram, mitigation: ReadoutMitigation, needed_by: RequestKey) -> Request:
    size = program.num_qubits
    group = CommutingGroup(
        name="calibration", basis=LocalBasis("Z" * size), masks=tuple(1 << qubit for qubit in range(size))
    )
    return Request(
        key=replace(needed_by, purpose=f"{needed_by.purpose}-calibration"),
        prepared=CalibrationStates(program),
        readouts=(Readout(group=group, states=np.arange(2), shots=mitigation.shots),),
        for_means=False,
    )


def _frequencies(outcomes: Outcomes) -> NDArray[np.float64]:
    """How often each qubit read 1, shape (measured, qubits)."""
    if isinstance(outcomes, BitMemory):
        words = np.stack([words_of_bits(bits) for bits in outcomes.bits])
        qubits = np.arange(outcomes.num_qubits)
        bits = words[:, qubits // 64] >> (qubits % 64).astype(np.uint64)[:, None] & np.uint64(1)
        return bits.mean(axis=2)
    assert isinstance(outcomes, Distribution)
    size = outcomes.weights.shape[1].bit_length() - 1
    table = np.arange(1 << size)[:, None] >> np.arange(size) & 1
    return outcomes.weights @ table / (outcomes.shots or 1)


def _carrying(data: ShotData, errors: ReadoutErrors) -> ShotData:
    read = [outcomes for outcomes in data.outcomes if isinstance(outcomes, BitMemory | Distribution)]
    return ShotData(outcomes=tuple(replace(outcomes, readout=errors) for outcomes in read))
