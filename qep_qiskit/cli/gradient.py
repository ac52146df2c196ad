"""``qep gradient``: one gradient with its error bars, optionally compared with the exact one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from qep_qiskit.cli.agreement import agreement
from qep_qiskit.cli.comparison import compare_exact, compare_finite_difference, require_differences, require_exact
from qep_qiskit.cli.source import checked_sample, open_source
from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.warning_log import WarningLog, counting_warnings
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import GradientBatch, GradientEstimate
from qep_qiskit.learning.gradient_monitor import check_estimate
from qep_qiskit.learning.replicates import ScatterTally
from qep_qiskit.measurement import Usage, run_measurements
from qep_qiskit.report.tables import gradient_table, value_with_error
from qep_qiskit.runs.folder import RunFolder
from qep_qiskit.runs.questions import answer_to
from qep_qiskit.tasks import Dataset

_ROUGH = {"approximate": "standard errors of the gradient", "cost_approximate": "that of the cost"}
_CHECKS = {"exact": require_exact, "finite-difference": require_differences}
_COMPARISONS = {"exact": compare_exact, "finite-difference": compare_finite_difference}


def run(options: argparse.Namespace) -> int:
    """Measure the gradient, compare it if requested, and print it."""
    experiment, weights = open_source(options.config, options.overrides)
    sample = experiment.task.train.take(checked_sample(experiment, options.sample))
    if options.compare is not None:
        _CHECKS[options.compare](experiment)
    log = WarningLog()
    log.merge(experiment.warnings)
    key = RequestKey("gradient", options.sample)

    def measure(asked: Experiment) -> tuple[Experiment, GradientEstimate, Usage]:
        piloted, pilots = _with_pilot(asked, weights, sample)
        estimator = replace(piloted.estimator, measures_free_cost=True, trained_only=False)
        work = estimator.estimate(weights, sample.inputs, sample.targets, key)
        estimate, usage = run_measurements(work, piloted.executor)
        return piloted, estimate, usage + pilots

    with counting_warnings(log):
        experiment, estimate, usage = _measured(options, experiment, measure, weights, sample)
        check_estimate(estimate, experiment.network.layout.trainable())
    rows = _rows(experiment, weights, estimate)
    summary: dict[str, Any] = {
        "beta": experiment.estimator.contrast.beta,
        "beta_by_pilot": experiment.policy.auto_beta,
        "cost": estimate.cost.mean,
        "cost_standard_error": _finite(estimate.cost.standard_error),
        "approximate": estimate.approximate,
        "cost_approximate": estimate.cost.approximate,
        **ScatterTally().after(estimate.scatter).summary(),
        "circuits": usage.circuits,
        "shots": usage.shots,
        "diagnostics": estimate.diagnostics.record(),
        "warnings": log.summary(),
    }
    if options.compare is not None:
        summary |= _COMPARISONS[options.compare](experiment, weights, sample, estimate, rows)
    if options.json:
        print(json.dumps({**summary, "weights": rows}, indent=1))
    else:
        _print(summary, rows, usage, title=f"{experiment.config.name}, training sample {options.sample}")
    return 0


def _measured(
    options: argparse.Namespace,
    experiment: Experiment,
    measure: Callable[[Experiment], tuple[Experiment, GradientEstimate, Usage]],
    weights: NDArray,
    sample: Dataset,
) -> tuple[Experiment, GradientEstimate, Usage]:
    """Return the result of the measurement. On a device only a run has a ledger; a configuration has none."""
    if not Path(options.config).is_dir():
        return measure(experiment)
    folder, question = RunFolder.open(Path(options.config)), (weights, sample.inputs, sample.targets)
    return answer_to(folder, experiment, measure, *question, agree=agreement(yes=options.yes))


def _with_pilot(experiment: Experiment, weights: NDArray, sample: Dataset) -> tuple[Experiment, Usage]:
    """Return the experiment with nudge and allocation from a pilot, if it needs one and no run has chosen them."""
    policy, estimator = experiment.policy, experiment.estimator
    if not policy.uses_pilots or experiment.step_shots is not None:
        return experiment, Usage()
    key, trainable = RequestKey("pilot", 0), experiment.network.layout.trainable()
    batch = GradientBatch(weights=weights, inputs=sample.inputs, targets=sample.targets, key=key)
    work = policy.run_pilot(policy.start(estimator), estimator, batch, trainable)
    (step_shots, _), usage = run_measurements(work, experiment.executor)
    return replace(experiment, estimator=step_shots.applied(estimator), step_shots=step_shots), usage


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _rows(experiment: Experiment, weights: NDArray, estimate: GradientEstimate) -> list[dict[str, Any]]:
    layout = experiment.network.layout
    columns = (
        layout.names,
        weights.tolist(),
        estimate.gradient.tolist(),
        estimate.standard_error.tolist(),
        layout.trainable().tolist(),
    )
    rows: list[dict[str, Any]] = [
        {"name": name, "value": value, "gradient": gradient, "standard_error": _finite(error), "trainable": trains}
        for name, value, gradient, error, trains in zip(*columns, strict=True)
    ]
    scatter = estimate.scatter
    if scatter is not None and scatter.signal_bias is not None and scatter.signal_bias_variance is not None:
        errors = np.sqrt(np.maximum(scatter.signal_bias_variance, 0.0)).tolist()
        for row, bias, error in zip(rows, scatter.signal_bias.tolist(), errors, strict=True):
            row |= {"signal_bias": bias, "signal_bias_standard_error": error}
    return rows


def _listed(diagnostics: dict[str, float]) -> str:
    """Return names and values in one line, each with its standard error if it has one."""
    parts = []
    for name, value in diagnostics.items():
        error = diagnostics.get(f"{name}_se")
        if not name.endswith("_se"):
            parts.append(f"{name.replace('_', ' ')} {value_with_error(value, error) if error else f'{value:.4g}'}")
    return ", ".join(parts)


def _print(summary: dict[str, Any], rows: list[dict[str, Any]], usage: Usage, *, title: str) -> None:
    console = Console()
    console.print(gradient_table(rows, title=title))
    cost = value_with_error(summary["cost"], summary["cost_standard_error"])
    exact = f" (exact {summary['exact_cost']:.6g})" if "exact_cost" in summary else ""
    nudge = f"beta {summary['beta']:.3g}, " if summary["beta_by_pilot"] else ""
    used = f"{amount(usage.circuits, 'circuit')}, {amount(usage.shots, 'shot')}"
    console.print(f"{nudge}cost {cost}{exact}, {used}", highlight=False)
    rough = [what for key, what in _ROUGH.items() if summary[key]]
    if rough:
        console.print(f"approximate: {' and '.join(rough)}", highlight=False)
    if "signal_bias" in summary:
        bias, noise = summary["signal_bias"], summary["signal_bias_noise"]
        says = "" if summary["signal_bias_resolved"] else ": not resolved"
        console.print(f"bias by noisy error signals {bias:.3g}, by noise alone {noise:.3g}{says}", highlight=False)
    if summary["diagnostics"]:
        console.print(_listed(summary["diagnostics"]), highlight=False)
    for line in _compared(summary):
        console.print(line, highlight=False)


def _compared(summary: dict[str, Any]) -> Iterator[str]:
    """Return the deviation of the gradient from its reference, with advice."""
    by_differences = "finite_difference_agrees" in summary
    if summary.get("cosine") is not None:
        reference = "finite differences of the reported cost" if by_differences else "the exact gradient"
        if "finer_bond_dimension" in summary:
            reference = f"the contrast with bonds of {summary['finer_bond_dimension']}"
        yield f"against {reference}: relative error {summary['relative_error']:.3g}, cosine {summary['cosine']:.6f}"
    if by_differences and not summary["finite_difference_agrees"]:
        yield (
            "they differ by more than a tenth and by more than their errors: if a smaller contrast.beta and better "
            "states do not mend it, the gradient is not that of the reported cost"
        )
    if summary.get("idle"):
        yield f"nothing in the Hamiltonian moves with {', '.join(summary['idle'])}"
