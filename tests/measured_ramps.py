"""States of a ramp on three spins, measured in their two groups, and a readout whose errors differ by qubit and bit."""

import numpy as np
from cases import NO_INPUTS, random_network
from qiskit_aer.noise import NoiseModel, ReadoutError

from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import measure
from qep_qiskit.network import chain
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

SIZE, KEY = 3, RequestKey("train", 5, 1)
FLIPS = {0: (0.1, 0.2), 1: (0.01, 0.3), 2: (0.05, 0.02)}


def ramp_problem(rng):
    network, weights = random_network(chain(SIZE), rng)
    program = AdiabaticPreparation(total_time=1.5, steps=3).program(network.groups)
    return network.groups, CircuitStates(program=program, parameters=network.coefficients(weights, NO_INPUTS))


def repeated(states, times):
    return CircuitStates(program=states.program, parameters=np.repeat(states.parameters, times, axis=0))


def work(groups, states, shots, key=KEY):
    return measure(groups, states, shape=(states.num_states, 1), phases={0: [0], 1: [0]}, shots=[shots] * 2, key=key)


def readout_noise():
    model = NoiseModel()
    for qubit, (flip0, flip1) in FLIPS.items():
        model.add_readout_error(ReadoutError([[1 - flip0, flip0], [flip1, 1 - flip1]]), [qubit])
    return model


def requests_of(measuring, executor):
    """All requests of a measurement, and its result."""
    asked = []
    try:
        request = next(measuring)
        while True:
            asked.append(request)
            request = measuring.send(executor.collect(executor.submit(request)))
    except StopIteration as finished:
        return asked, finished.value
