"""How much faster a run is on several cores, measured in alternation in one process.

    python benchmarks/all_cores.py [--jobs 2] [--rounds 5] [--only 'exact, 14 spins'] [--quick]

One line a case: the median seconds with one job and with several, the median of their ratios with its quartiles, and
whether the results are the same, bit for bit. The ratios mean something on an idle machine only. `--quick` runs every
case but Aer's once, on smaller batches.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # one job is one core

import numpy as np

import qep_qiskit as qep
from qep_qiskit.core import jobs as processes
from qep_qiskit.preparation import ThermalPreparation

ROOT = Path(__file__).resolve().parent.parent
Case = Callable[[], np.ndarray]
SLOW = {"digits, an epoch on Aer"}


def digits_epoch(backend: str, quick: bool) -> Case:
    """The weights after one epoch of `configs/digits.toml`."""
    changes = [f"execution.backend={backend}", "training.epochs=1"] + (["task.test_size=1597"] if quick else [])

    def run() -> np.ndarray:
        jobs = processes.current_jobs()  # a configuration sets it anew
        trainer = qep.from_file(ROOT / "configs" / "digits.toml", [*changes, f"execution.jobs={jobs}"]).trainer()
        trainer.run()
        return trainer.weights

    return run


def gradient(num_spins: int, samples: int, preparation, executor, shots: int | None) -> Case:
    """Gradients of a batch on a ring with a loss on expectations: a free phase and two nudged ones."""
    network = qep.IsingNetwork(
        graph=qep.ring(num_spins), outputs=(0, 1), inputs=qep.ClampedInputs.all_to(2, range(num_spins))
    )
    cost = qep.LossOnExpectations.on_spins(network.outputs, network.num_qubits)
    contrast = qep.Contrast(beta=0.2)
    estimator = qep.GradientEstimator(
        hamiltonian=qep.NudgedHamiltonian(network, cost), preparation=preparation, contrast=contrast, shots=shots
    )
    rng = np.random.default_rng(0)
    weights, inputs = network.layout.initial(qep.Seeds(0)), rng.normal(size=(samples, 2))
    targets = rng.choice([-1.0, 1.0], size=(samples, 2))

    def run() -> np.ndarray:
        work = estimator.estimate(weights, inputs, targets, qep.RequestKey("benchmark", 0))
        return qep.run_measurements(work, executor)[0].gradient

    return run


def cases(quick: bool) -> dict[str, Case]:
    part = 4 if quick else 1
    ramp, engine = qep.AdiabaticPreparation(steps=20), qep.StatevectorExecutor(qep.Seeds(0))
    single, known = qep.StatevectorExecutor(qep.Seeds(0), precision="single"), qep.VectorExecutor(qep.Seeds(0))
    exact, thermal = qep.ExactPreparation(), ThermalPreparation(0.5)
    return {
        "digits, an epoch on the engine": digits_epoch("statevector", quick),
        "digits, an epoch on Aer": digits_epoch("aer", quick),
        "ramps, 16 spins, 16 samples, 4096 shots": gradient(16, 16 // part, ramp, engine, 4096),
        "ramps, 16 spins, single precision": gradient(16, 16 // part, ramp, single, 4096),
        "exact, 7 spins, 256 samples": gradient(7, 256 // part, exact, known, None),
        "exact, 10 spins, 64 samples": gradient(10, 64 // part, exact, known, None),
        "exact, 14 spins, 16 samples": gradient(14, 16 // part, exact, known, None),
        "Gibbs states, 8 spins, 32 samples": gradient(8, 32 // part, thermal, known, None),
    }


def timed(case: Case, jobs: int) -> tuple[float, bytes]:
    qep.set_jobs(jobs)
    start = time.perf_counter()
    found = case()
    return time.perf_counter() - start, found.tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name contains this text")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'':42}{'1 job':>9}{f'{options.jobs} jobs':>9}   ratio (quartiles)     same bits")
    for name, case in cases(options.quick).items():
        if options.only not in name or (options.quick and name in SLOW):
            continue
        processes._SECONDS_WORTH_PROCESSES = 0.0  # processes are started before the clock is
        timed(case, options.jobs)
        rounds = [(timed(case, 1), timed(case, options.jobs)) for _ in range(1 if options.quick else options.rounds)]
        alone, together = (np.median([pair[place][0] for pair in rounds]) for place in (0, 1))
        low, middle, high = np.quantile([one / several for (one, _), (several, _) in rounds], [0.25, 0.5, 0.75])
        same = len({bits for pair in rounds for _, bits in pair}) == 1
        print(f"{name:42}{alone:8.3f}s{together:8.3f}s   {middle:.2f} ({low:.2f} to {high:.2f})   {same}", flush=True)


if __name__ == "__main__":
    main()
