"""Recommendations that are checked before they are given: asked, measured at their own nudges, and asked again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from qep_qiskit.budget.gradient_study import Setting
from qep_qiskit.budget.recommendation import BudgetProblem, Recommendation, check_shots
from qep_qiskit.learning import of_sign
from qep_qiskit.learning.bias_fit import MeasuredContrasts

_MOST_ROUNDS = 3

Checks = Callable[[Sequence[Recommendation]], Sequence[tuple[MeasuredContrasts, int]]]
"""From recommendations to what their checks gave, each with its shots in all."""


def checked(
    budget_problem: BudgetProblem, recommend: Callable[[BudgetProblem], list[Recommendation]], measure: Checks
) -> list[Recommendation]:
    """Recommendations, each checked at its own nudge.

    Args:
        budget_problem: After the pilots.
        recommend: From a budget problem to recommendations.
        measure: Measures the checks of those that are not checked yet.

    Returns:
        What is recommended after all checks. Three rounds of them are the most: what still moves is given without a
        check (`Recommendation.check`).
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
    """What the check of a recommendation measures, at its own nudge and at half of it."""
    split = recommendation.split
    shot_fractions = None if split is None else tuple(count / recommendation.shots for count in split.values())
    kind, _ = of_sign(recommendation.contrast)
    return Setting(
        contrast=kind,
        beta=recommendation.beta,
        shots=check_shots(recommendation),
        shot_fractions=shot_fractions,
    )
