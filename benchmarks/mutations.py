"""Thirty small faults, each of which the tests must see: run with `python benchmarks/mutations.py`.

Every fault is put into a copy of the checkout, and the tests that are named for its module are run there. A fault is
caught where a test fails. Before, the same tests must pass without any fault. A text that is not there exactly once is
an error: mend the list when the code changes.

    --deep           run the tests marked deep as well
    --only WORD      only faults of modules whose name has the word
    --check          run nothing, only look that every text is there once
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SECONDS = 900

# Where each module stands, and the tests that are for it, those that are quickest to fail first. Nothing else here
# names a file.
MODULES = {
    "contrast": ("qep_qiskit/learning/contrast.py", "tests/learning/test_contrast.py"),
    "update": ("qep_qiskit/learning/update.py", "tests/learning/test_update.py"),
    "signal noise": ("qep_qiskit/learning/signal_noise.py", "tests/learning/test_gradient_noise.py"),
    "moments": ("qep_qiskit/outcomes/moments.py", "tests/measurement/test_moments.py"),
    "batches": ("qep_qiskit/measurement/batches.py", "tests/measurement/test_batches.py"),
    "inversion": ("qep_qiskit/outcomes/inversion.py", "tests/measurement/test_inversion.py"),
    "extrapolation": ("qep_qiskit/measurement/extrapolation.py", "tests/measurement/test_extrapolation.py"),
    "known states": ("qep_qiskit/outcomes/known_states.py", "tests/preparation/test_classical.py"),
    "readout errors": ("qep_qiskit/execution/readout_errors.py", "tests/execution/test_readout_errors.py"),
    "folding": ("qep_qiskit/execution/folding.py", "tests/execution/test_folding.py"),
    "twirled readout": ("qep_qiskit/execution/twirled_readout.py", "tests/execution/test_twirled_readout.py"),
    "fractional": ("qep_qiskit/execution/fractional.py", "tests/execution/test_fractional.py"),
    "ramp": ("qep_qiskit/preparation/ramp.py", "tests/preparation/test_adiabatic.py"),
    "adiabatic": ("qep_qiskit/preparation/adiabatic.py", "tests/preparation/test_adiabatic.py"),
    "exact": ("qep_qiskit/preparation/exact.py", "tests/preparation/test_exact.py tests/preparation/test_levels.py"),
    "thermal": ("qep_qiskit/preparation/thermal.py", "tests/preparation/test_thermal.py"),
    "spsa": ("qep_qiskit/preparation/spsa.py", "tests/preparation/test_optimizers.py"),
    "ising": ("qep_qiskit/network/ising.py", "tests/network/test_ising.py"),
    "weights": ("qep_qiskit/network/weights.py", "tests/network/test_weights.py"),
    "graphs": ("qep_qiskit/network/graphs.py", "tests/network/test_graphs.py"),
    "pauli": ("qep_qiskit/network/pauli.py", "tests/network/test_pauli.py"),
    "z polynomials": ("qep_qiskit/continuous/z_polynomials.py", "tests/network/test_z_polynomials.py"),
    "baselines": ("qep_qiskit/budget/baselines.py", "tests/budget/test_baselines.py"),
    "parameter shift": ("qep_qiskit/budget/parameter_shift.py", "tests/budget/test_parameter_shift.py"),
    "statistics": ("qep_qiskit/budget/statistics.py", "tests/budget/test_statistics.py"),
    "costs": ("qep_qiskit/budget/costs.py", "tests/budget/test_baselines.py"),
    "reaching": ("qep_qiskit/budget/reaching.py", "tests/budget/test_reaching.py"),
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault: a text of a module, and what stands in its place."""

    module: str
    old: str
    new: str


