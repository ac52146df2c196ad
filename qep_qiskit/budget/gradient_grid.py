"""The points of the gradient study and of the comparison with other methods, both from the same pilots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qep_qiskit.budget.baselines import SPSA, FiniteDifferences
from qep_qiskit.budget.candidates import SHIFTS, finite_difference_candidates, spsa_candidates
from qep_qiskit.budget.checking import setting_of_check
from qep_qiskit.budget.gradient_study import Setting, Signals, StudyPilot
from qep_qiskit.budget.points import (
    baseline_point,
    check_point,
    pilot_point,
    setting_of,
    setting_point,
    shift_point,
)
from qep_qiskit.budget.recommendation import BudgetProblem, Recommendation
from qep_qiskit.budget.setup import experiment_of, problem_of
from qep_qiskit.budget.study import Study
from qep_qiskit.config import Experiment
from qep_qiskit.core.amounts import amount
from qep_qiskit.learning import Contrast, GradientEstimator, of_sign
from qep_qiskit.learning.bias_fit import MeasuredContrasts
from qep_qiskit.learning.measurement_plans import gradient_plan
from qep_qiskit.learning.shot_schedule import batches_per_group
from qep_qiskit.runs.points import Point, Row

_FEWEST_REPEATS_OF_SPSA = 12
_SCREENED = 3  # repeats of every setting of another method; thousands of perturbations take long
_MOST_MINIMISATIONS = 8
_MOST_SOLUTIONS = 128
_QUICKLY_SOLVED_UP_TO = 7
_COMPARED = ("symmetric", "one_sided")


@dataclass(frozen=True, kw_only=True)
class GradientStudy:
    """Error of the gradient as a function of all settings.

    Args:
        study: Pool, store and progress of its points.
        pilots: Error models of the contrasts with measured error signals, by their names in the study.
    """

    study: Study
    pilots: dict[str, StudyPilot]

    @classmethod
    def started(cls, study: Study) -> GradientStudy:
        """Measure the pilots of all contrasts and return the study."""
        return cls(study=study, pilots=_pilots(study, "measured"))

    @property
    def _estimator(self) -> GradientEstimator:
        return experiment_of(self.study.setup).estimator

    def budget_problem(self, experiment: Experiment) -> BudgetProblem:
        """Return the problem for which recommendations are made."""
        training, samples = experiment.config.training, self.study.setup.task.train.num_samples
        per_epoch = -(-experiment.task.train.num_samples // training.batch_size)
        estimator = self._estimator
        return BudgetProblem(
            pilots=self.pilots,
            groups=[group.name for group in estimator.measurement_plan.groups],
            gradient_length=problem_of(self.study.setup, self.study.config.reference).true_length,
            samples=samples,
            jobs=estimator.hamiltonian.cost.stages,
            steps=per_epoch * training.epochs,
            equal_nudges=estimator.equal_nudges,
            shots_by_error=estimator.shots_by_error,
        )

    def checks(self, recommendations: Sequence[Recommendation]) -> list[tuple[MeasuredContrasts, int]]:
        """Measure the checks of recommendations; return each with its total shots."""
        setup = self.study.setup
        rows = self.study.estimates([check_point(setup, setting_of_check(one)) for one in recommendations])
        return [(MeasuredContrasts.from_record(row["contrasts"]), row["shots"]) for row in rows]

    def betas(self, contrast: str) -> list[float]:
        """Return the nudges of a contrast: as configured, or around the optimal ones of its pilot, to two digits."""
        config = self.study.config
        if config.betas is not None:
            return list(config.betas)
        model, sign = self.pilots[contrast].model, of_sign(contrast)[1]
        ends = [abs(model.best_beta(shots, sign=sign)) for shots in (max(config.shots), max(10, min(config.shots)))]
        most = np.inf if model.most_beta is None else model.most_beta
        grid = np.geomspace(0.5 * min(ends), min(2.0 * max(ends), 8.0 * model.beta_scale, most), config.num_betas)
        return sorted({float(f"{beta:.2g}") for beta in grid})

    def rows(self) -> list[Row]:
        """Return the grid of shots, nudges and contrasts, then groupings and allocations at the model's best nudge."""
        study, points = self.study, list[Point]()
        for signals in study.config.signals:
            pilots = self.pilots if signals == "measured" else self._pilots_of_known_signals()
            points += [
                self._point(setting_of(name, beta, shots, signals=signals), pilots[name])
                for name in pilots
                for beta in self.betas(name)
                for shots in study.config.shots
            ]
        return study.estimates(points + self._other_ways())

    def _pilots_of_known_signals(self) -> dict[str, StudyPilot]:
        return _pilots(self.study, "known") if self._estimator.hamiltonian.cost.has_signals else self.pilots

    def _point(self, setting: Setting, pilot: StudyPilot | None = None, **labels: Any) -> Point:
        """Return the point of a setting with the repeats of the study."""
        return setting_point(self.study.setup, setting, self.study.config.repeats, pilot, **labels)

    @property
    def default_contrast(self) -> str:
        """The contrast with which groupings, allocations and other methods are compared."""
        return "symmetric" if "symmetric" in self.pilots else next(iter(self.pilots))

    def _other_ways(self) -> list[Point]:
        """Return points of the optimal allocation, qubit-wise groups, and separate weights at equal total shots."""
        name, points = self.default_contrast, list[Point]()
        pilot, study = self.pilots[name], self.study
        for shots in study.config.shots:
            plain = self.best_setting(name, shots)
            shot_fractions = pilot.model.best_shot_fractions(plain.beta, pilot.batches)
            ways = [plain, replace(plain, shot_fractions=tuple(shot_fractions.tolist()))]
            if self._estimator.hamiltonian.num_qubits:
                ways.append(replace(plain, grouping="qubit_wise"))
            points += [self._point(way, pilot) for way in ways]
            points += map(self._point, self._per_weight(plain))
        return points

    def best_setting(self, contrast: str, shots: int) -> Setting:
        """Return the setting of a contrast at the optimal nudge of its pilot, to three digits.

        Args:
            contrast: Name of the contrast in the study.
            shots: Shots per batch.
        """
        model, sign = self.pilots[contrast].model, of_sign(contrast)[1]
        return setting_of(contrast, float(f"{abs(model.best_beta(shots, sign=sign)):.3g}"), shots)

    def _per_weight(self, shared: Setting) -> list[Setting]:
        """Return the setting with each weight measured separately and equal total shots; none if they are too few."""
        estimator, setup = self._estimator, self.study.setup
        jacobian = estimator.hamiltonian.jacobian(setup.weights, setup.task.train.inputs)
        plan = gradient_plan(estimator.hamiltonian, "per_weight", jacobian)
        phases = len(Contrast.named(shared.contrast).betas)
        signals = estimator.hamiltonian.cost.has_signals
        total = shared.shots * float(batches_per_group(self._with(shared)).sum())
        measuring = (
            len(estimator.measurement_plan.groups_measuring(estimator.hamiltonian.measured_terms)) if signals else 0
        )
        shots = round(total / (phases * len(plan.groups) + measuring))
        return [replace(shared, shots=shots, grouping="per_weight")] if shots >= 1 else []

    def _is_affordable(self, method: FiniteDifferences | SPSA) -> bool:
        """Return whether the states of SPSA can be computed in reasonable time.

        Every sign vector is another Hamiltonian.
        """
        experiment = experiment_of(self.study.setup)
        kind, size = experiment.config.preparation.kind, experiment.network.num_qubits
        most = _MOST_MINIMISATIONS if kind == "variational" else _MOST_SOLUTIONS
        solved = kind == "variational" or (kind == "exact" and size > _QUICKLY_SOLVED_UP_TO)
        return not (solved and isinstance(method, SPSA) and method.perturbations > most)

    def _with(self, setting: Setting) -> GradientEstimator:
        contrast = Contrast.named(setting.contrast, setting.beta)
        return replace(self._estimator, contrast=contrast, shots=setting.shots)

    def comparison(self) -> list[Row]:
        """Return rows of this and other methods at equal shots and at equal circuits, each at its best setting."""
        return [row for shots in self.study.config.comparison_shots for row in self._compared_at(shots)]

    def _compared_at(self, shots: int) -> list[Row]:
        study, names = self.study, [name for name in _COMPARED if name in self.pilots] or [self.default_contrast]
        own = [self._with_as_many_shots(name, self.best_setting(names[0], shots)) for name in names]
        ours = [*own, *self._per_weight(own[0])]
        found = study.estimates([self._point(one, at="equal shots") for one in ours])
        total = found[0]["total_shots"]
        for row in found:
            row |= {
                "setting": f"beta {abs(row['beta']):.2g}, {amount(row['shots'], 'shot')} a batch",
                "label": _label(row),
            }
        circuits = found[0]["circuits"] // study.setup.task.train.num_samples
        return [{**row, "budget": total} for row in found] + self._others(total, circuits)

    def _with_as_many_shots(self, contrast: str, guide: Setting) -> Setting:
        """Return the setting of a contrast with the total shots of another setting, at its own best nudge."""
        kind, _ = of_sign(contrast)
        if kind == guide.contrast:
            return guide
        batches = batches_per_group(self._with(guide)).sum() / self.pilots[contrast].batches.sum()
        return self.best_setting(contrast, max(1, round(guide.shots * float(batches))))

    def _shifts(self) -> tuple[float, ...]:
        """Return candidate shifts of the weights; springs and masses stay positive under them."""
        network = self._estimator.hamiltonian.network
        if network.num_qubits:
            return SHIFTS
        layout = network.layout
        margin = float((self.study.setup.weights - layout.bounds()[0])[layout.trainable()].min())
        return tuple(shift for shift in SHIFTS if shift < margin) or (margin / 2.0,)

    def _others(self, total: int, circuits: int) -> list[Row]:
        """Return finite differences and SPSA, each the best of a grid of settings."""
        study, hamiltonian = self.study, self._estimator.hamiltonian
        samples, seeds = study.setup.task.train.num_samples, experiment_of(study.setup).seeds
        few = max(_FEWEST_REPEATS_OF_SPSA, study.config.repeats // 4)
        given: dict[str, Any] = {"total_shots": total, "num_samples": samples, "shifts": self._shifts()}
        candidates: dict[str, Sequence[FiniteDifferences | SPSA]] = {
            "finite differences": finite_difference_candidates(hamiltonian, **given),
            "SPSA": spsa_candidates(hamiltonian, **given, seeds=seeds),
            "SPSA, equal circuits": spsa_candidates(hamiltonian, **given, seeds=seeds, circuits=circuits),
        }
        rows = []
        for label, methods in candidates.items():
            at = "equal circuits" if label.endswith("circuits") else "equal shots"
            affordable = [method for method in methods if self._is_affordable(method)]
            points = [baseline_point(study.setup, method, _SCREENED, total, at) for method in affordable]
            if points:
                screened = [row["rmse"] for row in study.estimates(points)]
                chosen = affordable[int(np.argmin(screened))]
                # Measured anew: the smallest of many noisy errors is too small.
                best = study.estimates([baseline_point(study.setup, chosen, few, total, at)])[0]
                setting = best["setting"].partition(", ")[2]  # without the name, which is in the label
                rows.append({**best, "setting": setting, "label": label})
        if experiment_of(study.setup).config.preparation.kind == "variational":
            rows += study.estimates([shift_point(study.setup, few, total)])
        return rows


def _pilots(study: Study, signals: Signals) -> dict[str, StudyPilot]:
    """Return the pilot of every contrast with measured or known error signals."""
    names, shots = study.config.contrasts, study.config.pilot_shots
    points = [pilot_point(study.setup, setting_of(name, 0.1, shots, signals=signals), shots) for name in names]
    return dict(zip(names, map(StudyPilot.from_record, study.estimates(points)), strict=True))


def _label(row: Row) -> str:
    alone = ", each weight on its own" if row["method"] == "per_weight" else ""
    return f"{row['contrast'].replace('_', '-')} contrast{alone}"
