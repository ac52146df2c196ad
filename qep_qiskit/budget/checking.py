"""Checks of recommendations: each contrast is measured at the recommended nudge, and the recommendation is updated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qep_qiskit.budget.gradient_study import Setting
from qep_qiskit.budget.recommendation import BudgetProblem, Recommendation, check_shots
from qep_qiskit.learning import of_sign
from qep_qiskit.learning.bias_fit import MeasuredContrasts

_MOST_ROUNDS = 3

Checks = Callable[[Sequence[Recommendation]], Sequence[tuple[MeasuredContrasts, int]]]
"""Measures the checks of recommendations; returns the contrasts and the total shots of each."""


def checked(
    budget_problem: BudgetProblem, recommend: Callable[[BudgetProblem], list[Recommendation]], measure: Checks
) -> list[Recommendation]:
    """Return recommendations, each checked at its own nudge.

    Args:
        budget_problem: The problem after the pilots.
        recommend: Returns recommendations for a problem.
        measure: Measures the checks of the given recommendations, which are not checked yet.

    Returns:
        The recommendations after all checks. At most three rounds of checks are made; a recommendation that still
        changes then has no check (`Recommendation.check`).
    """
    found = recommend(budget_problem)
    for _ in range(_MOST_ROUNDS):
        open_ones = [one for one in found if one.check is None]
        if not open_ones:
            break
        for one, (contrasts, total) in zip(open_ones, measure(open_ones), strict=True):
            budget_problem = budget_problem.after(one.contrast, contrasts, check_shots(one), total)
        found = recommend(budget_problem)
    return found


def setting_of_check(recommendation: Recommendation) -> Setting:
    """Return the setting whose contrast a check measures, at the recommended nudge and at half of it."""
    split = recommendation.split
    shot_fractions = None if split is None else tuple(count / recommendation.shots for count in split.values())
    kind, _ = of_sign(recommendation.contrast)
    return Setting(
        contrast=kind,
        beta=recommendation.beta,
        shots=check_shots(recommendation),
        shot_fractions=shot_fractions,
    )
