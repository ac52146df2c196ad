"""Points of a gradient study per second, by the study's own path: a pool of workers, pilots, points, rows.

    python benchmarks/budget.py [--points 200] [--repeats 50] [--jobs 2]

The antiferromagnetic chain of five spins (configs/antiferromagnet.toml, loss on expectations): all contrasts on a grid
of shots and nudges, 200 points with 50 estimates each, on all cores, and the same in one process. The rows of both
are compared: they must be the same.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

import qep_qiskit as qep
from qep_qiskit.budget.gradient_grid import GradientStudy
from qep_qiskit.budget.points import setting_of, setting_point
from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.study import Study
from qep_qiskit.config.budget import BudgetConfig
from qep_qiskit.runs.processes import open_pool

CONFIG = Path(__file__).parents[1] / "configs" / "antiferromagnet.toml"
SHOTS = [10, 100, 1000, 10_000, 100_000]


def study_rows(points: int, repeats: int, jobs: int | None) -> tuple[list[dict], float]:
    """Rows of a grid of so many points, and the seconds that it took, the pool's start included."""
    experiment = qep.from_file(CONFIG)
    setup = setup_of(experiment, experiment.network.layout.initial(experiment.seeds))
    contrasts = ["one_sided", "one_sided_negative", "symmetric", "four_point"]
    betas = np.geomspace(0.02, 2.0, points // (len(SHOTS) * len(contrasts)))
    config = BudgetConfig(repeats=repeats, shots=SHOTS, contrasts=contrasts, betas=betas.round(4).tolist())
    start = time.perf_counter()
    with open_pool(jobs) as pool:
        study = GradientStudy.started(Study(setup=setup, config=config, pool=pool))
        grid = [
            setting_point(setup, setting_of(name, beta, shots), repeats, study.pilots[name])
            for name in contrasts
            for beta in study.betas(name)
            for shots in SHOTS
        ]
        rows = study.study.estimates(grid)
    return rows, time.perf_counter() - start


def report(label: str, rows: list[dict], seconds: float, repeats: int) -> None:
    points = len(rows)
    print(
        f"{label:14s} {points} points x {repeats} repeats: {seconds:6.1f} s, {points / seconds:5.1f} points/s, "
        f"{1e3 * seconds / (points * repeats):.2f} ms an estimate"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=None)
    options = parser.parse_args()
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    found = {}
    for label, jobs in (("all cores", options.jobs), ("one process", 1)):
        found[label], seconds = study_rows(options.points, options.repeats, jobs)
        report(label, found[label], seconds, options.repeats)
    print("same rows:", found["all cores"] == found["one process"])


if __name__ == "__main__":
    main()
