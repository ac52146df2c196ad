"""What `qep budget --target-error` promises and what beta = "auto" chooses, against exact errors of unseen networks.

The networks, and how their true errors are known, are those of benchmarks/budget_promises.py.
"""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import FAR_NUDGES

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.measurement import run_measurements

STUDY = Path(__file__).parents[2] / "benchmarks" / "budget_promises.py"
SEED = 2027  # constants were chosen on seeds 1 to 3


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("budget_promises", STUDY)
    module = sys.modules["budget_promises"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pytestmark = FAR_NUDGES


def kept(rows, slack):
    return np.mean([row["error"] <= slack * row["target"] for row in rows])


@pytest.mark.deep
@pytest.mark.parametrize("index", [0, 2, 14])
def test_exact_errors_of_the_study_are_those_of_repeats(study, index):
    """Bias, variance, split and error signals on the engine, within five standard deviations of 400 repeats.

    An operator cost, a loss on one output and one on two; the squared errors' own scatter gives the deviation.
    """
    case = study.Case(seed=3, index=index)
    _, weights, targets, _ = case.drawn
    for name in ("one_sided_negative", "four_point"):
        estimator = replace(case.estimator(name, 1, 0.4), shots=(60, 90))
        works = (estimator.estimate(weights, study.NO_INPUTS, targets, RequestKey("test", r)) for r in range(400))
        found = np.array([run_measurements(work, VectorExecutor(Seeds(99)))[0].gradient for work in works])
        squares = ((found - case.exact.gradient) ** 2).sum(axis=1) / case.exact.length**2
        exact = case.error(name, 0.4, np.array([60, 90])) ** 2
        assert abs(squares.mean() - exact) < 5 * squares.std() / np.sqrt(len(squares))


@pytest.mark.deep
def test_answers_are_kept_on_a_few_networks(study):
    """Operator costs of 2 to 5 spins, every contrast.

    A leading order fitted to the pilot kept 6 of these 16 answers, 1.5 times the target at worst.
    """
    rows = [row for index in (0, 1, 3, 4) for row in study.rows_of_case("promises", SEED, index)]
    assert len(rows) == 16
    assert kept(rows, study.SLACK) >= 0.9
    assert all(row["checked"] and row["spent"] > 0 for row in rows)
    assert all(row["low"] <= row["claimed"] <= row["high"] for row in rows)
    assert np.median([row["over"] for row in rows]) < 1.6


@pytest.mark.slow
def test_answers_are_kept(study):
    """Sixty networks: nine of ten answers within 15 % of the target or below, also of the cheapest contrast alone."""
    rows = study.rows_of("promises", 60, SEED)
    assert kept(rows, study.SLACK) >= 0.9
    assert kept([row for row in rows if row["rank"] == 0], study.SLACK) >= 0.9
    held = np.mean([row["low"] <= row["error"] <= row["high"] for row in rows])
    assert held > 0.8
    over = [row["over"] for row in rows if not row["loss"]]
    assert np.median(over) < 1.4


@pytest.mark.slow
def test_auto_is_about_as_good_as_the_better_of_two_fixed_nudges(study):
    rows = study.rows_of("auto", 60, SEED)
    ratios = np.array([row["ratio"] for row in rows])
    assert np.exp(np.log(ratios).mean()) < 0.6
    assert ratios.max() < 1.1
