"""How well the gradient of a noisy device points, by preparation and mitigation: which of them fits today's devices.

    python benchmarks/noisy_gradient.py [fake_torino] [--spins 4] [--networks 6] [--shots 4000]

Chains with random weights and C = Z of the last spin on the snapshot of a device (needs the extra ibm), symmetric
contrast, against the gradient of the exact ground state. Medians over networks. Preparations are shallow Trotter ramps
(adiabatic) and Hamiltonian-variational circuits whose angles are optimised in simulation (VQE), so that only the
measurement circuits would be sent.

    2q        two-qubit gates after transpilation
    ideal     cosine without noise: what the preparation itself costs; worst: of the networks; length: of its gradient
    raw, ...  cosine with the noise of the device; readout: calibrated, zne: two-qubit gates run 1 and 3 times, both
    exact     expectations without shot noise: what is left is the wrong direction of the noise and the preparation
    length    of the gradient over that of the exact one, without shot noise
    shots     cosines with so many shots a batch in all, folded circuits counted (calibrations of 4096 shots are not:
              a training run shares one in an epoch)
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from noise_floor import NO_INPUTS, problem
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.execution.aer import device_executor, fake_device
from qep_qiskit.measurement import Extrapolation, ReadoutMitigation, run_measurements

BETA, REPEATS = 0.3, 8
NO_TARGETS = np.zeros((1, 0))
WAYS = {
    "raw": (None, None),
    "readout": (ReadoutMitigation(), None),
    "zne": (None, Extrapolation((1, 3))),
    "both": (ReadoutMitigation(), Extrapolation((1, 3))),
}


def preparations(seeds):
    """Shallow ones, by name."""
    ramps = {
        f"adiabatic, {steps} steps": qep.AdiabaticPreparation(total_time=0.65 * steps, steps=steps)
        for steps in (2, 3, 4, 6)
    }
    ansaetze = {
        f"VQE, depth {depth}": qep.VariationalPreparation(
            ansatz=qep.HamiltonianVariational(depth), seeds=seeds, on_unconverged="go_on"
        )
        for depth in (1, 2, 3)
    }
    return ramps | ansaetze


def cosine(found, true):
    """Of the angle between two gradients; 0 where there is none."""
    lengths = np.linalg.norm(found) * np.linalg.norm(true)
    return float(found @ true / lengths) if lengths else 0.0


def two_qubit_gates(estimator, weights, executor):
    """Of the routed circuit."""
    watched = _Watch(executor)
    run_measurements(estimator.estimate(weights, NO_INPUTS, NO_TARGETS, RequestKey("look", 0)), watched)
    program = watched.program
    circuit = executor.executor(program).circuit(program, estimator.hamiltonian.groups[0])
    return sum(len(step.qubits) == 2 for step in circuit.data if step.operation.name != "barrier")


class _Watch:
    """Remembers the program that is run."""

    def __init__(self, inner):
        self.inner, self.program = inner, None

    def submit(self, request):
        self.program = request.prepared.program
        return self.inner.submit(request)

    def collect(self, job_handle):
        return self.inner.collect(job_handle)


def row_of(preparation, hamiltonian, weights, device, shots):
    """Gates, ideal cosine and length, and by way the cosine and length without shot noise and the cosine with shots."""
    true = qep.exact_gradient(hamiltonian, weights, NO_INPUTS, NO_TARGETS).gradient
    contrast = qep.Contrast(kind="symmetric", beta=BETA)
    plain = qep.GradientEstimator(hamiltonian=hamiltonian, preparation=preparation, contrast=contrast, shots=None)
    noisy = device_executor(device, qep.Seeds(0))

    def gradient(estimator, executor, key=0):
        work = estimator.estimate(weights, NO_INPUTS, NO_TARGETS, RequestKey("benchmark", key))
        return run_measurements(work, executor)[0].gradient

    ideal = gradient(plain, qep.StatevectorExecutor(qep.Seeds(0)))
    found = [two_qubit_gates(plain, weights, noisy), cosine(ideal, true), np.linalg.norm(ideal) / np.linalg.norm(true)]
    exact, lengths, sampled = [], [], []
    for measurement, folds in WAYS.values():
        limit = replace(plain, mitigation=None if measurement is None else ReadoutMitigation(None), extrapolation=folds)
        one = gradient(limit, noisy)
        exact.append(cosine(one, true))
        lengths.append(np.linalg.norm(one) / np.linalg.norm(true))
        own = replace(plain, mitigation=measurement, extrapolation=folds, shots=shots // (1 if folds is None else 2))
        sampled.append(np.mean([cosine(gradient(own, noisy, 1 + k), true) for k in range(REPEATS)]))
    return np.array([*found, *exact, *lengths, *sampled])


def main():
    parser = parser_of(__doc__)
    parser.add_argument("device", nargs="?", default="fake_torino")
    parser.add_argument("--spins", type=int, default=4)
    parser.add_argument("--networks", type=int, default=6)
    parser.add_argument("--shots", type=int, default=4000)
    parser.add_argument("--only", nargs="*", choices=list(preparations(qep.Seeds(0))), help="these preparations")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    device = fake_device(options.device, options.spins)
    blocks = ("exact", "length", f"{options.shots} shots")
    head = ("preparation", "two-qubit gates", "no noise", "worst", "length")
    table = [[*head, *(f"{way}, {block}" for block in blocks for way in WAYS)]]
    problems = [problem(options.spins, np.random.default_rng(number)) for number in range(options.networks)]
    for name, preparation in preparations(qep.Seeds(0)).items():
        if options.only and name not in options.only:
            continue
        rows = [row_of(preparation, *given, device, options.shots) for given in problems]
        gates, ideal, *others = np.median(rows, axis=0)
        worst = min(row[1] for row in rows)
        table.append(
            [
                f"{options.device}, {options.spins} spins, {name}",
                f"{gates:.0f}",
                f"{ideal:.3f}",
                f"{worst:.2f}",
                *(f"{value:.3f}" for value in others),
            ]
        )
    title = f"{options.device}, chain of {options.spins}, beta = {BETA}, {options.networks} networks"
    show(table, title=f"{title}, {options.shots} shots", as_json=options.json)


if __name__ == "__main__":
    main()
