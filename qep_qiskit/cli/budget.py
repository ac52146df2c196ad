"""``qep budget``: number of shots that a gradient or a run needs, and their optimal use."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from qep_qiskit.budget.checking import checked
from qep_qiskit.budget.noise import cancellation_rows, noise_rows, noisy_setups
from qep_qiskit.budget.recommendation import (
    CONFIDENCE,
    BudgetProblem,
    Recommendation,
    for_error,
    for_seconds,
    for_shots,
    require_answerable,
)
from qep_qiskit.budget.samples_study import SamplesStudy, samples_choice, samples_runs, samples_sentences
from qep_qiskit.budget.setup import BudgetSetup, problem_of, setup_of
from qep_qiskit.budget.study import GradientStudy, Study
from qep_qiskit.budget.summary_sentences import (
    comparison_sentences,
    gradient_sentences,
    noise_sentences,
    training_sentences,
)
from qep_qiskit.budget.training import check_training, training_points, training_rows
from qep_qiskit.cli import ramp_study, size_study
from qep_qiskit.cli.points_view import PointsView
from qep_qiskit.cli.source import open_source
from qep_qiskit.cli.study_report import folder_of, show_study
from qep_qiskit.config import Experiment
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.points import Point, Row
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.table import require_table_format, write_table
from qep_qiskit.runs.warned_points import warned_runs, warned_sentences

_RECOMMENDED_SHOTS = 1000
_TRUTH_OF_NOISE = ", and in the noise study that of the same circuits without noise"


def run(options: argparse.Namespace) -> int:
    """Print a recommendation for a given error or time, or run the requested studies."""
    is_answer = options.target_error is not None or options.qpu_seconds is not None
    if "size" in (options.study or ()) and not is_answer:
        return size_study.run(options)
    if "ramp" in (options.study or ()) and not is_answer:
        return ramp_study.run(options)
    if options.over and not is_answer:
        raise ConfigError("--over: goes with --study size alone")
    experiment, weights = open_source(options.config, options.overrides, also=["budget"])
    setup = setup_of(experiment, weights)
    if is_answer:
        return _answer(options, experiment, setup)
    require_table_format(options.format)
    studies = options.study or ["gradient", "comparison"]
    folder = folder_of(options)
    folder.check(setup)
    _check(studies, experiment, setup, folder.path)
    console = Console(stderr=True)
    with (
        open_pool(options.jobs, options.scheduler) as pool,
        folder.at_work(setup, experiment) as store,
        PointsView(console, what="points") as view,
    ):
        study = Study(setup=setup, config=experiment.config.budget, pool=pool, store=store, progress=view.show)
        tables, facts = _worked_out(studies, study, experiment, folder.path)
    return _report(folder.path, tables, facts, options)


def _check(studies: Sequence[str], experiment: Experiment, setup: BudgetSetup, path: Path) -> None:
    """Check all options before anything is written."""
    if not experiment.config.network.has_shot_noise:
        raise ConfigError("network.kind: an elastic network has no shot noise to study; use 'oscillators'")
    if isinstance(experiment.network, GridNetwork):
        raise ConfigError(
            "network.grid: a study tries nudges and weights that leave the boxes of a grid; leave the section out, "
            "since the same atoms in space have the same shot noise, or ask with --target-error or --qpu-seconds"
        )
    problem_of(setup, experiment.config.budget.reference)
    if "training" in studies:
        check_training(training_points(experiment.config, path / "runs"))
    if "samples" in studies:
        runs = samples_runs(experiment.config, experiment.task.train.num_samples, None, path / "runs")
        check_training([{**run, "folder": str(path / "unwritten")} for run in runs], "budget.step")
    if "noise" in studies:
        for other in noisy_setups(setup, experiment.config).values():
            problem_of(other, "prepared" if experiment.config.budget.reference == "prepared" else "exact")


def _worked_out(
    studies: Sequence[str], study: Study, experiment: Experiment, path: Path
) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """Return the rows by the name of their table, and the facts of the report."""
    tables: dict[str, list[Row]] = {}
    sentences: list[str] = []
    runs: list[Point] = []
    started = GradientStudy.started(study)
    if "gradient" in studies:
        tables["gradient"] = started.rows()
        sentences += gradient_sentences(tables["gradient"], started.pilots, started.default_contrast)
    if "comparison" in studies:
        tables["comparison"] = started.comparison()
        sentences += comparison_sentences(tables["comparison"])
    if "training" in studies:
        runs = training_points(experiment.config, path / "runs")
        tables["training"] = training_rows(study, runs)
        sentences += training_sentences(tables["training"])
    if "samples" in studies:
        samples = SamplesStudy(started=started, experiment=experiment, folder=path / "runs")
        tables["samples"], tables["samples_training"] = samples.rows()
        runs += samples.runs()
        sentences += samples_sentences(tables["samples"])
    if "noise" in studies:
        setups = noisy_setups(study.setup, experiment.config)
        tables["noise"] = noise_rows(study, setups)
        tables["cancellation"] = cancellation_rows(study, setups)
        sentences += noise_sentences(tables["noise"], tables["cancellation"])
    budget_problem = started.budget_problem(experiment)
    best = for_shots(budget_problem, experiment.config.measurement.batch_shots or _RECOMMENDED_SHOTS)[0]
    facts = _facts(experiment, study, budget_problem, best, sentences, tables)
    return tables, {**facts, "warnings": warned_sentences({**tables, "training": warned_runs(runs)})}


def _facts(
    experiment: Experiment,
    study: Study,
    budget_problem: BudgetProblem,
    best: Recommendation,
    sentences: Sequence[str],
    tables: Mapping[str, Sequence[Row]],
) -> dict[str, Any]:
    choice = {"samples_against_shots": samples_choice(tables["samples"])} if "samples" in tables else {}
    network = experiment.network
    problem = problem_of(study.setup, study.config.reference)
    truth = {"exact": "exact eigenstates", "prepared": "the prepared states without shots"}[problem.truth.source]
    trained = int(problem.trainable.sum())
    split = best.split or dict.fromkeys(budget_problem.groups, best.shots)
    size = f"{amount(network.num_qubits, 'spin')}, {amount(trained, 'trainable weight')}"
    return {
        "name": experiment.config.name,
        "network": f"{size}; errors are counted from the gradient of {truth}, mean over "
        f"{amount(budget_problem.samples, 'training sample')}",
        "truth": truth + (_TRUTH_OF_NOISE if "noise" in tables else ""),
        "num_weights": trained,
        "num_qubits": network.num_qubits,
        "num_samples": budget_problem.samples,
        "gradient_norm": problem.true_length,
        "sentences": list(sentences),
        "recommendation": {
            "beta": best.beta,
            "contrast": best.contrast,
            "shots": best.shots,
            "allocation": {name: count / sum(split.values()) for name, count in split.items()},
            "expected_rmse": best.error,
            "expected_relative_rmse": best.relative_error,
            "total_shots": best.total_shots,
            "qpu_seconds": best.qpu_seconds,
            "toml": best.toml,
            **choice,
        },
    }


def _report(path: Path, tables: dict[str, list[Row]], facts: dict[str, Any], options: argparse.Namespace) -> int:
    """Write the report, the tables first, because the page links to them. Figures are imported only here."""
    from qep_qiskit.budget.report.page import write_budget_report

    for name, rows in tables.items():
        if rows:
            write_table(path / f"{name}.{options.format}", rows)
    shown = write_budget_report(path, facts, **tables)
    return show_study(path, facts, shown, options.json)


def _answer(options: argparse.Namespace, experiment: Experiment, setup: BudgetSetup) -> int:
    """Measure the pilots, find the recommendation for the error or the time, and check it before it is printed."""
    if options.target_error is not None and options.qpu_seconds is not None:
        raise ConfigError("--target-error, --qpu-seconds: each follows from the other; give one of them")
    if options.study or options.over or options.out:
        raise ConfigError("--study, --over, --out: go with studies; --target-error and --qpu-seconds only answer")
    for name, value in (("--target-error", options.target_error), ("--qpu-seconds", options.qpu_seconds)):
        if value is not None:
            require_answerable(name, value)
    alone = options.jobs is None and options.scheduler is None  # pilots are shorter than the start of workers
    with (
        open_pool(1 if alone else options.jobs, options.scheduler) as pool,
        PointsView(Console(stderr=True), what="pilots") as view,
    ):
        study = Study(setup=setup, config=experiment.config.budget, pool=pool, progress=view.show)
        started = GradientStudy.started(study)

        def recommend(budget_problem: BudgetProblem) -> list[Recommendation]:
            if options.target_error is not None:
                return for_error(budget_problem, options.target_error)
            return for_seconds(budget_problem, options.qpu_seconds)

        found = checked(started.budget_problem(experiment), recommend, started.checks)
    if options.json:
        print(json.dumps({"confidence": CONFIDENCE, "answers": [one.record() for one in found]}, indent=1))
        return 0
    from qep_qiskit.budget.report.cells import answers_table

    console = Console()
    console.print(answers_table([one.record() for one in found], title=experiment.config.name))
    console.print(_about(found[0]), highlight=False)
    console.print("best, to paste into the configuration:\n", highlight=False)
    print(found[0].toml)
    return 0


def _about(best: Recommendation) -> str:
    """Return notes on the first recommendation."""
    low, high = best.relative_error_low, best.relative_error_high
    text = f"the best one is off by {low:.2g} to {high:.2g} of the gradient (90 %), as far as the bias is not known"
    check = best.check
    if check is None:
        return f"{text}; it was not checked, because its nudge still moved after three checks"
    return (
        f"{text}; checked at its own nudge against half of it: they differ by {check.change:.2g}, of which noise alone "
        f"would give {check.change_error:.2g} ({amount(check.total_shots, 'shot')}, after {best.pilot_shots:,} of the "
        "pilot)"
    )
