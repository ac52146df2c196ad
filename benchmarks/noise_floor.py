"""What the noise of a device leaves of a gradient, and how much of it is common to +beta and -beta.

    python benchmarks/noise_floor.py [fake_manila ...] [--spins 3] [--networks 6]

No shots: exact noisy expectations of chains with random weights on the snapshot of a device (needs the extra ibm),
against the same circuits without noise, so what is seen is noise alone and not the error of ramp or contrast.

    common    |delta contrast x 2 beta| / rms of |delta <A>| at +beta and -beta: 1 or more if the errors were
              independent (1.41), 0 if they were equal. Norms over all ZZ, Z and X; medians over networks.
    error     relative error of the gradient, |g_noisy - g_ideal| / |g_ideal|, raw and with the readout inverted
    scaled    the same after the best common factor is taken out: what is left is a wrong direction
    cosine    between noisy and ideal gradient
"""

from __future__ import annotations

import warnings

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.execution.aer import device_executor, fake_device
from qep_qiskit.measurement import ReadoutMitigation, measure, mitigated, run_measurements
from qep_qiskit.network import WeightInitialisation, chain
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation

BETAS = (0.1, 0.3, 0.5, 1.0)
SHOWN = 0.3
NO_INPUTS = np.zeros((1, 0))


def problem(spins, rng):
    """A chain with biases and random weights, and C = Z of the last spin."""
    network = qep.IsingNetwork(
        graph=chain(spins), outputs=(spins - 1,), couplings=WeightInitialisation(), biases=WeightInitialisation()
    )
    spread = {"J": 0.5, "h": 0.0, "b": 0.4}
    weights = np.concatenate(
        [
            rng.uniform(0.8, 1.3, len(block.names))
            if block.symbol == "h"
            else rng.normal(0, spread[block.symbol], len(block.names))
            for block in network.layout.blocks
        ]
    )
    string = qep.PauliString.of("Z", spins - 1)
    cost = qep.OperatorCost.from_terms([qep.CostTerm(string=string, coefficient=1.0)], spins)
    return NudgedHamiltonian(network, cost), weights


def means_at(hamiltonian, weights, ramp, betas, executor, mitigation=None):
    """Exact means of all terms at all nudges, shape (phases, terms)."""
    free = hamiltonian.free_coefficients(weights, NO_INPUTS)
    nudge = hamiltonian.operator_nudge(NO_INPUTS)[0]
    states = CircuitStates(program=ramp.program(hamiltonian.groups), parameters=free + np.outer(betas, nudge[0]))
    groups = hamiltonian.groups
    work = measure(
        groups,
        states,
        shape=(1, len(betas)),
        phases=dict.fromkeys(range(len(groups)), range(len(betas))),
        shots=[None] * len(groups),
        key=RequestKey("noise", 0),
    )
    return run_measurements(mitigated(work, mitigation), executor)[0].means[0]


def row_of(found, betas, beta, ideal):
    """(common, error, scaled, cosine) at one nudge; `found` and `ideal` are means by nudge."""
    plus, minus = betas.index(beta), betas.index(-beta)
    errors = found - ideal
    common = np.linalg.norm(errors[plus] - errors[minus]) / np.sqrt((errors[[plus, minus]] ** 2).sum() / 2)
    gradient, true = ((m[plus] - m[minus]) / (2 * beta) for m in (found, ideal))
    factor = gradient @ true / (gradient @ gradient)
    lengths = np.linalg.norm(gradient), np.linalg.norm(true)
    return (
        common,
        np.linalg.norm(gradient - true) / lengths[1],
        np.linalg.norm(factor * gradient - true) / lengths[1],
        gradient @ true / (lengths[0] * lengths[1]),
    )


def study(device, spins, ramp, networks):
    """Rows of `row_of` by nudge and readout: medians over networks."""
    betas = [*(-b for b in reversed(BETAS)), 0.0, *BETAS]
    rows = {(beta, kind): [] for beta in BETAS for kind in ("raw", "mitigated")}
    for number in range(networks):
        hamiltonian, weights = problem(spins, np.random.default_rng(number))
        executor = device_executor(device, qep.Seeds(0))
        ideal = means_at(hamiltonian, weights, ramp, betas, qep.StatevectorExecutor(qep.Seeds(0)))
        raw = means_at(hamiltonian, weights, ramp, betas, executor)
        inverted = means_at(hamiltonian, weights, ramp, betas, executor, ReadoutMitigation(calibration_shots=None))
        for beta in BETAS:
            rows[beta, "raw"].append(row_of(raw, betas, beta, ideal))
            rows[beta, "mitigated"].append(row_of(inverted, betas, beta, ideal))
    return {key: np.median(found, axis=0) for key, found in rows.items()}


def main():
    parser = parser_of(__doc__)
    parser.add_argument("devices", nargs="*", default=["fake_manila"])
    parser.add_argument("--spins", type=int, default=3)
    parser.add_argument("--networks", type=int, default=6)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = [["device", "ramp", "common", "error", "inverted readout", "best factor taken out", "cosine"]]
    shared = {beta: [] for beta in BETAS}
    for name in options.devices:
        device = fake_device(name, options.spins)
        for time, steps in ((1.5, 3), (4.0, 10), (6.0, 20)):
            ramp = AdiabaticPreparation(total_time=time, steps=steps)
            found = study(device, options.spins, ramp, options.networks)
            for beta in BETAS:
                common, error, scaled, cosine = found[beta, "raw"]
                shared[beta].append(common)
                if beta != SHOWN:
                    continue
                cells = (f"{common:.2f}", f"{error:.2g}", f"{found[beta, 'mitigated'][1]:.2g}")
                table.append([name, f"{steps} steps", *cells, f"{scaled:.2g}", f"{cosine:.3f}"])
    figures = {"betas": BETAS, "least_common": [], "most_common": []}
    for values in shared.values():
        figures["least_common"].append(min(values))
        figures["most_common"].append(max(values))
    show(table, figures, title=f"chains of {options.spins}, beta = {SHOWN}", as_json=options.json)


if __name__ == "__main__":
    main()
