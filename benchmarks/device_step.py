"""Seconds of one training step on the snapshot of a device: 16 samples, 3 phases, 2 groups, 1000 shots a batch.

    python benchmarks/device_step.py [fake_torino] [--spins 8] [--graph chain] [--steps 20] [--measured]

The first step lays the circuit out and builds the noise of the qubits in use; the second has them.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np

from qep_qiskit.config import build, check_config
from qep_qiskit.learning import Callback


class _Clock(Callback):
    """Ends a trainer after two steps and notes when they ended."""

    def __init__(self):
        self.times, self.batches = [time.perf_counter()], 0

    def on_step(self, trainer, record):
        self.times.append(time.perf_counter())
        if len(self.times) == 3:
            trainer.request_stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("device", nargs="?", default="fake_torino")
    parser.add_argument("--spins", type=int, default=8)
    parser.add_argument("--graph", default="chain")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--measured", action="store_true", help="shots of measured circuits, no density matrices")
    parser.add_argument("--zne", action="store_true", help="two-qubit gates run 1 and 3 times")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    content = {
        "task": {"kind": "moons", "num_samples": 64, "test_fraction": 0.25},
        "network": {"graph": options.graph, "num_spins": options.spins},
        "preparation": {"kind": "adiabatic", "total_time": 0.2 * options.steps, "steps": options.steps},
        "execution": {
            "backend": options.device,
            "measured_circuits": options.measured,
            "mitigation": {"noise_factors": [1, 3]} if options.zne else {},
        },
        "measurement": {"shots": 1000},
        "training": {"epochs": 1, "batch_size": 16, "evaluate_every": 1000},
    }
    clock = _Clock()
    trainer = build(check_config(content, "benchmark")).trainer([clock])
    trainer.state.metrics_bytes = 1  # no look at the data before the first step
    trainer.run()
    steps = np.diff(clock.times)
    what = f"{options.device}, {options.graph} of {options.spins}, {options.steps} steps"
    print(f"{what}: {trainer.state.circuits} circuits in two training steps")
    print("seconds of the first step, and of the next: " + ", ".join(f"{seconds:.1f}" for seconds in steps))


if __name__ == "__main__":
    main()
