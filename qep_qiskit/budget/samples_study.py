"""Samples against shots: gradient error and training at fixed executions of a step, down to single measurements.

A step of B samples with m shots a batch has the variance (V_data + V_shot / m) / B, where V_data is the variance of the
contrast between samples, without shots, and V_shot that of one sample and one shot. At fixed B m the part of the shots
is fixed too, so that fewer shots of more samples are better, as far as the formula holds: with few shots the noise of
measured error signals adds to it. Samples of a step are different ones, as in training, which multiplies V_data by
(N - B) / (N - 1) with N training samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.budget.gradient_grid import GradientStudy
from qep_qiskit.budget.gradient_study import Setting, repeated
from qep_qiskit.budget.problem import CachedStates
from qep_qiskit.budget.setup import BudgetSetup, experiment_of, ideal, problem_of, setup_of
from qep_qiskit.budget.training import check_training, runs_of, training_rows
from qep_qiskit.config import Config, Experiment
from qep_qiskit.config.measurement import ContrastConfig
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import Contrast, GradientEstimate, GradientEstimator
from qep_qiskit.learning.contrast import CHEBYSHEV
from qep_qiskit.measurement import MeasurementCoroutine, run_measurements
from qep_qiskit.report.tables import grouped
from qep_qiskit.runs.points import Point, Row
from qep_qiskit.runs.warned_points import quietly

_SHOTS_OF_VARIANCES = 1000
_REPEATS_OF_VARIANCES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One choice of samples and shots.

    Args:
        samples: Samples of a step.
        shots: Shots per batch.
    """

    samples: int
    shots: int

    @property
    def label(self) -> str:
        """Name of the choice in figures and tables."""
        return f"{amount(self.shots, 'shot')} of {amount(self.samples, 'sample')}"


