"""Readout mitigation: calibrations, and answers that carry what they found.

A calibration belongs to the request that needs it (`Request.calibration`): its shots and circuits are counted with it,
its answer is kept with the other when work is stopped half-way, on a device it is in the same job, and it is read from
the very qubits that the program is read from. There are two ways:

* *calibrated*: all qubits 0, and all qubits 1. Errors of different qubits are taken to be independent of each other and
  of the circuit.
* *twirled*: qubits are flipped at random before every reading, and all qubits 0 are read in the same way. Nothing is
  taken to be independent but errors and circuit.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.checks import check_shots, whole_number
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import GroupMeasurement, ReadoutErrors, Request, ShotData, TwirledErrors
from qep_qiskit.measurement.driving import MeasurementCoroutine, Result, relayed
from qep_qiskit.outcomes import BitOutcomes, GroupMoments, ReadoutErrorModel, bits_of
from qep_qiskit.outcomes.states import CalibrationStates

Calibrations = MutableMapping[str, ReadoutErrorModel]
"""Errors of the readout by the fingerprint of the program they were calibrated for."""


@short_repr
@dataclass(frozen=True, slots=True)
class ReadoutMitigation:
    """Calibrate the readout and take its errors out.

    Args:
        calibration_shots: Shots of each calibration circuit, or None for exact probabilities.
        kind: ``"calibrated"`` or ``"twirled"``.
        randomizations: Most random flips of a circuit, where twirled.
        calibrate_every: Epochs of a training run that a calibration holds for.

    Raises:
        ConfigError: A number is not positive.

    Example:
        >>> qep.ReadoutMitigation(shots=1000).shots
        1000
    """

    calibration_shots: int | None = 4096
    kind: Literal["calibrated", "twirled"] = "calibrated"
    randomizations: int = 128
    calibrate_every: int = 5

    def __post_init__(self) -> None:
        check_shots("calibration_shots", self.calibration_shots)
        whole_number("randomizations", self.randomizations, 1)
        whole_number("calibrate_every", self.calibrate_every, 1)

    def is_due(self, epoch: int) -> bool:
        """Whether an epoch (from 0) begins with a calibration of its own."""
        return epoch % self.calibrate_every == 0

    @property
    def flips(self) -> int | None:
        """Random flips that requests ask for."""
        return self.randomizations if self.kind == "twirled" else None

    @property
    def states(self) -> NDArray[np.int64]:
        """The calibration states that are read."""
        return np.arange(1 if self.kind == "twirled" else 2)

    def errors(self, calibration: BitOutcomes) -> ReadoutErrorModel:
        """The errors that a calibration shows."""
        if self.kind == "calibrated":
            return ReadoutErrors.from_calibration(calibration.ones())
        strings, frequencies = calibration.strings(0)
        return TwirledErrors(strings=strings, frequencies=frequencies)


def mitigated(
    work: MeasurementCoroutine[Result], mitigation: ReadoutMitigation | None, known: Calibrations | None = None
) -> MeasurementCoroutine[Result]:
    """The same work with the errors of the readout taken out of its answers.

    Every program is calibrated with its first request, unless it is known; states that need no circuits, and requests
    that ask for no means, are left alone.

    Args:
        work: Measures.
        mitigation: How to calibrate; None leaves the work as it is.
        known: Calibrations that still hold; new ones are added.
    """
    if mitigation is None:
        return work
    calibrations: Calibrations = {} if known is None else known

    def handle(request: Request) -> MeasurementCoroutine[ShotData]:
        asked = _asked(request, mitigation, calibrations)
        data = yield asked
        return data if asked is request else _mitigated(asked, data, mitigation, calibrations)

    return relayed(work, handle)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Mitigated(ShotData):
    """An answer whose moments have the errors of the readout taken out.

    Args:
        errors: The errors.
    """

    errors: ReadoutErrorModel

    def moments(self, place: int, group: CommutingGroup) -> GroupMoments:
        """Moments of one readout."""
        return self.outcomes[place].moments(group, self.errors)


def _asked(request: Request, mitigation: ReadoutMitigation, known: Calibrations) -> Request:
    """The request with its calibration, or the same if there is nothing to mitigate."""
    circuits = request.prepared.circuits
    if circuits is None or not request.has_noise_to_mitigate:
        return request
    wide = [readout.group.name for readout in request.readouts if not readout.paulis.basis.is_local]
    if wide:
        raise ConfigError(
            f"execution.mitigation.readout: the basis of group {wide[0]} has two-qubit gates, after which other qubits "
            "may be read than were calibrated; leave it out, or use network.grouping = 'qubit_wise'"
        )
    new = circuits.program.fingerprint not in known
    calibration = _calibration(circuits.program, mitigation, request) if new else None
    return replace(request, randomizations=mitigation.flips, calibration=calibration)


def _mitigated(asked: Request, data: ShotData, mitigation: ReadoutMitigation, known: Calibrations) -> ShotData:
    name = asked.prepared.as_circuits().program.fingerprint
    if asked.calibration is not None:
        if data.calibration is None:
            raise ConfigError("executor: expected the outcomes of a request's calibration in its answer, got none")
        known[name] = mitigation.errors(bits_of(data.calibration))
    return _Mitigated(outcomes=data.outcomes, discarded=data.discarded, errors=known[name])


def _calibration(program: LayerProgram, mitigation: ReadoutMitigation, needed_by: Request) -> Request:
    """Under flips it has those of as many circuits as a device repeats it in, one for every batch of the request."""
    size, shots, flips = program.num_qubits, needed_by.readouts[0].shots, mitigation.flips
    repeats = -(-mitigation.calibration_shots // shots) if mitigation.calibration_shots and shots else 1
    group = CommutingGroup(
        name="calibration", basis=LocalBasis("Z" * size), masks=tuple(1 << qubit for qubit in range(size))
    )
    return Request(
        key=replace(needed_by.key, purpose=f"{needed_by.key.purpose}-calibration"),
        prepared=CalibrationStates(program),
        readouts=(GroupMeasurement(group=group, states=mitigation.states, shots=mitigation.calibration_shots),),
        for_means=False,
        randomizations=None if flips is None else flips * repeats,
    )
