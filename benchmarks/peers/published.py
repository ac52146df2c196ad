"""The published runs of quantum equilibrium propagation, and the same by this package.

    python -m benchmarks.peers.published phase_sensor [--checkout DIR] [--batches 10]
    python -m benchmarks.peers.published exploration
    python -m benchmarks.peers.published sensing
    python -m benchmarks.peers.published antiferromagnet

The first three are of Wanjura & Marquardt 2024 (arXiv:2406.06482, code ClaraWanjura/QuantumEP on GitHub): a sensor of
two spins that tells phases, phases explored without data, and a sensor of fields. The fourth is the antiferromagnetic
chain with shot noise. Each command prints a table, the published figure beside ours, and stores it as CSV. With a
checkout of the published code, its module of the phase sensor trains in turns with this package, and both are timed;
without one, the published time is that of the authors' cluster. It needs optax, tqdm and matplotlib; set
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1, or the CPU time counts threads that wait.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import qep_qiskit as qep
from benchmarks.documented import load
from benchmarks.peers.stored import FOLDER, write_results
from qep_qiskit.budget.problem import GradientProblem, with_known_signals
from qep_qiskit.budget.setup import problem_of, setup_of
from qep_qiskit.core.errors import DataError, QepError, QepWarning
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Callback
from qep_qiskit.measurement import run_measurements

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
_SENSOR_CODE = "SupervisedQEP/ProductionRuns/06_01_nudge_vs_shotnoise_new2/run10_0.4_0.01_5000_10_50_1/qep.py"
_AUTHORS = "Wanjura & Marquardt 2024, arXiv:2406.06482"
Row = dict[str, Any]


class _Steps(Callback):
    """Loss and CPU time of every step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.times: list[float] = []

    def on_step(self, trainer: qep.Trainer, record: dict[str, Any]) -> None:
        self.losses.append(record["loss"])
        self.times.append(time.process_time())


def _trained(config: str, *overrides: str) -> _Steps:
    steps = _Steps()
    qep.from_file(CONFIGS / config, overrides).trainer([steps], progress=False).run()
    return steps


def phase_sensor(options: argparse.Namespace) -> Iterator[Row]:
    """Accuracies and times of the phase sensor.

    Published accuracies are those of the ten stored runs (10 shots, nudge 0.4, 200 test points, exact expectations
    there, "max choice"): mean and standard error. Ours is `phase_sensor.toml` as documented, with 1000 shots a test.
    """
    ours = load()["phase_sensor"]
    accuracy = f"{ours['test_accuracy']:.3f} ± {ours['test_accuracy_se']:.3f}"
    yield _row("test accuracy after 1800 batches", "0.925 ± 0.022", accuracy)
    yield _row("test accuracy after 4500 to 5000 batches", "0.961 ± 0.002", "not run")
    cluster = f"{43_930 / 50_000:.2f} s on the authors' cluster"
    yield _row("time of a batch in training", cluster, f"{ours['seconds'] / ours['steps']:.2f} s, tests included")
    if options.checkout is not None:
        theirs, mine = _timed(_published_module(options.checkout), options.batches)
        yield _row("CPU time of a batch, in turns on this machine", f"{theirs:.2f} s", f"{mine:.2f} s")


