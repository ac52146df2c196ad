"""``qep budget``: number of shots that a gradient or a run needs, their optimal use, and studies of both."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console

from qep_qiskit.budget.checking import checked
from qep_qiskit.budget.folder import BudgetFolder
from qep_qiskit.budget.gradient_grid import GradientStudy
from qep_qiskit.budget.ramp_study import RampStudy
from qep_qiskit.budget.recommendation import (
    CONFIDENCE,
    BudgetProblem,
    Recommendation,
    for_error,
    for_seconds,
    require_answerable,
)
from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.shot_studies import ShotStudies
from qep_qiskit.budget.size_study import SizeStudy, sizes_of
from qep_qiskit.budget.study import Study, StudyKind, StudySummary
from qep_qiskit.cli.points_view import PointsView
from qep_qiskit.cli.source import open_source
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.grid import grid, parse_axis
from qep_qiskit.runs.processes import open_pool
from qep_qiskit.runs.table import require_table_format


def run(options: argparse.Namespace) -> int:
    """Print a recommendation for a given error or time, or check, compute and report the requested studies."""
    if options.target_error is not None or options.qpu_seconds is not None:
        return _answer(options)
    require_table_format(options.format)
    kind = _opened(options)
    folder = BudgetFolder(Path(options.out or Path("budgets") / Path(options.config).stem).absolute())
    folder.check(kind.setup)
    kind.check(folder.path)
    config = kind.experiment.config.budget
    with (
        open_pool(options.jobs, options.scheduler) as pool,
        folder.at_work(kind.setup, kind.experiment) as store,
        PointsView(Console(stderr=True), what=kind.points_name) as view,
    ):
        study = Study(setup=kind.setup, config=config, pool=pool, store=store, progress=view.show)
        found = kind.found(study, folder.path)
    return _report(folder.path, found, options)


def _opened(options: argparse.Namespace) -> StudyKind:
    """Return the requested study, after checks of the options and of the configuration."""
    names = options.study or ["gradient", "comparison"]
    if "size" in names:
        return _size_study(options)
    if "ramp" in names and (set(names) != {"ramp"} or options.over):
        raise ConfigError(
            "--study ramp: goes alone and without --over; total times, steps and schedules are in [budget.ramp]"
        )
    if options.over:
        raise ConfigError("--over: goes with --study size alone")
    experiment, weights = open_source(options.config, options.overrides, also=["budget"])
    if "ramp" in names:
        return RampStudy.of(experiment, weights)
    return ShotStudies(experiment=experiment, setup=setup_of(experiment, weights), names=names)


def _size_study(options: argparse.Namespace) -> StudyKind:
    """Return the study of the networks of a grid, all of which are checked."""
    if set(options.study) != {"size"}:
        raise ConfigError("--study size: goes alone; run the other studies without --over, in a folder of their own")
    if Path(options.config).is_dir():
        raise ConfigError(
            f"{options.config}: --study size takes a configuration file, because the weights of a run have one size"
        )
    if not options.over:
        raise ConfigError("--over: --study size needs the sizes, such as --over network.num_spins=4,8,12")
    points, others = sizes_of(grid(options.config, options.overrides, [parse_axis(text) for text in options.over]))
    experiment, weights = open_source(options.config, options.overrides)
    return SizeStudy(experiment=experiment, setup=setup_of(experiment, weights), points=points, others=others)


def _report(path: Path, found: StudySummary, options: argparse.Namespace) -> int:
    """Write the report and print what a study has found."""
    shown = found.write(path, options.format)
    if options.json:
        print(json.dumps({**found.facts, "folder": str(path)}, indent=1))
        return 0
    console = Console()
    for table in shown:
        console.print(table)
    for sentence in [*found.facts["sentences"], *found.facts["warnings"]]:
        console.print(f"* {sentence}", highlight=False)
    print(f"wrote {path / 'index.html'}")
    return 0


def _answer(options: argparse.Namespace) -> int:
    """Measure the pilots, find the recommendation for the error or the time, and check it before it is printed."""
    experiment, weights = open_source(options.config, options.overrides, also=["budget"])
    setup = setup_of(experiment, weights)
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
