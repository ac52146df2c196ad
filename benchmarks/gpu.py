"""Time of the statevector engine on a GPU against this machine's CPU, in single and in double precision.

    python benchmarks/gpu.py [--rounds 5] [--cpu]

Needs CuPy (`pip install cupy-cuda12x`) and a GPU; without one it says that nothing was run, and ends with code 1. The
engine's kernels take their array library from `qep_qiskit.core.arithmetic`; here it is CuPy. Ramps of 20 steps: 4096
states of 10 spins, and one state of 20, 24 and 28 spins. `--cpu` runs the sizes up to 20 spins with numpy alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np
from precision import ramp

import qep_qiskit as qep
from qep_qiskit.core.arithmetic import Arithmetic, Precision
from qep_qiskit.evolution import evolve

SIZES = ((10, 4096), (20, 1), (24, 1), (28, 1))
_STEPS = 20
_ON_CPU_UP_TO = 20


def gpu_library() -> Any:
    """CuPy, where it finds a GPU."""
    try:
        cupy = import_module("cupy")
    except ImportError:
        sys.exit("benchmarks/gpu.py was not run: CuPy is not installed (pip install cupy-cuda12x)")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # CUDA raises errors of its own without a driver
        sys.exit(f"benchmarks/gpu.py was not run: there is no GPU ({error})")
    if not count:
        sys.exit("benchmarks/gpu.py was not run: there is no GPU")
    return cupy


def seconds(library: Any, precision: Precision, num_spins: int, states: int, rounds: int) -> float:
    """The median time of an evolution, with the states left where they are."""
    program, coefficients = ramp(num_spins, states, _STEPS)
    arithmetic, found = Arithmetic(precision=precision, library=library), []
    for _ in range(1 + rounds):
        start = time.perf_counter()
        evolve(program, coefficients, arithmetic)
        if library is not np:
            library.cuda.get_current_stream().synchronize()
        found.append(time.perf_counter() - start)
    return float(np.median(found[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="numpy alone, up to 20 spins")
    options = parser.parse_args()
    libraries = [np] if options.cpu else [np, gpu_library()]
    print("spins  states  precision" + "".join(f"{library.__name__:>12}" for library in libraries))
    for num_spins, states in SIZES:
        for precision in ("double", "single"):
            line = f"{num_spins:5}{states:8}  {precision:9}"
            for library in libraries:
                qep.set_jobs(None if library is np else 1)  # one stream, and no threads beside it
                if library is np and num_spins > _ON_CPU_UP_TO:
                    line += f"{'-':>12}"
                    continue
                line += f"{seconds(library, precision, num_spins, states, options.rounds):11.4f}s"
            print(line, flush=True)


if __name__ == "__main__":
    main()
