"""How much faster a run is on several cores, measured in alternation in one process.

    python benchmarks/all_cores.py [--jobs 2] [--rounds 5] [--only 'exact, 14 spins' ...] [--quick]

One row a case: seconds of the processor in the main thread while no process has work, and all others, in threads and
processes, with several jobs; the factor that they allow, which is the seconds of one job over the former plus each
job's share of the latter; the median of the measured factors; and whether the results are the same, bit for bit.
Measured factors mean something on an idle machine only, processor seconds on any; those of processes are counted on
Linux only. `--quick` runs every case but Aer's once, on smaller batches.
"""

from __future__ import annotations

import multiprocessing
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # one job is one core

import numpy as np
from shown import parser_of, show

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
        "exact, 10 spins, 256 samples": gradient(10, 256 // part, exact, known, None),
        "exact, 14 spins, 16 samples": gradient(14, 16 // part, exact, known, None),
        "Gibbs states, 8 spins, 32 samples": gradient(8, 32 // part, thermal, known, None),
    }


@dataclass(frozen=True, slots=True)
class Taken:
    """Seconds on the clock, of the processor in the main thread alone and all others, and the result."""

    clock: float
    alone: float
    shared: float
    bits: bytes


class MainThreadAlone:
    """Processor seconds of the main thread while no process has work."""

    def __init__(self) -> None:
        self.busy, self.since, self.seconds, self._started = 0, 0.0, 0.0, processes._started
        processes._started = self._begin

    def count(self, change: int) -> None:
        now = time.thread_time()
        if self.busy == 0:
            self.seconds += now - self.since
        self.busy, self.since = self.busy + change, now

    def _begin(self, work, items):
        self.count(+1)
        waiting = self._started(work, items)

        def results():
            found = waiting()
            self.count(-1)
            return found

        return results


def of_processes() -> float:
    """Processor seconds of all worker processes so far."""
    found = 0.0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat")
        if fields.exists():
            ticks = fields.read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
            found += sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return found


def taken(case: Case, jobs: int, main_thread: MainThreadAlone) -> Taken:
    qep.set_jobs(jobs)
    clock, process, children = time.perf_counter(), time.process_time(), of_processes()
    main_thread.since, main_thread.seconds = time.thread_time(), 0.0
    bits = case().tobytes()
    main_thread.count(0)
    shared = time.process_time() - process - main_thread.seconds + of_processes() - children
    return Taken(time.perf_counter() - clock, main_thread.seconds, shared, bits)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[""], help="cases whose name contains one of these texts")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    table = [["work", "one job (s)", "main thread alone (s)", "shared (s)", "factor at best", "measured", "same bits"]]
    figures, main_thread = {}, MainThreadAlone()
    for name, case in cases(options.quick).items():
        if not any(text in name for text in options.only) or (options.quick and name in SLOW):
            continue
        processes._SECONDS_WORTH_PROCESSES = 0.0  # processes are started before the clock is
        taken(case, options.jobs, main_thread)
        rounds = [
            (taken(case, 1, main_thread), taken(case, options.jobs, main_thread))
            for _ in range(1 if options.quick else options.rounds)
        ]
        one_job = float(np.median([one.alone + one.shared for one, _ in rounds]))
        alone, shared = (float(np.median([getattr(of, part) for _, of in rounds])) for part in ("alone", "shared"))
        best = one_job / (alone + shared / options.jobs)
        measured = float(np.median([one.clock / several.clock for one, several in rounds]))
        same = len({of.bits for pair in rounds for of in pair}) == 1
        numbers = [f"{value:.2f}" for value in (one_job, alone, shared, best, measured)]
        table.append([name, *numbers, "yes" if same else "NO"])
        figures[name] = best
    show(table, {"best": figures}, as_json=options.json)


if __name__ == "__main__":
    main()