def _published_module(checkout: Path) -> ModuleType:
    """The authors' module of the phase sensor.

    Raises:
        DataError: It is not there, or a library that it imports is not installed.
    """
    path = checkout / _SENSOR_CODE
    if not path.exists():
        raise DataError(f"--checkout: expected a checkout of ClaraWanjura/QuantumEP, {path} is not there")
    spec = importlib.util.spec_from_file_location("published_phase_sensor", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as missing:
        raise DataError(f"--checkout: the published code imports {missing.name}; pip install {missing.name}") from None
    return module


def _timed(published: ModuleType, batches: int) -> tuple[float, float]:
    """CPU seconds of a batch of ten samples with ten shots: medians over batches of codes that take turns."""
    theirs: list[float] = []
    ours: list[float] = []
    for _ in range(2):
        theirs += _published_batches(published, max(2, batches // 2))
        overrides = [f"task.num_samples={10 * max(3, batches // 2 + 1)}", "task.test_size=3", "training.epochs=1"]
        ours += list(np.diff(_trained("phase_sensor.toml", *overrides, "training.evaluate_every=0").times))
    return float(np.median(theirs)), float(np.median(ours))


def _published_batches(published: ModuleType, batches: int) -> list[float]:
    """CPU seconds of batches of the authors' code, between draws of samples."""
    drawn: list[float] = []

    def sampler(size: int) -> Any:
        drawn.append(time.process_time())
        return published.sample_batch_cluster_Ising_phase_sensor(size)

    np.random.seed(1000)  # the code draws from there
    sensor = published.prepare_cluster_Ising_phase_sensor(8, 2)
    sensor = published.initialize_phase_sensor_parameters(sensor, published.optax.adam(0.01))
    published.train_phase_sensor(
        *(sensor, sampler, published.cost_function_mse, published.grad_cost_function_mse, 0.01, 10, batches + 1),
        **{"finite_nudging": 0.4, "symmetric_nudging": True, "shot_noise": 10, "no_progress_bar": True},
    )
    return list(np.diff(drawn))[:batches]


def exploration(options: argparse.Namespace) -> Iterator[Row]:
    """The loss of the phase exploration by iteration; the last decimals differ by the solvers of the two codes."""
    losses = _trained("cluster_ising.toml").losses
    published = {0: -0.008708, 5: -0.756577, 10: -0.940123, 20: -0.984736, 50: -0.997524, 99: -0.999133}
    for iteration, loss in published.items():
        yield _row(f"loss at iteration {iteration}", f"{loss:.6f}", f"{losses[iteration]:.6f}")


def sensing(options: argparse.Namespace) -> Iterator[Row]:
    """The sensitivity at the end of the published runs, which train both strengths, and of ours, which train one."""
    for run, found, values in (("first", 1.864, "[-0.85, -1.5]"), ("second", 2.036, "[0.6, 0.6]")):
        losses = _trained("sensing.toml", f"network.weights.values={values}").losses
        yield _row(f"sensitivity, start of the {run} run", f"{found:.3f}", f"{-losses[-1]:.3f}")


def antiferromagnet(options: argparse.Namespace) -> Iterator[Row]:
    """Contrasts of the chain without shots, and their errors with 1000 shots a basis and phase; error signals known."""
    experiment = qep.from_file(CONFIGS / "antiferromagnet.toml")
    weights = experiment.network.layout.initial(experiment.seeds)
    problem = with_known_signals(problem_of(setup_of(experiment, weights), "exact"))
    exact = problem.truth.gradient
    yield _row("gradient", _pair((0.693343, 0.341460), 6), _pair(exact, 6))
    one_sided = _contrasts(problem, qep.Contrast(kind="one_sided", beta=0.1), None, 1)[0]
    yield _row("one-sided contrast, beta 0.1", _pair((0.67902, 0.32337), 5), _pair(one_sided, 5))
    bias = _contrasts(problem, qep.Contrast(beta=0.1), None, 1)[0] - exact
    yield _row("bias of the symmetric contrast, beta 0.1", _pair((-2.45e-3, -3.7e-4), 5), _pair(bias, 5))
    for kind, published in (("one_sided", (0.130, 0.100)), ("symmetric", (0.076, 0.031))):
        found = _contrasts(problem, qep.Contrast(kind=kind, beta=0.5), 1000, 500)
        rms = np.sqrt(np.mean((found - exact) ** 2, axis=0))
        yield _row(f"RMS error, 1000 shots, beta 0.5, {kind.replace('_', '-')}", _pair(published, 3), _pair(rms, 3))


def _contrasts(
    problem: GradientProblem, contrast: qep.Contrast, shots: int | None, repeats: int
) -> NDArray[np.float64]:
    """Estimates of the gradient, shape (repeats, weights)."""
    estimator = qep.GradientEstimator(
        hamiltonian=problem.estimator.hamiltonian,
        preparation=problem.estimator.preparation,
        contrast=contrast,
        shots=shots,
    )
    given, executor = (problem.weights, problem.inputs, problem.targets), VectorExecutor(qep.Seeds(12))
    estimates = (estimator.estimate(*given, RequestKey("peer", number)) for number in range(repeats))
    return np.array([run_measurements(one, executor)[0].gradient for one in estimates])


def _row(quantity: str, published: str, ours: str) -> Row:
    return {"quantity": quantity, "published": published, "this package": ours}


def _pair(values: Any, digits: int) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)


RUNS: dict[str, tuple[Callable[[argparse.Namespace], Iterator[Row]], str]] = {
    "phase_sensor": (phase_sensor, f"{_AUTHORS}, the ten stored runs with nudge 0.4 and 10 shots"),
    "exploration": (exploration, f"{_AUTHORS}, the first stored run"),
    "sensing": (sensing, f"{_AUTHORS}, the two stored runs"),
    "antiferromagnet": (antiferromagnet, "the antiferromagnetic chain with shot noise, (Omega, Delta) = (0.5, 1.5)"),
}
"""The rows of every command, and where its published figures are from."""


def main(arguments: list[str] | None = None) -> None:
    """Make one comparison, print it and store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RUNS)
    parser.add_argument("--checkout", type=Path, help="a checkout of the published code, to time it")
    parser.add_argument("--batches", type=int, default=10, help="batches that are timed")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the CSV file")
    options = parser.parse_args(arguments)
    make, source = RUNS[options.name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QepWarning)  # the published nudges go past the gap
        try:
            rows = list(make(options))
        except QepError as error:
            parser.error(str(error))
    for row in rows:
        print(" | ".join(row.values()))
    command = f"python -m benchmarks.peers.published {options.name}" + (
        f" --checkout DIR --batches {options.batches}" if options.checkout else ""
    )
    write_results(options.out / f"published_{options.name}.csv", rows, command, notes={"published": source})


if __name__ == "__main__":
    main(sys.argv[1:])
