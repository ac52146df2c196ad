"""The studies of shot noise: gradient, comparison, training, samples and noise, from the same pilots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.budget.gradient_grid import GradientStudy
from qep_qiskit.budget.noise import cancellation_rows, noise_rows, noisy_setups
from qep_qiskit.budget.recommendation import for_shots
from qep_qiskit.budget.samples_study import SamplesStudy, samples_choice, samples_runs, samples_sentences
from qep_qiskit.budget.setup import problem_of
from qep_qiskit.budget.study import Study, StudyKind, StudySummary
from qep_qiskit.budget.summary_sentences import (
    comparison_sentences,
    gradient_sentences,
    noise_sentences,
    training_sentences,
)
from qep_qiskit.budget.training import check_training, training_points, training_rows
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.points import Point, Row
from qep_qiskit.runs.warned_points import warned_runs, warned_sentences

_RECOMMENDED_SHOTS = 1000
_TRUTH_OF_NOISE = ", and in the noise study that of the same circuits without noise"


@dataclass(frozen=True, kw_only=True)
class ShotStudies(StudyKind):
    """Some of the studies of shot noise.

    Args:
        names: Their names.
    """

    names: Sequence[str]

    def check(self, path: Path) -> None:
        """Check everything before anything is written."""
        if not self.experiment.config.network.has_shot_noise:
            raise ConfigError("network.kind: an elastic network has no shot noise to study; use 'oscillators'")
        if isinstance(self.experiment.network, GridNetwork):
            raise ConfigError(
                "network.grid: a study tries nudges and weights that leave the boxes of a grid; leave the section out, "
                "since the same atoms in space have the same shot noise, or ask with --target-error or --qpu-seconds"
            )
        problem_of(self.setup, self.experiment.config.budget.reference)
        if "training" in self.names:
            check_training(training_points(self.experiment.config, path / "runs"))
        if "samples" in self.names:
            runs = samples_runs(self.experiment.config, self.experiment.task.train.num_samples, None, path / "runs")
            check_training([{**run, "folder": str(path / "unwritten")} for run in runs], "budget.step")
        if "noise" in self.names:
            for other in noisy_setups(self.setup, self.experiment.config).values():
                problem_of(other, "prepared" if self.experiment.config.budget.reference == "prepared" else "exact")

    def found(self, study: Study, path: Path) -> StudySummary:
        """Measure the pilots and the points of every study, and return rows and recommendation."""
        tables: dict[str, list[Row]] = {}
        sentences: list[str] = []
        runs: list[Point] = []
        started = GradientStudy.started(study)
        if "gradient" in self.names:
            tables["gradient"] = started.rows()
            sentences += gradient_sentences(tables["gradient"], started.pilots, started.default_contrast)
        if "comparison" in self.names:
            tables["comparison"] = started.comparison()
            sentences += comparison_sentences(tables["comparison"])
        if "training" in self.names:
            runs = training_points(self.experiment.config, path / "runs")
            tables["training"] = training_rows(study, runs)
            sentences += training_sentences(tables["training"])
        if "samples" in self.names:
            samples = SamplesStudy(started=started, experiment=self.experiment, folder=path / "runs")
            tables["samples"], tables["samples_training"] = samples.rows()
            runs += samples.runs()
            sentences += samples_sentences(tables["samples"])
        if "noise" in self.names:
            setups = noisy_setups(study.setup, self.experiment.config)
            tables["noise"] = noise_rows(study, setups)
            tables["cancellation"] = cancellation_rows(study, setups)
            sentences += noise_sentences(tables["noise"], tables["cancellation"])
        facts = self._facts(started, sentences, tables)
        warnings = warned_sentences({**tables, "training": warned_runs(runs)})
        return StudySummary(facts={**facts, "warnings": warnings}, tables=tables)

    def _facts(
        self, started: GradientStudy, sentences: list[str], tables: Mapping[str, Sequence[Row]]
    ) -> dict[str, Any]:
        choice = {"samples_against_shots": samples_choice(tables["samples"])} if "samples" in tables else {}
        network, config = self.experiment.network, self.experiment.config
        budget_problem = started.budget_problem(self.experiment)
        best = for_shots(budget_problem, config.measurement.batch_shots or _RECOMMENDED_SHOTS)[0]
        problem = problem_of(self.setup, config.budget.reference)
        truth = {"exact": "exact eigenstates", "prepared": "the prepared states without shots"}[problem.truth.source]
        trained = int(problem.trainable.sum())
        split = best.split or dict.fromkeys(budget_problem.groups, best.shots)
        size = f"{amount(network.num_qubits, 'spin')}, {amount(trained, 'trainable weight')}"
        return {
            "name": config.name,
            "network": f"{size}; errors are counted from the gradient of {truth}, mean over "
            f"{amount(budget_problem.samples, 'training sample')}",
            "truth": truth + (_TRUTH_OF_NOISE if "noise" in tables else ""),
            "num_weights": trained,
            "num_qubits": network.num_qubits,
            "num_samples": budget_problem.samples,
            "gradient_norm": problem.true_length,
            "sentences": sentences,
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
