"""The training study: loss and accuracy against shots, for several budgets and seeds.

Every budget and seed is a separate run that can be resumed. The compared loss is that of the prepared states without
shot noise, and its evaluation is not counted: measured losses have error bars that differ between budgets, and are
biased at one shot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qep_qiskit.budget.baselines import shots_in_words
from qep_qiskit.budget.study import Study
from qep_qiskit.config import Config, build, check_config
from qep_qiskit.config.callbacks import CallbacksConfig
from qep_qiskit.config.measurement import AdaptiveConfig
from qep_qiskit.core.errors import ConfigError, RunFolderError
from qep_qiskit.core.files import LineFile
from qep_qiskit.learning import Callback, Record, Trainer, evaluate
from qep_qiskit.runs.folder import RunFolder, complete_lines
from qep_qiskit.runs.points import Point, Row
from qep_qiskit.runs.sweep import FinishedRuns, trained_run
from qep_qiskit.runs.training import kept_config

_FILE = "exact_losses.jsonl"


def training_points(config: Config, folder: Path) -> list[Point]:
    """Return one run for every budget and seed.

    Args:
        config: Configuration of the study.
        folder: Folder of the runs, an absolute path.

    Raises:
        ConfigError: The configuration has no shot noise.
    """
    if config.measurement.batch_shots is None:
        raise ConfigError("measurement.shots: a training study compares numbers of shots; expected one, got 'exact'")
    budgets = {label: {"measurement": measurement} for label, measurement in _budgets(config).items()}
    return runs_of(config, folder, budgets, config.budget.training.seeds)


def runs_of(config: Config, folder: Path, budgets: Mapping[str, Mapping[str, Any]], seeds: int) -> list[Point]:
    """Return one run for every budget and seed, with losses that are evaluated without shots.

    Args:
        config: Configuration of the study.
        folder: Folder of the runs, an absolute path.
        budgets: Changed sections of the configuration by the label of the budget.
        seeds: Number of seeds, from that of the configuration on.
    """
    points = list[Point]()
    for label, sections in budgets.items():
        for seed in range(config.seed, config.seed + seeds):
            own = config.model_copy(update={"seed": seed, "callbacks": CallbacksConfig(), **sections})
            own = own.model_copy(update={"training": own.training.model_copy(update={"evaluate_final": False})})
            name = f"{label.replace(' ', '-')}-seed-{seed}"
            point = {"key": name, "folder": str(folder / name), "config": own.resolved(), "label": label, "seed": seed}
            points.append(point)
    return points


def _budgets(config: Config) -> dict[str, Any]:
    section, base = config.budget.training, config.measurement
    adaptive = base.adaptive or AdaptiveConfig()
    fixed = {shots_in_words(shots): {"shots": shots, "adaptive": None} for shots in section.shots}
    adapted = {f"adaptive from {shots}": {"shots": shots, "adaptive": adaptive} for shots in section.adaptive_from}
    return {label: base.model_copy(update=keys) for label, keys in (fixed | adapted).items()}


@dataclass(frozen=True)
class ExactLosses(Callback):
    """Write loss and accuracy of the prepared states, without shot noise, after every epoch.

    Args:
        folder: Folder of the run.
    """

    folder: RunFolder

    def on_epoch(self, trainer: Trainer, record: Record) -> None:
        """Append one line; a resumed run may write the line of an epoch again."""
        found = evaluate(
            replace(trainer.estimator, shots=None),
            trainer.executor,
            trainer.weights,
            trainer.task.train,
            purpose="exact-loss",
            index=trainer.state.epoch,
            warm_start=trainer.state.warm_starts,
        ).tally
        line = {"epoch": trainer.state.epoch, "loss": found.mean_cost, "accuracy": found.accuracy}
        with LineFile(self.folder.path / _FILE) as file:
            file.append((json.dumps(line) + "\n").encode())


def work_on_run(point: Point) -> Mapping[str, Any]:
    """Train the run of a point, from the start or from its last checkpoint. Called in a worker."""
    exact = _has_exact_losses(check_config(point["config"], point["key"]))
    return trained_run(point, lambda folder: (ExactLosses(folder),) if exact else ())


def _has_exact_losses(config: Config) -> bool:
    """Return whether prepared states can be evaluated without shots; not if their preparation uses shots."""
    return not config.preparation.measures_energies


def check_training(points: Sequence[Point], section: str = "budget.training") -> None:
    """Check that every budget can be trained, and that no other run exists in the folders; nothing is written.

    Args:
        points: The runs.
        section: Section of the configuration that asks for them.

    Raises:
        ConfigError: The configuration does not allow a budget.
        RunFolderError: There are runs with other settings.
    """
    for point in {point["label"]: point for point in points}.values():
        try:
            build(check_config(point["config"], section))
        except ConfigError as error:
            raise ConfigError(f"{section} ({point['label']}): {error}") from error
    for point in points:
        path = Path(point["folder"])
        if path.exists() and kept_config(RunFolder.open(path)) != point["config"]:
            raise RunFolderError(f"{path}: holds a run of other settings; remove {path.parent}, or give another --out")


def training_rows(study: Study, points: Sequence[Point]) -> list[Row]:
    """Train all runs, and return a row for every budget, seed and epoch.

    Args:
        study: Pool, store and progress of the runs.
        points: The runs.
    """
    replace(study, store=FinishedRuns()).rows(points, work_on_run)
    return [row for point in points for row in _epochs(point)]


def _epochs(point: Point) -> list[Row]:
    folder = RunFolder(Path(point["folder"]))
    exact = {line["epoch"]: line for line in complete_lines(folder.path / _FILE)}  # the last line of an epoch counts
    rows = []
    for record in folder.records():
        if record["event"] == "epoch":
            known = exact.get(record["epoch"], {"loss": record["train_loss"], "accuracy": record["train_accuracy"]})
            row = {"budget": point["label"], "seed": point["seed"], "epoch": record["epoch"], "shots": record["shots"]}
            loss = {"loss": known["loss"], "accuracy": known["accuracy"], "test_accuracy": record["test_accuracy"]}
            rows.append({**row, **loss, "loss_is_exact": record["epoch"] in exact})
    return rows