def steps_of(config: Config, num_samples: int) -> list[Step]:
    """Return the choices of a study, the fewest shots first.

    Args:
        config: Configuration of the study.
        num_samples: Number of training samples.

    Raises:
        ConfigError: Executions cannot be divided so, or there are too few samples.
    """
    section = config.budget.step
    for shots in section.shots:
        if section.executions % shots:
            raise ConfigError(
                f"budget.step.shots: expected divisors of budget.step.executions = {section.executions}, got {shots}"
            )
    found = [Step(samples=section.executions // shots, shots=shots) for shots in sorted(set(section.shots))]
    if found[0].samples > num_samples:
        raise ConfigError(
            f"budget.step: {section.executions} executions of {amount(found[0].shots, 'shot')} take "
            f"{found[0].samples} samples, and the task has {num_samples}; use more shots or at most "
            f"budget.step.executions={num_samples * found[0].shots}"
        )
    if len(found) < 2:
        raise ConfigError(f"budget.step.shots: expected two numbers of shots or more, got {section.shots}")
    return found


def all_samples(experiment: Experiment, setup: BudgetSetup) -> BudgetSetup:
    """Return a study of all training samples instead of the first ones.

    Args:
        experiment: The experiment.
        setup: The study of the first samples, with the weights.
    """
    budget = experiment.config.budget.model_copy(update={"samples": experiment.task.train.num_samples})
    whole = replace(experiment, config=experiment.config.model_copy(update={"budget": budget}))
    return setup_of(whole, setup.weights)


def samples_runs(config: Config, num_samples: int, contrast: ContrastConfig | None, folder: Path) -> list[Point]:
    """Return the training runs: every choice and seed, at equal shots in all.

    Args:
        config: Configuration of the study.
        num_samples: Number of training samples.
        contrast: Contrast of the study, or None for that of the configuration.
        folder: Folder of the runs, an absolute path.
    """
    steps, section = steps_of(config, num_samples), config.budget.step
    fewest, budgets = min(step.samples for step in steps), dict[str, dict[str, Any]]()
    for step in steps:
        epochs = max(1, round(section.epochs * step.samples / fewest))
        measurement = {"shots": step.shots, "adaptive": None, "allocation": "equal"}
        training = {"batch_size": step.samples, "epochs": epochs, "evaluate_every": 0}
        budgets[step.label] = {
            "measurement": config.measurement.model_copy(update=measurement),
            "training": config.training.model_copy(update=training),
            "contrast": contrast or config.contrast,
        }
    return runs_of(config, folder, budgets, section.seeds)


@dataclass(frozen=True, kw_only=True)
class SamplesStudy:
    """Points and runs of a study of samples against shots.

    Args:
        started: The gradient study whose pilot gives the nudge.
        experiment: The experiment.
        folder: Folder of the runs, an absolute path.
    """

    started: GradientStudy
    experiment: Experiment
    folder: Path

    @property
    def setting(self) -> Setting:
        """Contrast and nudge of all points: the best for the executions of a step, by the pilot."""
        study = self.started.study
        executions, samples = study.config.step.executions, study.setup.task.train.num_samples
        return self.started.best_setting(self.started.default_contrast, max(1, round(executions / samples)))

    def runs(self) -> list[Point]:
        """Return the training runs, with the nudge of the points."""
        setting = self.setting
        named = Contrast.named(setting.contrast, setting.beta)
        order = named.order if named.kind == CHEBYSHEV else None
        contrast = ContrastConfig.model_validate({"kind": named.kind, "beta": setting.beta, "order": order})
        return samples_runs(self.experiment.config, self.experiment.task.train.num_samples, contrast, self.folder)

    def rows(self) -> tuple[list[Row], list[Row]]:
        """Return a row for every choice, and those of the training runs for every epoch, with the shots of steps alone.

        Evaluations would cost more where shots are many.
        """
        study, setting = self.started.study, self.setting
        setup = all_samples(self.experiment, study.setup)
        runs = self.runs()
        check_training(runs, "budget.step")
        trained = training_rows(study, runs)
        steps = steps_of(self.experiment.config, setup.task.train.num_samples)
        points = [_point(setup, setting, None, _REPEATS_OF_VARIANCES)]
        points += [_point(setup, setting, step, study.config.repeats) for step in steps]
        variances, *measured = study.of(setup).estimates(points, computed)
        ends = _last_losses(trained)
        found = [
            {**row, **expected(step, setup.task.train.num_samples, variances), "loss": ends[step.label]}
            for step, row in zip(steps, measured, strict=True)
        ]
        each = {step.label: row["total_shots"] / step.samples for step, row in zip(steps, measured, strict=True)}
        shots = [round(row["epoch"] * setup.task.train.num_samples * each[row["budget"]]) for row in trained]
        return found, [{**row, "shots": count} for row, count in zip(trained, shots, strict=True)]


def _point(setup: BudgetSetup, setting: Setting, step: Step | None, repeats: int) -> Point:
    """Return the point of a choice, or that of the variances."""
    name = "variances" if step is None else step.label
    shots = _SHOTS_OF_VARIANCES if step is None else step.shots
    own = asdict(replace(setting, shots=shots))
    key = f"samples {name} {setting.contrast} {setting.beta:.6g} x {repeats} {setup.digest}"
    return {"key": key, "setting": own, "samples": step and step.samples, "repeats": repeats}


def computed(setup: BudgetSetup, reference: str, point: Point) -> Mapping[str, Any]:
    """Measure a choice, or the variances of samples and shots. Called in a worker.

    Args:
        setup: The study of all training samples.
        reference: ``"exact"`` or ``"prepared"``, the reference for errors.
        point: The point.
    """
    problem, seeds, setting = problem_of(setup, reference), experiment_of(setup).seeds, Setting(**point["setting"])
    contrast = Contrast.named(setting.contrast, setting.beta)
    preparation = CachedStates(problem.estimator.preparation)
    estimator = replace(problem.estimator, contrast=contrast, shots=setting.shots, preparation=preparation)
    every, count = len(problem.inputs), point["samples"] or len(problem.inputs)

    def estimate(repeat: int) -> MeasurementCoroutine[GradientEstimate]:
        drawn = np.sort(seeds.generator(point["key"], repeat).choice(every, count, replace=False))
        given = problem.weights, problem.inputs[drawn], problem.targets[drawn]
        return estimator.estimate(*given, RequestKey(point["key"], repeat))

    truth = problem.truth.gradient[problem.trainable]
    estimates, row = repeated(estimate, problem, point["repeats"], truth, problem.trainable)
    if point["samples"] is None:
        claimed = np.array([one.variance[problem.trainable].sum() for one in estimates])
        contrasts = exact_contrasts(setup, replace(estimator, shots=None))[:, problem.trainable]
        mean = contrasts.mean(axis=0)
        return {
            "v_data": float(((contrasts - mean) ** 2).sum(axis=1).mean()),
            "v_shot": float(claimed.mean()) * every * setting.shots,
            "bias": float(np.linalg.norm(mean - truth)),
        }
    place = {"shots": setting.shots, "samples": count, "contrast": setting.contrast, "beta": setting.beta}
    return {**place, **{name: value for name, value in row.items() if not name.startswith("chi2")}}


def exact_contrasts(setup: BudgetSetup, estimator: GradientEstimator) -> NDArray[np.float64]:
    """Return the contrast of every sample on its own without shots, shape (samples, weights).

    Args:
        setup: The study of all training samples.
        estimator: The estimator without shots, with the nudge.
    """
    data, executor = setup.task.train, experiment_of(ideal(setup)).executor
    found = []
    for one in range(data.num_samples):
        given = setup.weights, data.inputs[one : one + 1], data.targets[one : one + 1]
        work = estimator.estimate(*given, RequestKey("contrast of a sample", one))
        found.append(quietly(partial(run_measurements, work, executor))[0].gradient)
    return np.array(found)


def expected(step: Step, num_samples: int, variances: Mapping[str, float]) -> Row:
    """Return the error of a choice by the formula, with its parts.

    Args:
        step: The choice.
        num_samples: Number of training samples, of which those of a step are different ones.
        variances: ``v_data``, ``v_shot``, and the ``bias`` of the contrast.
    """
    left = (num_samples - step.samples) / (num_samples - 1) if num_samples > 1 else 0.0
    data, shot = variances["v_data"] * left / step.samples, variances["v_shot"] / (step.samples * step.shots)
    return {
        "data_std": data**0.5,
        "shot_std": shot**0.5,
        "model_std": (data + shot) ** 0.5,
        "model_rmse": (data + shot + variances["bias"] ** 2) ** 0.5,
        "v_data": variances["v_data"],
        "v_shot": variances["v_shot"],
    }


def _last_losses(rows: Sequence[Row]) -> dict[str, float]:
    """Return the loss at the end of training by choice, the median over seeds."""
    ends = {
        (budget, seed): own[-1]["loss"] for (budget, seed), own in grouped(rows, itemgetter("budget", "seed")).items()
    }
    budgets = dict.fromkeys(budget for budget, _ in ends)
    return {name: float(np.median([loss for (own, _), loss in ends.items() if own == name])) for name in budgets}


def chosen(rows: Sequence[Row]) -> Row:
    """Return the choice that trains to the lowest loss, of those whose errors repeats cannot tell from the smallest.

    The errors are of one gradient, at the first weights. What the noise of error signals does to a training shows in
    the training.

    Args:
        rows: Rows of `SamplesStudy.rows`.
    """
    best = min(rows, key=itemgetter("rmse"))
    as_good = [row for row in rows if row is best or row["rmse_low"] <= best["rmse_high"]]
    return min(as_good, key=itemgetter("loss"))


def samples_choice(rows: Sequence[Row]) -> str:
    """Return what to choose, as a sentence.

    Args:
        rows: Rows of `SamplesStudy.rows`.
    """
    best, other = chosen(rows), max(rows, key=itemgetter("rmse"))
    if best is other:
        return "Samples and shots of a step are worth the same: repeats cannot tell their errors apart."
    return (
        f"Take {_words(best)} a step: at the same executions and QPU seconds the squared error of the gradient is "
        f"{(other['rmse'] / best['rmse']) ** 2:.2g} times as large with {_words(other)}."
    )


def samples_sentences(rows: Sequence[Row]) -> list[str]:
    """Return the choice with what it rests on: variances, formula, losses and price.

    Args:
        rows: Rows of `SamplesStudy.rows`.
    """
    return [samples_choice(rows), *_variances(rows), _losses(rows), _price(rows[0])]


def _variances(rows: Sequence[Row]) -> list[str]:
    """Return the ratio of the two variances, and how well the formula describes the points."""
    found, first = [], rows[0]
    if first["v_data"] > 0:
        found.append(
            f"One shot has {first['v_shot'] / first['v_data']:.3g} times the variance of the samples "
            "(V_shot / V_data): shots of a sample beyond about as many add little."
        )
    known = [row for row in rows if row["model_std"] > 0]
    if known:
        off = [row["std"] / row["model_std"] for row in known]
        found.append(
            f"The measured standard deviation is {min(off):.2f} to {max(off):.2f} times that of the formula, "
            f"{off[0]:.2f} times at {amount(known[0]['shots'], 'shot')}; the measured error is "
            f"{known[0]['rmse'] / known[0]['model_rmse']:.2f} times that of the formula there."
        )
    return found


def _losses(rows: Sequence[Row]) -> str:
    low, high = (choose(rows, key=itemgetter("loss")) for choose in (min, max))
    return (
        f"Trained with equal shots in all, the loss ends at {low['loss']:.3g} with {_words(low)} a step, and at "
        f"{high['loss']:.3g} with {_words(high)}, at the same learning rate."
    )


def _price(row: Row) -> str:
    jobs = estimated_qpu_seconds(0, row["jobs"])
    free = jobs / estimated_qpu_seconds(1, 0)
    return (
        f"A step of {row['total_shots']:,} executions takes {row['qpu_seconds']:.3g} QPU seconds, of which "
        f"{jobs:.3g} are the overhead of {amount(row['jobs'], 'job')}: as much as {free:,.0f} executions, up to which "
        "more samples cost little."
    )


def _words(row: Row) -> str:
    shots = amount(row["shots"], "shot")
    return f"{shots} of one sample" if row["samples"] == 1 else f"{shots} of each of {row['samples']:,} samples"
