"""The ramp study: error of the gradient by total time, Trotter step, schedule, nudge and decoherence of a ramp.

Excitations of both ends of a ramp interfere, so that errors oscillate with the total time T with the period 2 pi over
the mean gap. A point is therefore the root mean square over a window of total times around T, which must resolve and
span this period, whatever T is. Everything is computed
from exact means: no shots are drawn. There are two errors: that of the gradient, counted from the gradient of the
exact eigenstates, and that of the ramp alone, counted from the contrast of exact eigenstates at the same nudge.

The order of limits matters. The derivative of a ramped mean by the nudge contains the derivative of the phase of the
interference, which grows with T. So a ramp whose excitations fall as 1/T, the linear one, has an error that never falls
in the limit of beta to 0, and one that falls at a finite beta once beta T is large.

Dephasing and relaxation of the qubits during the ramp add an error that grows with T, so there is a best T.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.problem import GradientProblem
from qep_qiskit.budget.setup import BudgetSetup, ideal, problem_of, setup_of
from qep_qiskit.budget.study import Study, StudyKind, StudySummary
from qep_qiskit.config import Experiment
from qep_qiskit.config.budget import RampStudyConfig
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution.density_matrices import DecoherenceRates
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.execution.decoherence import DecoherenceExecutor
from qep_qiskit.execution.noisy import MOST_QUBITS
from qep_qiskit.execution.statevector import StatevectorExecutor
from qep_qiskit.measurement import run_measurements
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import END_CURVATURES, AdiabaticPreparation, ExactPreparation, Preparation
from qep_qiskit.runs.points import Point
from qep_qiskit.runs.warned_points import warned_sentences, with_warnings

_ROUNDING = 1e-9
_METHOD = [
    ("gradient error", "The difference from the gradient of exact eigenstates, over its length; no shots are drawn."),
    (
        "ramp error",
        "The difference from the contrast of exact eigenstates at the same nudge, over the length of the gradient: "
        "what the ramp alone adds.",
    ),
    (
        "window",
        "Total times around T. Excitations of both ends of a ramp interfere, so that errors oscillate with the total "
        "time: points are root mean squares over the window, bars go from the smallest to the largest.",
    ),
    (
        "end curvature",
        "Second derivative of the schedule by t / T at its ends: π²/2 for the cosine, 6 for smoothstep. The linear "
        "ramp has a kink there.",
    ),
    (
        "decoherence",
        "Every qubit loses coherence as exp(-γ t) by dephasing, and decays to 0 as exp(-γ₁ t) by relaxation, in the "
        "time of the ramp; errors are still those from exact eigenstates.",
    ),
    ("infidelity", "Of the free states with the exact eigenstates, the mean over window and samples."),
]


@dataclass(frozen=True, kw_only=True)
class RampStudy(StudyKind):
    """What the total time, the steps and the schedule of a ramp do to gradients.

    Args:
        points: Points of `ramp_points`.
    """

    points: Sequence[Point]

    @classmethod
    def of(cls, experiment: Experiment, weights: NDArray) -> RampStudy:
        """Return the study of an experiment, after checks; see `ramp_points` and `ramp_setup`."""
        points = ramp_points(experiment.config.budget.ramp)
        return cls(experiment=experiment, setup=ramp_setup(experiment, weights), points=points)

    def found(self, study: Study, path: Path) -> StudySummary:
        """Compute the points, and return their errors with the best times."""
        from qep_qiskit.budget.ramp_summary import best_times, has_decoherence, ideal_rows, ramp_sentences
        from qep_qiskit.budget.report.ramp_table import best_times_table, ramp_table

        rows = study.rows(self.points, partial(ramp_row, self.setup))
        best = best_times([row for row in rows if has_decoherence(row)])
        tables = {"errors": ramp_table(ideal_rows(rows)), "best_times": best_times_table(best)}
        problem = problem_of(self.setup, "exact")
        sizes = amount(self.experiment.network.num_qubits, "spin"), amount(int(problem.trainable.sum()), "weight")
        facts = {
            "name": self.experiment.config.name,
            "network": f"{', '.join(sizes)}; errors are relative to the gradient of exact eigenstates, mean over "
            f"{amount(len(problem.inputs), 'training sample')}",
            "sentences": ramp_sentences(rows),
            "warnings": warned_sentences({"ramp": rows}),
            **{name: [list(cells) for cells in (table.columns, *table.rows)] for name, table in tables.items()},
        }
        return StudySummary(facts=facts, tables={"ramp": rows}, method=_METHOD)


def ramp_setup(experiment: Experiment, weights: NDArray) -> BudgetSetup:
    """Return the study of the ramp of an experiment, after checks.

    Args:
        experiment: The experiment.
        weights: Shape (weights,).

    Raises:
        ConfigError: States are not prepared by an adiabatic ramp of qubits, spins are classical, or circuits are not
            ideal; or there is no gradient of exact states to compare with, or it vanishes.
    """
    config = experiment.config
    if not isinstance(experiment.estimator.preparation, AdiabaticPreparation):
        raise ConfigError(
            f"preparation.kind: --study ramp needs 'adiabatic' ramps of qubits, got '{config.preparation.kind}'"
        )
    if experiment.estimator.hamiltonian.is_classical:
        raise ConfigError(
            "network.kind: --study ramp compares with the gradient of exact states, which is zero for classical spins: "
            "their states move in jumps; use network.kind = 'ising'"
        )
    if not config.execution.is_ideal:
        raise ConfigError(
            "execution: --study ramp takes exact means; leave out noise and devices. Decoherence during the ramp is in "
            "budget.ramp.dephasing_rates and budget.ramp.relaxation_rates"
        )
    setup = ideal(setup_of(experiment, weights))
    problem = problem_of(setup, "exact")
    if problem.truth.source != "exact":
        raise ConfigError(
            f"network: --study ramp compares with exact eigenstates, which {problem.estimator.hamiltonian.num_qubits} "
            "qubits are too many for; use a smaller network"
        )
    num_qubits = problem.estimator.hamiltonian.num_qubits
    if num_qubits > MOST_QUBITS and any(config.budget.ramp.dephasing_rates + config.budget.ramp.relaxation_rates):
        raise ConfigError(
            f"budget.ramp: dephasing_rates and relaxation_rates take density matrices of at most {MOST_QUBITS} qubits, "
            f"got {num_qubits}; use a smaller network, or leave them out"
        )
    if not problem.true_length > 0.0:
        raise ConfigError("network: the exact gradient vanishes by symmetry at these weights; use another seed")
    return setup


def ramp_points(study: RampStudyConfig) -> list[Point]:
    """Return a point for every schedule, step, total time, nudge and rate.

    Args:
        study: Keys of the study.

    Raises:
        ConfigError: A window reaches down to a total time of zero.
    """
    shortest = min(study.total_times)
    if study.window >= 2.0 * shortest:
        raise ConfigError(
            f"budget.ramp.window: expected less than twice the shortest of budget.ramp.total_times ({shortest:g}), got "
            f"{study.window:g}"
        )
    window = {"window": study.window, "window_times": study.window_times}
    axes = (study.ramps, study.time_steps, study.dephasing_rates, study.relaxation_rates, study.betas)
    return [
        {
            "key": f"ramp={ramp},dt={step!r},T={total_time!r},beta={beta!r}" + _rates_in_key(dephasing, relaxation),
            **{"ramp": ramp, "time_step": step, "total_time": total_time, "beta": beta},
            **{"dephasing_rate": dephasing, "relaxation_rate": relaxation, **window},
        }
        for ramp, step, dephasing, relaxation, beta, total_time in product(*axes, study.total_times)
    ]


def _rates_in_key(dephasing: float, relaxation: float) -> str:
    return f",dephasing={dephasing!r},relaxation={relaxation!r}" if dephasing or relaxation else ""


def ramp_row(setup: BudgetSetup, point: Point) -> Mapping[str, Any]:
    """Return the row of one point. Called in a worker.

    Args:
        setup: The study.
        point: A point of `ramp_points`.
    """
    return with_warnings(lambda: _measured(problem_of(setup, "exact"), point))


def _measured(problem: GradientProblem, point: Point) -> dict[str, Any]:
    given, wanted = problem.estimator.preparation, problem.truth.gradient[problem.trainable]
    assert isinstance(given, AdiabaticPreparation)
    eigenstates = ExactPreparation(level=given.level)
    rates = DecoherenceRates(dephasing=point["dephasing_rate"], relaxation=point["relaxation_rate"])
    ideal_executor = StatevectorExecutor(Seeds(0))
    executor = DecoherenceExecutor(Seeds(0), rates) if rates.any else ideal_executor
    limit = _contrast(problem, eigenstates, point["beta"], ideal_executor)
    ramps = [
        replace(given, total_time=time, steps=_steps(time, point["time_step"]), ramp=point["ramp"])
        for time in _window(point)
    ]
    found = np.array([_contrast(problem, ramp, point["beta"], executor) for ramp in ramps])
    infidelities = np.array([_infidelity(problem, eigenstates, ramp, executor) for ramp in ramps])
    length, curvature = problem.true_length, END_CURVATURES[point["ramp"]]
    names = ("ramp", "time_step", "total_time", "beta", "dephasing_rate", "relaxation_rate")
    return {
        **{name: point[name] for name in names},
        "steps": _steps(point["total_time"], point["time_step"]),
        "curvature_over_time": None if curvature is None else curvature / point["total_time"],
        **_over_window("error", np.linalg.norm(found - wanted, axis=1) / length),
        **_over_window("ramp_error", np.linalg.norm(found - limit, axis=1) / length),
        "contrast_error": float(np.linalg.norm(limit - wanted)) / length,
        **_over_window("infidelity", infidelities),
        "gradient": length,
    }


def _window(point: Point) -> list[float]:
    """Return the total times of a window, in the middles of equal parts of it."""
    count = point["window_times"]
    places = (np.arange(count) + 0.5) / count - 0.5
    return [float(time) for time in point["total_time"] + point["window"] * places]


def _steps(total_time: float, time_step: float) -> int:
    return max(1, math.ceil(total_time / time_step - _ROUNDING))


def _over_window(name: str, values: NDArray) -> dict[str, float]:
    """Return the root mean square with the smallest and the largest value; the mean of infidelities, being squares."""
    mean = values.mean() if name == "infidelity" else np.sqrt((values**2).mean())
    return {name: float(mean), f"{name}_low": float(values.min()), f"{name}_high": float(values.max())}


def _contrast(
    problem: GradientProblem, preparation: Preparation, beta: float, executor: Executor
) -> NDArray[np.float64]:
    """Return the contrast of exact means of the trained weights, shape (weights,)."""
    estimator = replace(
        problem.estimator,
        preparation=preparation,
        contrast=replace(problem.estimator.contrast, beta=beta),
        shots=None,
        grouping="shared",
    )
    work = estimator.estimate(*problem.given, RequestKey("ramp", 0))
    estimate, _ = run_measurements(work, executor)
    return np.asarray(estimate.gradient[problem.trainable])


def _infidelity(
    problem: GradientProblem, eigenstates: ExactPreparation, ramp: AdiabaticPreparation, executor: Executor
) -> float:
    """Return the infidelity of the free states, the mean over samples."""
    hamiltonian = problem.estimator.hamiltonian
    rows = hamiltonian.free_coefficients(problem.weights, problem.inputs)
    exact = eigenstates.solve(hamiltonian.groups, rows).vectors
    states = CircuitStates(program=ramp.program(hamiltonian.groups), parameters=rows)
    if isinstance(executor, DecoherenceExecutor):
        matrices = executor.density_matrices(states)
        return 1.0 - float(np.einsum("sx,sxy,sy->s", exact.conj(), matrices, exact).real.mean())
    found = StatevectorExecutor(Seeds(0)).vectors(states)
    overlaps = np.einsum("sx,sx->s", exact.conj(), found)
    # The part beside the eigenstate is known to all digits, where one minus the overlap is not.
    beside = found - overlaps[:, None] * exact
    return float((np.abs(beside) ** 2).sum(axis=1).mean())
