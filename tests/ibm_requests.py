"""Requests that tests of devices share: three spins, a ramp of three Trotter steps, four states, two groups."""

import numpy as np
from cases import random_network

from qep_qiskit.execution import GroupMeasurement, Request, RequestKey
from qep_qiskit.measurement import ReadoutMitigation, mitigated
from qep_qiskit.network import chain
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SPINS, STATES = 3, 4
LOOPBACK_SHOTS = 4000


def ramp_states(seed=1):
    rng = np.random.default_rng(seed)
    network, weights = random_network(chain(SPINS), rng)
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(network.groups)
    coefficients = network.coefficients(weights, np.zeros((1, 0)))
    return network.groups, CircuitStates(
        program=program, parameters=coefficients * np.linspace(0.8, 1.2, STATES)[:, None]
    )


def ramp_request(step=0, *, shots=(50, 50), states=((0, 1, 2, 3), (0, 1, 2, 3)), seed=1):
    groups, prepared = ramp_states(seed)
    measurements = tuple(
        GroupMeasurement(group=group, states=np.array(rows), shots=own)
        for group, rows, own in zip(groups, states, shots, strict=True)
    )
    return Request(key=RequestKey("train", step), prepared=prepared, measurements=measurements)


def calibrated_request(*, shots, calibration_shots, kind="calibrated", randomizations=16):
    """The request as readout mitigation sends it."""
    mitigation = ReadoutMitigation(calibration_shots=calibration_shots, readout=kind, randomizations=randomizations)

    def work():
        yield ramp_request(shots=shots)

    return next(mitigated(work(), mitigation))
