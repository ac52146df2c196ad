"""From error models to answers: what they claim, and that the answers to both questions are one."""

import json
import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from qep_qiskit.budget.gradient_study import StudyPilot
from qep_qiskit.budget.recommendation import BudgetProblem, for_error, for_seconds, for_shots
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.usage import estimated_qpu_seconds
from qep_qiskit.learning import ErrorModel

LENGTH = 0.8
# Leading power of beta, |c|^2, S of each group, batches of each group.
MODELS = {
    "one_sided": (1, 0.5, (6.0, 2.0), (2.0, 2.0)),
    "one_sided_negative": (1, 0.9, (6.0, 2.0), (2.0, 2.0)),
    "symmetric": (2, 0.4, (1.5, 0.5), (3.0, 2.0)),
    "four_point": (4, 0.7, (2.7, 0.9), (5.0, 4.0)),
}


def pilot(name, signal_variance=0.0):
    order, squared, variances, batches = MODELS[name]
    model = ErrorModel(
        order=order, bias_squared=squared, shot_variance=variances, signal_variance=signal_variance, beta_scale=0.3
    )
    return StudyPilot(model=model, resolved=True, batches=np.array(batches))


def budget_problem(*names, **changes):
    given = {"groups": ("Z", "X"), "gradient_length": LENGTH, "samples": 4, "jobs": 2, "steps": 50}
    return BudgetProblem(pilots={name: pilot(name) for name in names or MODELS}, **(given | changes))


def judged(answer, here):
    """The error that the model gives for an answer's own numbers."""
    model, batches = here.pilots[answer.contrast].model, here.pilots[answer.contrast].batches
    shots = np.full(len(batches), answer.shots) if answer.split is None else np.array(list(answer.split.values()))
    return np.hypot(model.bias(answer.beta), np.sqrt((model.group_variances(answer.beta) / shots).sum()))


def answers():
    here = budget_problem()
    return here, [*for_shots(here, 500), *for_error(here, 0.1), *for_seconds(here, 20.0)]


def test_what_is_claimed_follows_from_shots_beta_and_split():
    here, found = answers()
    for one in found:
        assert one.error == pytest.approx(judged(one, here), rel=0.01)
        assert one.relative_error == pytest.approx(one.error / LENGTH)
        batches = here.pilots[one.contrast].batches
        shots = np.full(2, one.shots) if one.split is None else np.array(list(one.split.values()))
        assert one.total_shots == int(shots @ batches) * 4
        assert one.qpu_seconds == pytest.approx(estimated_qpu_seconds(one.total_shots, 2))
        assert (one.run_shots, one.run_qpu_seconds) == (one.total_shots * 50, pytest.approx(one.qpu_seconds * 50))


def test_no_other_beta_is_better():
    here, found = answers()
    for one in found:
        model = here.pilots[one.contrast].model
        shares = None if one.split is None else np.array(list(one.split.values())) / one.shots
        best = min(model.error(one.beta * factor, one.shots, shares) for factor in np.geomspace(0.5, 2.0, 41))
        assert model.error(one.beta, one.shots, shares) <= best * (1 + 1e-6)


def test_negative_nudges_only_where_they_are_meant():
    for one in answers()[1]:
        assert (one.beta < 0) == (one.contrast == "one_sided_negative")


@pytest.mark.parametrize("error", [0.5, 0.1, 0.02, 0.005])
def test_the_error_is_reached_with_hardly_more_than_it_takes(error):
    here = budget_problem()
    found = for_error(here, error)
    assert [one.contrast for one in sorted(found, key=lambda one: one.total_shots)] == [one.contrast for one in found]
    for one in found:
        assert one.relative_error <= error * (1 + 1e-3)
        assert one.relative_error >= error * (0.9 if one.shots >= 10 else 0.0)


def test_what_an_error_costs_buys_that_error():
    here = budget_problem()
    for wanted in (0.3, 0.1, 0.03):
        cheapest = for_error(here, wanted)[0]
        bought = for_seconds(here, cheapest.qpu_seconds * (1 + 1e-12))[0]
        assert bought.relative_error <= wanted * 1.02
        assert bought.qpu_seconds <= cheapest.qpu_seconds * (1 + 1e-12)


