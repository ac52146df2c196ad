"""Time and energies of annealed states of classical spins, by samplers of Ocean and by the package's own annealing.

    python benchmarks/annealers.py [--rounds 5] [--samples 48]

Random couplings and fields, in alternation in one process with one job: processor time for a sample and phase, least of
the rounds, and the mean energy of the states over that of the lowest that any row found.
"""

from __future__ import annotations

import os
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.preparation import AnnealingPreparation

GRAPHS = {
    "50, all to all": qep.complete(50),
    "100, all to all": qep.complete(100),
    "200, all to all": qep.complete(200),
    "160, layers of 120 and 40": qep.layered((120, 40)),
}
SEEDS = qep.Seeds(1)
ROWS = {
    "own: 8 runs of 100 sweeps": AnnealingPreparation(seeds=SEEDS),
    "simulated annealing: 10 reads of 20 sweeps": qep.AnnealerPreparation(seeds=SEEDS),
    "simulated annealing: 10 reads of 50 sweeps": qep.AnnealerPreparation(seeds=SEEDS, sweeps=50),
    "simulated annealing: 5 reads of 10 sweeps": qep.AnnealerPreparation(seeds=SEEDS, reads=5, sweeps=10),
    "steepest descent: 10 reads": qep.AnnealerPreparation(seeds=SEEDS, sampler="steepest_descent"),
}


def glass(graph: qep.Graph, samples: int) -> qep.HamiltonianFamily:
    """Samples with fields and couplings from the normal distribution, without a nudge."""
    network = qep.IsingNetwork(graph=graph, outputs=(0,), fields=None)
    coefficients = np.random.default_rng(0).normal(size=(samples, network.groups[0].num_terms))
    return qep.HamiltonianFamily.of_free(network.groups, coefficients, qep.RequestKey("benchmark", 0))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--samples", type=int, default=48)
    options = parser.parse_args()
    qep.set_jobs(1)
    table, ratios = [["spins", "states by", "ms", "own over it", "energy"]], {}
    for name, graph in GRAPHS.items():
        family = glass(graph, options.samples)
        seconds: dict[str, list[float]] = {row: [] for row in ROWS}
        energies: dict[str, float] = {}
        for _ in range(options.rounds):
            for row, preparation in ROWS.items():
                start = time.process_time()
                found = preparation.prepare(family, qep.WarmStart())
                seconds[row].append(time.process_time() - start)
                energies[row] = float(found.report.energies.mean())
        least = {row: 1e3 * min(of_row) / options.samples for row, of_row in seconds.items()}
        own = next(iter(least.values()))
        for row in ROWS:
            energy = energies[row] / min(energies.values())
            table.append([name, row, f"{least[row]:.2f}", f"{own / least[row]:.1f}", f"{energy:.3f}"])
        ratios[name] = own / least["simulated annealing: 10 reads of 20 sweeps"]
    show(table, {"ratios": ratios}, as_json=options.json)


if __name__ == "__main__":
    main()
