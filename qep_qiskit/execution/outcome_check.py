"""Checks of everything that an executor returns.

An outcome that differs from the request, or is not a number, is an error that names the circuit and the backend.
Nothing is padded, truncated or replaced by zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ResultError
from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.execution.interface import Executor, GroupMeasurement, Request, ShotData
from qep_qiskit.outcomes import Outcomes
from qep_qiskit.outcomes.states import PreparedStates

_LOG_BOTH_ZERO = 2.0 * float(np.log((2.0 + np.sqrt(2.0)) / 4.0))
_LOG_FALSE_ALARM = float(np.log(1e-14))


def answered(executor: Executor, request: Request) -> ShotData:
    """Submit a request, collect its outcomes and check them.

    Raises:
        ResultError: The outcomes do not match the request.
    """
    return checked(request, executor.collect(executor.submit(request)), name_of(executor))


def with_calibration(executor: Executor, request: Request, data: ShotData) -> ShotData:
    """Add the outcomes of a request's calibration, which a local executor runs like any other request.

    Args:
        executor: Runs the calibration.
        request: The request; without a calibration `data` is returned unchanged.
        data: Outcomes of the request.
    """
    if request.calibration is None or data.calibration is not None:
        return data
    return replace(data, calibration=answered(executor, request.calibration).outcomes[0])


def name_of(executor: Any) -> str:
    """Name of an executor for messages: that of its backend, of an inner executor's backend, or of its class."""
    while hasattr(executor, "inner"):
        executor = executor.inner
    return str(getattr(executor, "backend_name", None) or type(executor).__name__)


def checked(request: Request, data: ShotData, backend: str) -> ShotData:
    """Return the outcomes of a request after checking that they match it.

    Args:
        request: The request.
        data: Its outcomes.
        backend: Name of the backend, for messages.

    Raises:
        ResultError: The number or kind of outcomes, states, registers or shots differs from the request, or a value is
            not a number.
    """
    if not isinstance(data, ShotData):
        raise ResultError(f"{backend}: expected ShotData, got {type(data).__name__}")
    wanted, found = len(request.measurements), len(data.outcomes)
    if wanted != found:
        names = ", ".join(f"'{measurement.group.name}'" for measurement in request.measurements)
        raise ResultError(f"{backend}: expected outcomes of the circuits {names}, {wanted} in all, got {found}")
    for measurement, outcomes in zip(request.measurements, data.outcomes, strict=True):
        _require_outcomes(outcomes, measurement, request.prepared, f"{backend}: circuit '{measurement.group.name}'")
    bits = [getattr(own, "bits", None) for own in data.outcomes]
    require_other_than_zeros(request.measurements, bits, backend)
    if (request.calibration is None) != (data.calibration is None):
        raise ResultError(f"{backend}: expected {'no' if request.calibration is None else 'a'} calibration, got other")
    if request.calibration is not None:
        (measurement,) = request.calibration.measurements
        _require_outcomes(
            data.calibration, measurement, request.calibration.prepared, f"{backend}: the calibration", True
        )
    return data


def _require_outcomes(
    outcomes: Any, measurement: GroupMeasurement, prepared: PreparedStates, name: str, or_more: bool = False
) -> None:
    """Check the outcomes of one measurement, or of a calibration, which may have more shots than were requested."""
    if not isinstance(outcomes, Outcomes):
        raise ResultError(f"{name}: expected outcomes, got {type(outcomes).__name__}")
    got, wanted = outcomes.shots, measurement.shots
    enough = or_more and got is not None and wanted is not None and got >= wanted
    if got != wanted and not (prepared.is_certain and outcomes.is_exact) and not enough:
        raise ResultError(f"{name}: expected {_shots(wanted)}, got {_shots(got)}")
    outcomes.check(len(measurement.states), measurement.group, prepared.num_qubits, name)


def require_other_than_zeros(measurements: Sequence[GroupMeasurement], found: Sequence[Any], backend: str) -> None:
    """Check that shots are not all zero along two axes of a qubit, which is possible for no state.

    A qubit gives 0 along X and 0 along Z with probabilities whose product is 0.73 at most.

    Args:
        measurements: The measurements.
        found: Bits of each, shape (measured, shots, bytes); other kinds of outcomes are ignored.
        backend: Name of the backend, for messages.

    Raises:
        ResultError: The shots of some states are all zero, as where a result is missing.
    """
    silent = [
        (measurement, set(measurement.states.tolist()), set(measurement.states[~bits.any(axis=(1, 2))].tolist()))
        for measurement, bits in zip(measurements, found, strict=True)
        if isinstance(bits, np.ndarray) and isinstance(measurement.paulis.basis, LocalBasis) and measurement.shots
    ]
    for (one, states, zeros), (other, other_states, other_zeros) in combinations(silent, 2):
        both, common = zeros & other_zeros, states & other_states
        if not both or one.paulis.basis.name == other.paulis.basis.name:
            continue
        shots = min(one.shots or 0, other.shots or 0)
        independent = len(both) if both == common else 1
        if shots * independent * _LOG_BOTH_ZERO < _LOG_FALSE_ALARM:
            raise ResultError(
                f"{backend}: circuits '{one.group.name}' and '{other.group.name}' of state {min(both)} read 0 in every "
                f"bit of {amount(shots, 'shot')}, which no state does; their results are not there"
            )


def _shots(shots: int | None) -> str:
    return "exact outcomes" if shots is None else amount(shots, "shot")
