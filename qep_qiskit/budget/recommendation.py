"""Recommendations from error models: contrast, nudge, shots and allocation of shots, with their cost.

A requested error is met with a given confidence: the shots are sufficient for a bias that is not exceeded with that
probability. A recommendation is then checked (`Check`): its contrast is measured at its own nudge and at half of it,
and both join the fit of the bias. If another nudge becomes better by that, it is checked in turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from qep_qiskit.budget.gradient_study import StudyPilot
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.learning import Contrast, of_sign
from qep_qiskit.learning.bias_fit import MeasuredContrasts
from qep_qiskit.learning.contrast import CHEBYSHEV
from qep_qiskit.learning.error_model import split_shots
from qep_qiskit.learning.shots import MOST_SHARES

CONFIDENCE = 0.8
"""Probability that a requested error is not exceeded, with respect to the uncertainty of the bias."""

_GAIN_WORTH_A_SPLIT = 1.02
_WORTH_ANOTHER_CHECK = 1.1
_INTERVAL = 0.05, 0.95
_SHOTS_OF_A_CHECK = 4
_MOST_SHOTS_OF_A_CHECK = 1_000_000
_LARGEST = {
    "--target-error": (100.0, "a hundred times the gradient"),
    "--qpu-seconds": (31_536_000.0, "a year"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A contrast measured at a recommended nudge and at half of it.

    Args:
        beta: The recommended nudge.
        shots: Shots per batch, the mean over groups.
        total_shots: Shots of all checks of the contrast so far.
        change: Length of D(beta) - D(beta / 2) relative to the gradient, with the shot noise subtracted; zero where the
            noise is larger.
        change_error: Contribution of shot noise alone.
    """

    beta: float
    shots: int
    total_shots: int
    change: float
    change_error: float


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetProblem:
    """Data from which recommendations follow.

    Args:
        pilots: Error model of every contrast, by its name in the study.
        groups: Names of the groups.
        gradient_length: Length of the gradient, for relative errors.
        samples: Number of samples of a batch.
        jobs: Requests of one gradient; each is one job where all shots are equal.
        steps: Number of steps of the training run.
        checks: Last check of every contrast that was checked.
        equal_nudges: Whether all samples are nudged by the same energy, which is then `beta`.
        shots_by_error: Whether shots are divided among samples by their errors.
    """

    pilots: Mapping[str, StudyPilot]
    groups: Sequence[str]
    gradient_length: float
    samples: int
    jobs: int
    steps: int
    checks: Mapping[str, Check] = field(default_factory=dict)
    equal_nudges: bool = False
    shots_by_error: bool = False

    def jobs_of(self, name: str) -> int:
        """Return the most jobs of one gradient; nudged phases take one for every number of shots that they have.

        Args:
            name: Name of the contrast.
        """
        fractions = Contrast.named(of_sign(name)[0]).shot_fractions
        by_sample = min(self.samples, MOST_SHARES) if self.shots_by_error else 1
        return self.jobs - 1 + by_sample * len(np.unique(fractions.round(9)))

    def after(self, name: str, contrasts: MeasuredContrasts, shots: int, total_shots: int) -> BudgetProblem:
        """Return the problem with a check of a contrast in the fit of its bias.

        Args:
            name: Name of the contrast.
            contrasts: Contrasts measured by the check, that at its own nudge before that at half of it.
            shots: Shots per batch, the mean over groups.
            total_shots: Total shots of this check.
        """
        before = self.checks[name].total_shots if name in self.checks else 0
        change = contrasts.values[0] - contrasts.values[1]
        noise = float(np.einsum("i,wij,j->", [1.0, -1.0], contrasts.covariance, [1.0, -1.0]))
        length = self.gradient_length if self.gradient_length > 0 else float("nan")
        check = Check(
            beta=float(contrasts.betas[0]),
            shots=shots,
            total_shots=before + total_shots,
            change=float(np.sqrt(max(change @ change - noise, 0.0))) / length,
            change_error=float(np.sqrt(noise)) / length,
        )
        pilots = {**self.pilots, name: self.pilots[name].joined(contrasts)}
        return replace(self, pilots=pilots, checks={**self.checks, name: check})


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One way to use shots, with its expected error and cost.

    Args:
        contrast: Name in the study; ``one_sided_negative`` is one-sided with a negative nudge.
        beta: Nudge beta.
        shots: Shots per batch, the mean over groups.
        split: Shots of every group, or None where equal shots are as good.
        error: Expected root mean squared error of the gradient.
        relative_error: The error relative to the length of the gradient.
        relative_error_low: Lower end of the interval that contains the relative error in nine of ten cases.
        relative_error_high: Upper end of that interval.
        total_shots: Shots of one gradient of the whole batch.
        qpu_seconds: QPU seconds charged for one gradient.
        run_shots: Shots of all steps of the training run.
        run_qpu_seconds: QPU seconds charged for the training run.
        pilot_shots: Shots of the pilot of the contrast.
        check: The check at this nudge, or None if there was none.
        equal_nudges: Whether all samples are nudged by the same energy, which is then `beta`.
        shots_by_error: Whether shots are divided among samples by their errors.
    """

    contrast: str
    beta: float
    shots: int
    split: Mapping[str, int] | None
    error: float
    relative_error: float
    relative_error_low: float
    relative_error_high: float
    total_shots: int
    qpu_seconds: float
    run_shots: int
    run_qpu_seconds: float
    pilot_shots: int = 0
    check: Check | None = None
    equal_nudges: bool = False
    shots_by_error: bool = False

    @property
    def toml(self) -> str:
        """Return the keys for the configuration as TOML."""
        contrast = Contrast.named(of_sign(self.contrast)[0])
        order = f"order = {contrast.order}\n" if contrast.kind == CHEBYSHEV else ""
        split = "" if self.split is None else '\nallocation = "optimal"'
        equal = "equal_nudges = true\n" if self.equal_nudges else ""
        by_error = "\nshots_by_error = true" if self.shots_by_error else ""
        nudge = f'[contrast]\nkind = "{contrast.kind}"\n{order}beta = {self.beta:.3g}\n{equal}'
        return f"{nudge}\n[measurement]\nshots = {self.shots}{split}{by_error}\n"

    def record(self) -> dict[str, Any]:
        """Return the recommendation as JSON values."""
        return asdict(self) | {"toml": self.toml}


def for_shots(budget_problem: BudgetProblem, shots: int) -> list[Recommendation]:
    """Return the best setting of every contrast at equal total shots, the smallest error first.

    Args:
        budget_problem: The problem.
        shots: Shots per batch of the symmetric contrast, or of the first contrast; the others have equal total shots.
    """
    guide = budget_problem.pilots.get("symmetric") or next(iter(budget_problem.pilots.values()))
    total = shots * float(guide.batches.sum())
    found = [
        _best(budget_problem, name, max(1.0, total / float(pilot.batches.sum())))
        for name, pilot in budget_problem.pilots.items()
    ]
    return sorted(found, key=lambda one: one.error)


def for_error(budget_problem: BudgetProblem, relative_error: float) -> list[Recommendation]:
    """Return the cheapest setting of every contrast with a given relative error, the cheapest first.

    The error is not exceeded with the probability `CONFIDENCE`.

    Args:
        budget_problem: The problem.
        relative_error: Root mean squared error relative to the length of the gradient.

    Raises:
        ConfigError: No contrast reaches the error, or it is out of range.
    """
    require_answerable("--target-error", relative_error)
    if not budget_problem.gradient_length > 0:
        raise ConfigError(
            "--target-error: the gradient is zero at these weights, and no error relative to it; give the folder of a "
            "trained run, or other starting weights"
        )
    wanted, found, problems = relative_error * budget_problem.gradient_length, [], []
    for name in budget_problem.pilots:
        try:
            found.append(_reaching(budget_problem, name, wanted))
        except ConfigError as problem:
            problems.append(problem)
    if not found:
        raise problems[0]
    return sorted(found, key=lambda one: one.total_shots)


def _reaching(budget_problem: BudgetProblem, name: str, wanted: float) -> Recommendation:
    """Return the cheapest recommendation with an error; the checked nudge is kept if it is about as cheap."""
    pilot, sign = budget_problem.pilots[name], of_sign(name)[1]
    model = pilot.model
    shot_fractions = _shot_fractions(pilot, model.shots_for(wanted, sign=sign, confidence=CONFIDENCE)[1])
    shots, beta = model.shots_for(wanted, shot_fractions, sign=sign, confidence=CONFIDENCE)
    if name in budget_problem.checks:
        checked = budget_problem.checks[name].beta
        at_checked = model.shots_at(checked, wanted, shot_fractions, confidence=CONFIDENCE)
        if at_checked <= _WORTH_ANOTHER_CHECK * shots:
            shots, beta = at_checked, checked
    return _at(budget_problem, name, _rounded_up(shots), beta)


def check_shots(recommendation: Recommendation) -> int:
    """Return the shots per batch of a check: enough to resolve a bias that would exceed the error, at most a million.

    Contrasts that need millions of shots are not useful, and the simulation of their checks would exceed the memory.
    """
    return min(_SHOTS_OF_A_CHECK * recommendation.shots, _MOST_SHOTS_OF_A_CHECK)


def for_seconds(budget_problem: BudgetProblem, qpu_seconds: float) -> list[Recommendation]:
    """Return the best setting of every contrast for given QPU seconds per gradient, the smallest error first.

    Args:
        budget_problem: The problem.
        qpu_seconds: QPU seconds of one gradient.

    Raises:
        ConfigError: The time is too short for one shot per batch, or out of range.
    """
    require_answerable("--qpu-seconds", qpu_seconds)
    each = estimated_qpu_seconds(1, 0)
    found = []
    for name, pilot in budget_problem.pilots.items():
        remaining = qpu_seconds - estimated_qpu_seconds(0, budget_problem.jobs_of(name))
        batches = float(pilot.batches.sum()) * budget_problem.samples
        shots = int(remaining / each / batches)
        if shots >= 1:
            found.append(_within(budget_problem, name, shots, qpu_seconds))
    if not found:
        fewest = min(float(pilot.batches.sum()) for pilot in budget_problem.pilots.values()) * budget_problem.samples
        least = math.ceil(1000 * estimated_qpu_seconds(math.ceil(fewest), budget_problem.jobs)) / 1000
        jobs = amount(budget_problem.jobs, "job")
        raise ConfigError(
            f"--qpu-seconds: expected at least {least:g} (one shot a batch, in {jobs} of 2 s), got {qpu_seconds:g}"
        )
    return sorted(found, key=lambda one: one.error)


def _within(budget_problem: BudgetProblem, name: str, shots: int, qpu_seconds: float) -> Recommendation:
    """Return a recommendation within the QPU seconds; its shots are reduced if rounding up per group exceeds them."""
    found = _best(budget_problem, name, float(shots))
    while found.qpu_seconds > qpu_seconds and found.shots > 1:
        found = _best(budget_problem, name, float(found.shots - 1))
    return found


def require_answerable(name: str, value: float) -> None:
    """Check that a requested value is a positive number of reasonable size.

    Args:
        name: ``--target-error`` or ``--qpu-seconds``; the message begins with it.
        value: The requested value.

    Raises:
        ConfigError: It is not.
    """
    most, meaning = _LARGEST[name]
    if not (value > 0 and math.isfinite(value)):
        raise ConfigError(f"{name}: expected a number above zero, got {value:g}")
    if value > most:
        raise ConfigError(f"{name}: expected at most {most:,.0f} ({meaning}), got {value:g}")


def _rounded_up(shots: float) -> float:
    """Return a number rounded up to three digits."""
    unit = 10.0 ** max(0, int(np.floor(np.log10(shots))) - 2)
    return float(np.ceil(shots / unit) * unit)


def _shot_fractions(pilot: StudyPilot, beta: float) -> np.ndarray | None:
    """Return the optimal allocation of shots, if it is sufficiently better than equal shots."""
    shot_fractions = pilot.model.best_shot_fractions(beta, pilot.batches)
    gain = pilot.model.variance(beta, 1.0) / pilot.model.variance(beta, 1.0, shot_fractions)
    return shot_fractions if gain > _GAIN_WORTH_A_SPLIT else None


def _best(budget_problem: BudgetProblem, name: str, shots: float) -> Recommendation:
    """Return the recommendation for given shots: at the best nudge, or at the checked one if it is about as good."""
    pilot, sign, whole = budget_problem.pilots[name], of_sign(name)[1], max(1, round(shots))
    beta = pilot.model.best_beta(whole, sign=sign)
    beta = pilot.model.best_beta(whole, _shot_fractions(pilot, beta), sign=sign)
    if name in budget_problem.checks:
        checked, shot_fractions = budget_problem.checks[name].beta, _shot_fractions(pilot, beta)
        error_at_checked, error = (pilot.model.error(at, whole, shot_fractions) for at in (checked, beta))
        if error_at_checked <= np.sqrt(_WORTH_ANOTHER_CHECK) * error:
            beta = checked
    return _at(budget_problem, name, shots, beta)


def _at(budget_problem: BudgetProblem, name: str, shots: float, beta: float) -> Recommendation:
    pilot, whole = budget_problem.pilots[name], max(1, round(shots))
    model = pilot.model
    shot_fractions = _shot_fractions(pilot, beta)
    split = None if shot_fractions is None else split_shots(whole, shot_fractions)
    each = np.full(len(pilot.batches), whole) if split is None else np.array(split)
    total = int(each @ pilot.batches) * budget_problem.samples
    seconds = estimated_qpu_seconds(total, budget_problem.jobs_of(name))
    error = model.error(beta, whole, shot_fractions)
    length = budget_problem.gradient_length if budget_problem.gradient_length > 0 else float("nan")
    low, high = (model.error_quantile(beta, whole, shot_fractions, confidence=end) / length for end in _INTERVAL)
    check = budget_problem.checks.get(name)
    return Recommendation(
        contrast=name,
        beta=beta,
        shots=whole,
        split=None if split is None else dict(zip(budget_problem.groups, split, strict=True)),
        error=error,
        relative_error=error / length,
        relative_error_low=low,
        relative_error_high=high,
        total_shots=total,
        qpu_seconds=seconds,
        run_shots=total * budget_problem.steps,
        run_qpu_seconds=seconds * budget_problem.steps,
        pilot_shots=pilot.shots,
        check=check if check is not None and check.beta == beta else None,
        equal_nudges=budget_problem.equal_nudges,
        shots_by_error=budget_problem.shots_by_error,
    )
