"""What is left of the errors of reading, by the kind of mitigation.

    python benchmarks/readout_errors.py [--networks 6] [--states 16]

Root mean square errors of all Z, ZZ and X of chains of four spins after a ramp of six steps, 1000 shots a batch and
8192 of calibration, and in the last rows 100 000 and 200 000. Errors count from the same circuit read without errors,
so they are those of the reading and the shots. *flips* has ideal gates and reads 0 wrongly in 2 to 6 % and 1 in 4 to
12 %; snapshots of devices (extra ibm) have their own errors, and read 0 and 1 equally badly.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from noise_floor import NO_INPUTS, problem
from qiskit_aer.noise import NoiseModel, ReadoutError
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.execution.aer import aer_noisy_executor, device_executor, fake_device
from qep_qiskit.measurement import ReadoutMitigation, measure, mitigated, run_measurements
from qep_qiskit.outcomes.states import CircuitStates

SPINS = 4
EXACTLY = ReadoutMitigation(calibration_shots=None)
WAYS = {"raw": None, "calibrated": ReadoutMitigation(8192), "twirled": ReadoutMitigation(8192, readout="twirled")}
MANY = 100_000


def flips():
    """Of every qubit its own."""
    rng, model = np.random.default_rng(0), NoiseModel()
    for qubit in range(SPINS):
        zero, one = rng.uniform(0.02, 0.06), rng.uniform(0.04, 0.12)
        model.add_readout_error(ReadoutError([[1 - zero, zero], [one, 1 - one]]), [qubit])
    return aer_noisy_executor(qep.Seeds(0), noise_model=model)


def means_of(executor, groups, states, shots, mitigation, key):
    """Shape (states, terms)."""
    count = len(states.parameters)
    work = measure(
        groups,
        states,
        shape=(count, 1),
        phases={group: [0] for group in range(len(groups))},
        shots=[shots] * len(groups),
        key=RequestKey("readout", key),
    )
    return run_measurements(mitigated(work, mitigation), executor)[0].means[:, 0]


def errors_on(executor, networks, states, shots, calibration_shots):
    """Root mean square errors by way, over networks, states and terms."""
    squares = {name: [] for name in WAYS}
    for number in range(networks):
        rng = np.random.default_rng(number)
        hamiltonian, weights = problem(SPINS, rng)
        all_weights = weights * rng.uniform(0.5, 1.5, (states, len(weights)))
        parameters = np.concatenate([hamiltonian.free_coefficients(own, NO_INPUTS) for own in all_weights])
        groups = hamiltonian.groups
        program = qep.AdiabaticPreparation(total_time=3.0, steps=6).program(groups)
        prepared = CircuitStates(program=program, parameters=parameters)
        true = means_of(executor, groups, prepared, None, EXACTLY, number)
        for name, way in WAYS.items():
            own = None if way is None else replace(way, shots=calibration_shots)
            squares[name].append((means_of(executor, groups, prepared, shots, own, number) - true) ** 2)
    return {name: float(np.sqrt(np.mean(found))) for name, found in squares.items()}


def main():
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--states", type=int, default=16)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    places = {"flips": flips()}
    for name in ("fake_manila", "fake_torino"):
        places[name] = device_executor(fake_device(name, SPINS), qep.Seeds(0))
    found = {
        shots: [
            errors_on(executor, options.networks, options.states, shots, calibration) for executor in places.values()
        ]
        for shots, calibration in ((1000, 8192), (MANY, 2 * MANY))
    }
    table = [["", "shots", *places]]
    table += [
        [way, f"{shots:,}", *(f"{errors[way]:.3f}" for errors in columns)]
        for shots, columns in found.items()
        for way in WAYS
    ]
    figures = {place.removeprefix("fake_"): columns for place, columns in zip(places, found[1000], strict=True)}
    show(table, figures, as_json=options.json)


if __name__ == "__main__":
    main()
