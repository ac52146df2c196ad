"""Mitigate readout errors: calibrate, and correct the answers.

A calibration belongs to the request that needs it (`Request.calibration`): its shots and circuits are counted with it,
its answer is stored with the other when a run stops half-way, on a device it is in the same job, and it is measured on
the same qubits as the program. There are two kinds:

* *calibrated*: all qubits 0, and all qubits 1. Errors of different qubits are assumed independent of each other and of
  the circuit.
* *twirled*: qubits are flipped at random before every readout, and all qubits 0 are measured in the same way. Only
  errors and circuit are assumed independent.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.limits import Count, Shots, check_limits
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.program import LayerProgram
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.execution import GroupMeasurement, ReadoutErrors, Request, ShotData, TwirledErrors
from qep_qiskit.measurement.driving import MeasurementCoroutine, Result, relayed
from qep_qiskit.outcomes import BitOutcomes, GroupMoments, ReadoutErrorModel, bits_of
from qep_qiskit.outcomes.states import CalibrationStates

Calibrations = MutableMapping[str, ReadoutErrorModel]
"""Readout errors by the fingerprint of the program they were calibrated for."""


@short_repr
@dataclass(frozen=True, slots=True)
class ReadoutMitigation:
    """Calibrate the readout and correct its errors.

    Args:
        calibration_shots: Shots of each calibration circuit, or None for exact probabilities.
        readout: ``"calibrated"`` or ``"twirled"``.
        randomizations: Most random flips of a circuit, where twirled.
        calibrate_every: Epochs of a training run that a calibration holds for.

    Raises:
        ConfigError: A number is not positive.

    Example:
        >>> qep.ReadoutMitigation(calibration_shots=1000).calibration_shots
        1000
    """

    calibration_shots: Shots | None = 4096
    readout: Literal["calibrated", "twirled"] = "calibrated"
    randomizations: Count = 128
    calibrate_every: Count = 5

    def __post_init__(self) -> None:
        check_limits(self)

    def is_due(self, epoch: int) -> bool:
        """Return whether an epoch (from 0) begins with a calibration of its own."""
        return epoch % self.calibrate_every == 0

    @property
    def num_twirls(self) -> int | None:
        """Return the number of random flips that requests ask for."""
        return self.randomizations if self.readout == "twirled" else None

    @property
    def states(self) -> NDArray[np.int64]:
        """Return the calibration states that are measured."""
        return np.arange(1 if self.readout == "twirled" else 2)

    def errors(self, calibration: BitOutcomes) -> ReadoutErrorModel:
        """Return the errors that a calibration shows."""
        if self.readout == "calibrated":
            return ReadoutErrors.from_calibration(calibration.ones())
        strings, frequencies = calibration.strings(0)
        return TwirledErrors(strings=strings, frequencies=frequencies)


def mitigated(
    work: MeasurementCoroutine[Result], mitigation: ReadoutMitigation | None, known: Calibrations | None = None
) -> MeasurementCoroutine[Result]:
    """Run a coroutine with its answers corrected for readout errors.

    Every program is calibrated with its first request, unless its calibration is known; states without circuits, and
    requests that need no means, are left alone.

    Args:
        work: The measurement coroutine.
        mitigation: How to calibrate; None leaves the coroutine as it is.
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
    """An answer whose moments have the readout errors taken out.

    Args:
        errors: The errors.
    """

    errors: ReadoutErrorModel

    def moments(self, place: int, group: CommutingGroup) -> GroupMoments:
        """Return corrected moments of one measurement."""
        return self.outcomes[place].moments(group, self.errors)


def _asked(request: Request, mitigation: ReadoutMitigation, known: Calibrations) -> Request:
    """The request with its calibration, or the same if there is nothing to mitigate."""
    circuits = request.prepared.circuits
    if circuits is None or not request.has_noise_to_mitigate:
        return request
    wide = [measurement.group.name for measurement in request.measurements if not measurement.paulis.basis.is_local]
    if wide:
        raise ConfigError(
            f"execution.mitigation.readout: the basis of group {wide[0]} has two-qubit gates, after which other qubits "
            "may be read than were calibrated; leave it out, or use network.grouping = 'qubit_wise'"
        )
    new = circuits.program.fingerprint not in known
    calibration = _calibration(circuits.program, mitigation, request) if new else None
    return replace(request, randomizations=mitigation.num_twirls, calibration=calibration)


def _mitigated(asked: Request, data: ShotData, mitigation: ReadoutMitigation, known: Calibrations) -> ShotData:
    name = asked.prepared.as_circuits().program.fingerprint
    if asked.calibration is not None:
        if data.calibration is None:
            raise ConfigError("executor: expected the outcomes of a request's calibration in its answer, got none")
        known[name] = mitigation.errors(bits_of(data.calibration))
    return _Mitigated(outcomes=data.outcomes, discarded=data.discarded, errors=known[name])


def _calibration(program: LayerProgram, mitigation: ReadoutMitigation, needed_by: Request) -> Request:
    """Return a calibration request; twirled, it has as many circuits as a device repeats it in, one for every batch."""
    size, shots, num_twirls = program.num_qubits, needed_by.measurements[0].shots, mitigation.num_twirls
    repeats = -(-mitigation.calibration_shots // shots) if mitigation.calibration_shots and shots else 1
    group = CommutingGroup(
        name="calibration", basis=LocalBasis("Z" * size), masks=tuple(1 << qubit for qubit in range(size))
    )
    return Request(
        key=replace(needed_by.key, purpose=f"{needed_by.key.purpose}-calibration"),
        prepared=CalibrationStates(program),
        measurements=(GroupMeasurement(group=group, states=mitigation.states, shots=mitigation.calibration_shots),),
        for_means=False,
        randomizations=None if num_twirls is None else num_twirls * repeats,
    )