@pytest.mark.parametrize("seconds", [4.02, 4.1, 7.7, 30.0, 600.0])
def test_seconds_are_spent_but_not_overdrawn(seconds):
    for one in for_seconds(budget_problem(), seconds):
        assert one.qpu_seconds <= seconds
        assert one.qpu_seconds == pytest.approx(seconds, rel=0.01)


def test_contrasts_are_compared_at_equal_shots_in_all():
    found = for_shots(budget_problem(), 1000)
    totals = [one.total_shots for one in found]
    assert totals == pytest.approx([1000 * 5 * 4] * 4, rel=0.01)
    assert next(one.shots for one in found if one.contrast == "symmetric") == 1000
    assert [one.error for one in found] == sorted(one.error for one in found)


def test_a_split_that_gains_nothing_is_not_recommended():
    model = ErrorModel(order=2, bias_squared=0.4, shot_variance=(1.0, 1.0), beta_scale=0.3)
    even = StudyPilot(model=model, resolved=True, batches=np.array([2.0, 2.0]))
    only = BudgetProblem(pilots={"symmetric": even}, groups="ZX", gradient_length=1.0, samples=1, jobs=1, steps=1)
    assert for_shots(only, 100)[0].split is None
    assert "allocation" not in for_shots(only, 100)[0].toml


def test_a_nudge_is_recommended_with_what_it_is_measured_in():
    """A nudge in units of energy is another one than that in units of error signals."""
    plain = replace(budget_problem(), samples=4)
    for one in for_shots(replace(plain, equal_nudges=True, shots_by_error=True), 100):
        said = tomllib.loads(one.toml)
        assert (said["contrast"]["equal_nudges"], said["measurement"]["shots_by_error"]) == (True, True)
    for one in for_shots(plain, 100):
        assert "equal_nudges" not in one.toml
        assert "shots_by_error" not in one.toml


def test_samples_with_other_shots_take_jobs_of_their_own():
    plain = budget_problem()
    for samples, jobs in ((1, 1), (3, 3), (40, 5)):
        divided = replace(plain, samples=samples, equal_nudges=True, shots_by_error=True)
        assert divided.jobs_of("symmetric") - plain.jobs_of("symmetric") == jobs - 1


def test_toml_says_what_is_recommended():
    for one in answers()[1]:
        said = tomllib.loads(one.toml)
        assert said["contrast"]["kind"] == one.contrast.removesuffix("_negative")
        assert said["contrast"]["beta"] == pytest.approx(one.beta, rel=0.005)
        assert said["measurement"]["shots"] == one.shots
        assert (said["measurement"].get("allocation") == "optimal") == (one.split is not None)
        assert json.loads(json.dumps(one.record()))["toml"] == one.toml


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_numbers_that_mean_nothing(value):
    with pytest.raises(ConfigError, match="--target-error: expected a number above zero"):
        for_error(budget_problem(), value)
    with pytest.raises(ConfigError, match="--qpu-seconds: expected a number above zero"):
        for_seconds(budget_problem(), value)


def test_out_of_reach():
    with pytest.raises(ConfigError, match="is not reached with 1e12 shots"):
        for_error(budget_problem(), 1e-9)
    assert {one.contrast for one in for_error(budget_problem(), 1e-3)} == {"symmetric", "four_point"}


def test_too_few_seconds_name_enough():
    with pytest.raises(ConfigError, match="expected at least ") as caught:
        for_seconds(budget_problem(), 3.0)
    least = float(str(caught.value).split("at least ")[1].split()[0])
    assert all(one.shots == 1 for one in for_seconds(budget_problem(), least))


def test_no_error_is_relative_to_no_gradient():
    with pytest.raises(ConfigError, match="the gradient is zero"):
        for_error(budget_problem(gradient_length=0.0), 0.1)
    assert math.isnan(for_shots(budget_problem(gradient_length=0.0), 10)[0].relative_error)
