"""Share of a training run that is spent outside Aer and numpy's own work.

    python benchmarks/loop_overhead.py [CONFIG] [--epochs 5]

Runs the training loop of a configuration in its run folder (metrics and checkpoints included) and times from inside
the two things that are not the package's own: the evolution by Aer, and sampling plus moments (numpy). Everything
else is the loop: coefficients, requests, contrasts, updates, records, files.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

import qep_qiskit as qep
from qep_qiskit.execution import aer, sampling
from qep_qiskit.measurement import batches
from qep_qiskit.runs.callbacks import Checkpoints, MetricsFile
from qep_qiskit.runs.folder import RunFolder


class Clock:
    """Adds up the time spent in wrapped functions."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def wrap(self, owner: object, name: str, label: str) -> None:
        original = getattr(owner, name)

        def timed(*args: object, **kwargs: object) -> object:
            start = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - start

        setattr(owner, name, timed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", nargs="?", default="configs/iris.toml")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    clock, shares = Clock(), []
    clock.wrap(aer.AerExecutor, "_evolve", "Aer")
    clock.wrap(sampling, "sample_vectors", "numpy: sampling")
    clock.wrap(batches, "moments", "numpy: moments")
    for _ in range(options.rounds):
        experiment = qep.from_file(options.config, ["execution.backend=aer", f"training.epochs={options.epochs}"])
        clock.seconds.clear()
        with tempfile.TemporaryDirectory() as place:
            folder = RunFolder.create(Path(place) / "run", {"qep_qiskit": "benchmark"}, experiment.task)
            trainer = experiment.trainer(callbacks=(MetricsFile(folder), Checkpoints(folder)))
            start = time.perf_counter()
            trainer.run()
            total = time.perf_counter() - start
        parts = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in clock.seconds.items())
        shares.append(1.0 - sum(clock.seconds.values()) / total)
        print(f"{total:.3f} s in all: {parts}; loop {shares[-1]:.1%}")
    print(f"loop outside Aer and numpy: median {np.median(shares):.1%} [{min(shares):.1%}, {max(shares):.1%}]")


if __name__ == "__main__":
    main()
