"""Derivatives that stencils make of measured phases: their noise, its parts, and that of their squared length."""

from functools import partial

import numpy as np
import pytest
from cases import FAR_NUDGES, exact_contrast
from chi_square import LIMIT, mean_p_value, variance_p_value
from gradient_cases import loss_problem, operator_problem

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.error_signals import SignalBatch
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import ExactPreparation

# Ten shots look like jumps, and the outer nudges go past the gap.
pytestmark = FAR_NUDGES

BETAS = np.array([-0.6, -0.3, 0.0, 0.3, 0.6])
STENCILS = {
    "one-sided": Contrast(kind="one_sided", beta=0.3),
    "symmetric": Contrast(kind="symmetric", beta=0.3),
    "four-point": Contrast(kind="four_point", beta=0.3),
}
every_stencil = pytest.mark.parametrize("name", STENCILS)


PROBLEMS = {"operator": operator_problem, "loss": partial(loss_problem, samples=6)}
every_problem = pytest.mark.parametrize("aim", PROBLEMS)


def phases(problem, shots, repeats=1, grouping="shared"):
    hamiltonian, weights, inputs, targets = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=STENCILS["symmetric"],
        shots=shots,
        grouping=grouping,
    )
    executor = VectorExecutor(Seeds(2))
    works = (estimator.phases(weights, inputs, targets, RequestKey("test", r), BETAS) for r in range(repeats))
    return [run_measurements(work, executor)[0] for work in works]


@every_problem
@every_stencil
def test_one_measurement_serves_every_stencil(aim, name, rng):
    problem, contrast = PROBLEMS[aim](rng), STENCILS[name]
    measured = phases(problem, None)[0]
    found = measured.derivative(contrast.stencil_on(measured.betas))
    hamiltonian, weights, inputs, targets = problem
    expected = exact_contrast(hamiltonian, weights, contrast, inputs, targets)
    assert np.allclose(found.values, expected.gradient, rtol=0, atol=1e-11)
    assert not found.variance.any()


def test_stencils_that_differ_by_their_nudge_show_the_bias(rng):
    """D(2 beta) - D(beta) is a stencil too."""
    problem = operator_problem(rng)
    measured = phases(problem, None)[0]
    contrasts = [Contrast(kind="symmetric", beta=beta) for beta in (0.3, 0.6)]
    stencils = [contrast.stencil_on(measured.betas) for contrast in contrasts]
    hamiltonian, weights, inputs, targets = problem
    exact = [exact_contrast(hamiltonian, weights, contrast, inputs, targets).gradient for contrast in contrasts]
    assert measured.derivative(stencils[1] - stencils[0]).values == pytest.approx(exact[1] - exact[0], abs=1e-11)


@every_stencil
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise", "per_weight"])
def test_groups_make_up_the_variance_of_an_operator_cost(name, grouping, rng):
    measured = phases(operator_problem(rng), 50, grouping=grouping)[0]
    found = measured.derivative(STENCILS[name].stencil_on(BETAS))
    assert found.group_variance.shape == (len(measured.plan.groups), len(found.values))
    assert np.allclose(found.group_variance.sum(axis=0), found.variance, rtol=1e-12, atol=0)
    assert np.allclose(found.signal_variance, 0.0, rtol=0, atol=1e-12)


@every_stencil
def test_groups_make_up_the_variance_at_fixed_error_signals(name, rng, monkeypatch):
    problem, stencil = PROBLEMS["loss"](rng), STENCILS[name].stencil_on(BETAS)
    found = phases(problem, 200)[0].derivative(stencil)
    monkeypatch.setattr(SignalBatch, "is_noisy", False)
    fixed = phases(problem, 200)[0].derivative(stencil)
    assert np.array_equal(fixed.values, found.values)
    assert np.allclose(found.group_variance.sum(axis=0), fixed.variance, rtol=1e-12, atol=0)
    assert np.allclose(found.signal_variance, found.variance - fixed.variance, rtol=0, atol=1e-15)
    assert found.signal_variance.any()


@pytest.mark.deep
def test_each_group_has_the_noise_of_its_shots(rng):
    """Exact in one group and sampled in the other: what is left is the part of the other."""
    problem = operator_problem(rng)
    stencil = STENCILS["symmetric"].stencil_on(BETAS)
    for g, shots in enumerate([(40, None), (None, 40)]):
        measured = phases(problem, shots, repeats=600)
        values = np.array([one.derivative(stencil).values for one in measured])
        parts = np.mean([one.derivative(stencil).group_variance for one in measured], axis=0)
        noisy = parts[g] > 0
        assert noisy.any()
        assert not parts[1 - g].any()
        assert variance_p_value(values[:, noisy], parts[g][noisy]) > LIMIT
        assert np.ptp(values[:, ~noisy], axis=0).max() < 1e-12


@pytest.mark.deep(but=["symmetric-operator"])
@pytest.mark.parametrize(
    ("name", "aim"), [("symmetric", "operator"), ("one-sided", "loss"), ("symmetric", "loss"), ("four-point", "loss")]
)
def test_noise_of_the_squared_length(aim, name, rng):
    """Against simulated deviations from the mean: tr(Sigma) and 2 tr(Sigma^2)."""
    problem, stencil = PROBLEMS[aim](rng), STENCILS[name].stencil_on(BETAS)
    counted = np.arange(problem[0].network.layout.num_weights) != 1
    exact = phases(problem, None)[0].derivative(stencil).values[counted]
    measured = phases(problem, 1000, repeats=400)
    squares = np.array([((one.derivative(stencil).values[counted] - exact) ** 2).sum() for one in measured])
    noise, spread = np.array([one.noise_of_square(stencil, counted) for one in measured]).mean(axis=0)
    assert mean_p_value(squares, noise) > LIMIT
    assert mean_p_value((squares - noise) ** 2, spread**2) > LIMIT


@pytest.mark.deep(but=["operator"])
@every_problem
def test_squared_length_without_its_noise_is_without_bias(aim, rng):
    """With ten shots the noise is most of the length."""
    problem, stencil = PROBLEMS[aim](rng), STENCILS["symmetric"].stencil_on(BETAS)
    shots = 10 if aim == "operator" else 200
    every = np.ones(problem[0].network.layout.num_weights, dtype=bool)
    exact = phases(problem, None)[0].derivative(stencil).values
    found = []
    for one in phases(problem, shots, repeats=600):
        values = one.derivative(stencil).values
        found.append(values @ values - one.noise_of_square(stencil, every)[0])
    assert mean_p_value(found, exact @ exact) > LIMIT


def test_noise_of_the_squared_length_is_the_summed_variance(rng):
    problem, stencil = PROBLEMS["loss"](rng), STENCILS["one-sided"].stencil_on(BETAS)
    measured, counted = phases(problem, 100)[0], np.arange(problem[0].network.layout.num_weights) < 3
    noise, _ = measured.noise_of_square(stencil, counted)
    assert noise == pytest.approx(measured.derivative(stencil).variance[counted].sum())


@every_problem
def test_one_shot_tells_nothing_of_its_groups(aim, rng):
    found = phases(PROBLEMS[aim](rng), 1)[0].derivative(STENCILS["symmetric"].stencil_on(BETAS))
    assert np.isfinite(found.values).all()
    assert np.isnan(found.group_variance).any()
    assert np.isfinite(found.variance).all() == (aim == "loss")
