"""What the noise of a device leaves of a gradient, and how much of it is common to +beta and -beta.

    python benchmarks/noise_floor.py [fake_manila] [--spins 3] [--networks 6]

No shots: exact noisy expectations of chains with random weights on the snapshot of a device (needs the extra ibm),
against the same circuits without noise, so what is seen is noise alone and not the error of ramp or contrast.

    common    |delta contrast x 2 beta| / rms of |delta <A>| at +beta and -beta: 1 or more if the errors were
              independent (1.41), 0 if they were equal. Norms over all ZZ, Z and X; medians over networks.
    error     relative error of the gradient, |g_noisy - g_ideal| / |g_ideal|, raw and with the readout inverted
    scaled    the same after the best common factor is taken out: what is left is a wrong direction
    cosine    between noisy and ideal gradient
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np

import qep_qiskit as qep
from qep_qiskit.execution import RequestKey
from qep_qiskit.execution.aer import device_executor, fake_device
from qep_qiskit.measurement import ReadoutMitigation, drive, measure, mitigated
from qep_qiskit.network import Start, chain
from qep_qiskit.nudge import NudgedHamiltonian
from qep_qiskit.preparation import AdiabaticPreparation
from qep_qiskit.prepared import CircuitStates

BETAS = (0.1, 0.3, 0.5, 1.0)
NO_INPUTS = np.zeros((1, 0))


def problem(spins, rng):
    """A chain with biases and random weights, and C = Z of the last spin."""
    network = qep.IsingNetwork(graph=chain(spins), outputs=(spins - 1,), couplings=Start(), biases=Start())
    spread = {"J": 0.5, "h": 0.0, "b": 0.4}
    weights = np.concatenate(
        [
            rng.uniform(0.8, 1.3, len(block.names))
            if block.symbol == "h"
            else rng.normal(0, spread[block.symbol], len(block.names))
            for block in network.layout.blocks
        ]
    )
    word = qep.PauliWord.of("Z", spins - 1)
    cost = qep.OperatorCost.from_terms([qep.CostTerm(word=word, coefficient=1.0)], spins)
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
    return drive(mitigated(work, mitigation), executor)[0].means[0]


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
    """Table rows by nudge: medians over networks, raw and mitigated."""
    betas = [*(-b for b in reversed(BETAS)), 0.0, *BETAS]
    rows = {(beta, kind): [] for beta in BETAS for kind in ("raw", "mitigated")}
    free = []
    for number in range(networks):
        hamiltonian, weights = problem(spins, np.random.default_rng(number))
        executor = device_executor(device, qep.Seeds(0))
        ideal = means_at(hamiltonian, weights, ramp, betas, qep.StatevectorExecutor(qep.Seeds(0)))
        raw = means_at(hamiltonian, weights, ramp, betas, executor)
        inverted = means_at(hamiltonian, weights, ramp, betas, executor, ReadoutMitigation(shots=None))
        cut = hamiltonian.groups[0].num_generators
        middle = betas.index(0.0)
        free.append(
            [
                np.sqrt(np.mean((m - ideal)[middle, part] ** 2))
                for m in (raw, inverted)
                for part in (slice(cut), slice(cut, None))
            ]
        )
        for beta in BETAS:
            rows[beta, "raw"].append(row_of(raw, betas, beta, ideal))
            rows[beta, "mitigated"].append(row_of(inverted, betas, beta, ideal))
    return np.median(free, axis=0), {key: np.median(found, axis=0) for key, found in rows.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", nargs="?", default="fake_manila")
    parser.add_argument("--spins", type=int, default=3)
    parser.add_argument("--networks", type=int, default=6)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    device = fake_device(options.device, options.spins)
    for name, time, steps in (("shallow", 1.5, 3), ("ramp", 4.0, 10), ("ramp", 6.0, 20)):
        ramp = AdiabaticPreparation(total_time=time, steps=steps)
        free, table = study(device, options.spins, ramp, options.networks)
        print(f"\n{options.device}, chain of {options.spins}, {name} of {steps} steps, T = {time}")
        print(
            f"rms error at beta = 0: Z-type raw {free[0]:.4f} mitigated {free[2]:.4f}, "
            f"X raw {free[1]:.4f} mitigated {free[3]:.4f}"
        )
        print("beta   readout     common   error   scaled   cosine")
        for (beta, kind), (common, error, scaled, cosine) in table.items():
            print(f"{beta:<6} {kind:<10} {common:7.3f} {error:7.3f} {scaled:8.3f} {cosine:8.4f}")


if __name__ == "__main__":
    main()