MUTATIONS = [
    # learning
    Mutation("contrast", "{-1: -0.5, 1: 0.5}", "{-1: -1.0, 0: 1.0}"),
    Mutation(
        "contrast",
        "{-2: 1.0 / 12.0, -1: -8.0 / 12.0, 1: 8.0 / 12.0, 2: -1.0 / 12.0}",
        "{-2: -1.0 / 8.0, -1: -1.0 / 4.0, 1: 1.0 / 4.0, 2: 1.0 / 8.0}",
    ),
    Mutation("update", "** (step + 1))) +", "** (step + 2))) +"),
    Mutation("update", "np.clip(weights - ", "np.clip(weights + "),
    Mutation("signal noise", "cross = free_weight *", "cross = -free_weight *"),
    # measurement
    Mutation("moments", "shots - 1 if", "shots - 0 if"),
    Mutation("extrapolation", "np.tensordot(factors**2", "np.tensordot(factors"),
    Mutation("batches", "means[:, where, estimates] = ", "means[:, where[::-1], columns] = "),
    Mutation("inversion", "signs[1, qubit], signs[0, qubit]", "signs[0, qubit], signs[1, qubit]"),
    Mutation("extrapolation", "increasing=True", "increasing=False"),
    # execution
    Mutation("known states", "axis=1, bitorder=", "axis=1, bitorder='big' or "),
    Mutation(
        "readout errors",
        "self.flip_probabilities[1] - self.flip_probabilities[0]",
        "self.flip_probabilities[0] - self.flip_probabilities[1]",
    ),
    Mutation("folding", "range(times // 2)", "range(times // 3)"),
    Mutation("twirled readout", "-(-shots // min(", "(shots // min("),
    Mutation("fractional", "(turns % 2)", "(turns % 1)"),
    # preparation
    Mutation("ramp", "+ 0.5) / self.steps", "+ 1.0) / self.steps"),
    Mutation("adiabatic", "[(g, 0.5) for g", "[(g, 1.0) for g"),
    Mutation("exact", "levels[:, self.level], _gaps", "levels[:, 0], _gaps"),
    Mutation("thermal", "np.exp((lowest - levels) / temperature)", "np.exp((lowest - levels) * temperature)"),
    Mutation("spsa", "/ (2.0 * eps)", "/ eps"),
    # network
    Mutation("ising", "= -inputs[:, scaled[by_input]]", "= inputs[:, scaled[by_input]]"),
    Mutation("weights", "np.full(len(self.names), not frozen)", "np.full(len(self.names), frozen)"),
    Mutation("graphs", "np.divmod(np.arange(rows * columns), columns)", "np.divmod(np.arange(rows * columns), rows)"),
    Mutation("pauli", "-1 if part.input is None else part.input", "-1"),
    Mutation("z polynomials", "mask ^ also] =", "mask | also] ="),
    # budget
    Mutation("baselines", "return differences / (2.0 * self.delta)", "return differences / (1.0 * self.delta)"),
    Mutation("parameter shift", "np.concatenate(noise), 1.0), 2)", "np.concatenate(noise), 1.0), 1)"),
    Mutation(
        "statistics", "float(np.sqrt(estimates.var(axis=0, ddof=1)", "float(np.sqrt(estimates.var(axis=0, ddof=0)"
    ),
    Mutation("costs", ".sum(axis=1) / samples**2", ".sum(axis=1) / samples"),
    Mutation(
        "reaching",
        "+ epochs - 1][",
        "][",
    ),
]


def texts() -> list[str]:
    """Every module with its fault; the first that does not fit ends the program."""
    found = []
    for mutation in MUTATIONS:
        text = (ROOT / MODULES[mutation.module][0]).read_text(encoding="utf-8")
        if (times := text.count(mutation.old)) != 1:
            sys.exit(f"{mutation.module}: expected the text '{mutation.old}' once, found it {times} times")
        found.append(text.replace(mutation.old, mutation.new))
    return found


def copied(folder: Path) -> None:
    """The files of the checkout that git knows or would add."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    for name in names.stdout.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def seen_by_tests(folder: Path, tests: list[str], *, deep: bool) -> str:
    """The first test that fails in a copy, or nothing."""
    chosen = "not slow" if deep else "not deep and not slow"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-m", chosen, *tests]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no end within {_SECONDS} s"
    if done.returncode == 0:
        return ""
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0][:160] if failed else f"pytest left with {done.returncode}: {done.stderr.strip()[-200:]}"


def main() -> int:
    """Put in one fault after the other; the exit code counts what no test saw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deep", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    pairs = [pair for pair in zip(MUTATIONS, texts(), strict=True) if options.only in pair[0].module]
    if options.check:
        print(f"{len(pairs)} texts are there once")
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copied(folder)
        tests = {file for mutation, _ in pairs for file in MODULES[mutation.module][1].split()}
        if failed := seen_by_tests(folder, sorted(tests), deep=options.deep):
            sys.exit(f"without any fault: {failed}")
        print(f"without any fault all tests of {len(tests)} files pass", flush=True)
        missed = 0
        for mutation, text in pairs:
            module, own = MODULES[mutation.module]
            whole = (folder / module).read_text(encoding="utf-8")
            (folder / module).write_text(text, encoding="utf-8")
            start = time.monotonic()
            seen = seen_by_tests(folder, own.split(), deep=options.deep)
            (folder / module).write_text(whole, encoding="utf-8")
            missed += not seen
            verdict = "caught" if seen else "MISSED"
            print(f"{verdict}  {mutation.module}: {mutation.old} -> {mutation.new}", end="", flush=True)
            print(f"  ({time.monotonic() - start:.0f} s)  {seen}", flush=True)
        print(f"{len(pairs) - missed} of {len(pairs)} caught")
    return missed


if __name__ == "__main__":
    sys.exit(main())
