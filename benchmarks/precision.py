"""Time and error of the statevector engine in single precision against double, measured in alternation.

    python benchmarks/precision.py [--rounds 7] [--spins 8,12,16,20] [--steps 20]

Second-order ramps on complete graphs, and on a chain from 20 spins on, with an input of its own for every state; CPU
time on one core. One line a size: milliseconds a state, the median of their ratio with its quartiles, and the largest
error of a mean.
"""

from __future__ import annotations

import argparse
import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

import qep_qiskit as qep
from qep_qiskit.core.arithmetic import DOUBLE, Arithmetic
from qep_qiskit.evolution import evolve

SINGLE = Arithmetic(precision="single")
_CHAIN_FROM = 20


def ramp(num_spins: int, states: int, steps: int) -> tuple[qep.LayerProgram, np.ndarray]:
    graph = (qep.chain if num_spins >= _CHAIN_FROM else qep.complete)(num_spins)
    inputs = qep.ClampedInputs.all_to(1, range(num_spins))
    network, rng = qep.IsingNetwork(graph=graph, outputs=(0,), inputs=inputs), np.random.default_rng(0)
    weights = rng.normal(size=network.layout.num_weights)
    coefficients = network.coefficients(weights, rng.normal(size=(states, 1)))
    return qep.AdiabaticPreparation(steps=steps).program(network.groups), coefficients


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--spins", default="8,12,16,20")
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    qep.set_jobs(1)
    print("spins   double    single   ratio (quartiles)      error of a mean")
    for num_spins in map(int, options.spins.split(",")):
        states = max(1, min(64, 1 << max(0, 19 - num_spins)))
        program, coefficients = ramp(num_spins, states, options.steps)
        seconds, found = {DOUBLE: [], SINGLE: []}, {}
        for _ in range(1 + options.rounds):
            for arithmetic in seconds:
                start = time.process_time()
                found[arithmetic] = evolve(program, coefficients, arithmetic)
                seconds[arithmetic].append(time.process_time() - start)
        double, single = (np.array(some[1:]) for some in seconds.values())
        low, middle, high = np.quantile(single / double, [0.25, 0.5, 0.75])
        error = max(
            np.abs(np.subtract(*(group.expectations(vectors) for vectors in found.values()))).max()
            for group in program.groups
        )
        each = [1e3 * np.median(some) / states for some in (double, single)]
        print(
            f"{num_spins:5}{each[0]:9.3f} {each[1]:9.3f}   {middle:.2f} ({low:.2f} to {high:.2f})    {error:.1e}",
            flush=True,
        )


if __name__ == "__main__":
    main()
