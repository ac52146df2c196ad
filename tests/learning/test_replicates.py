"""Error bars from replicates: right by chi-square for every contrast and cost, at the same shots and requests."""

import json

import numpy as np
import pytest
from cases import FAR_NUDGES
from chi_square import LIMIT, mean_p_value, variance_p_value
from error_bars_study import study
from gradient_cases import CONTRASTS, exact_mean, loss_problem, operator_problem
from watched import Watched

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, Replication
from qep_qiskit.learning.replicates import ScatterTally
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import ExactPreparation

pytestmark = FAR_NUDGES


def estimator_of(problem, contrast, shots, replication):
    return GradientEstimator(
        hamiltonian=problem[0],
        preparation=ExactPreparation(),
        contrast=contrast,
        shots=shots,
        replication=replication,
    )


def repeated(problem, contrast, shots, replication, repeats=200):
    estimator, executor = estimator_of(problem, contrast, shots, replication), VectorExecutor(Seeds(1))
    works = (estimator.estimate(*problem[1:], RequestKey("test", r)) for r in range(repeats))
    return [run_measurements(work, executor)[0] for work in works]


PROBLEMS = {
    "operator": operator_problem,
    "one output": loss_problem,
    "two outputs": lambda rng: loss_problem(rng, outputs=(0, 2), samples=3),
}


@pytest.mark.deep(but=["symmetric-one output"])
@pytest.mark.parametrize(
    ("name", "problem"),
    [
        *[("symmetric", "operator"), ("symmetric", "one output")],
        *((name, "two outputs") for name in ("one-sided, negative", "symmetric", "four-point")),
    ],
)
def test_variances_by_the_scatter(name, problem, rng):
    problem = PROBLEMS[problem](rng)
    estimates = repeated(problem, CONTRASTS[name], 400, Replication(replicates=4))
    gradients = np.array([estimate.gradient for estimate in estimates])
    claimed = np.mean([estimate.variance for estimate in estimates], axis=0)
    assert variance_p_value(gradients, claimed) > LIMIT
    costs = np.array([estimate.cost.mean for estimate in estimates])
    assert variance_p_value(costs, np.mean([e.cost.standard_error**2 for e in estimates])) > LIMIT


def test_one_shot_a_replicate(rng):
    """Nothing can be propagated; what is claimed for a block is right in its sum."""
    problem = operator_problem(rng)
    estimates = repeated(problem, CONTRASTS["symmetric"], 4, Replication(replicates=4), repeats=300)
    gradients = np.array([estimate.gradient for estimate in estimates])
    claimed = np.array([estimate.variance for estimate in estimates])
    blocks = problem[0].network.layout.block_numbers
    for block in np.unique(blocks):
        own = gradients[:, blocks == block]
        squares = ((own - own.mean(axis=0)) ** 2).sum(axis=1)
        error = np.hypot(squares.std(), claimed[:, blocks == block].sum(axis=1).std()) / np.sqrt(len(own))
        assert abs(squares.mean() - claimed[:, blocks == block].sum(axis=1).mean()) < 4 * error
    assert mean_p_value(gradients, exact_mean(problem, CONTRASTS["symmetric"])) > LIMIT


@pytest.mark.parametrize("problem", PROBLEMS)
def test_shots_and_requests_are_those_without(problem, rng):
    problem = PROBLEMS[problem](rng)
    counted = []
    for replication in (None, Replication(replicates=5)):
        executor = Watched(VectorExecutor(Seeds(1)))
        estimator = estimator_of(problem, CONTRASTS["symmetric"], 100, replication)
        run_measurements(estimator.estimate(*problem[1:], RequestKey("test", 0)), executor)
        counted.append(executor.requests)
    assert len(counted[0]) == len(counted[1])
    assert [r.num_shots for r in counted[0]] == [r.num_shots for r in counted[1]]
    assert [5 * r.num_circuits for r in counted[0]] == [r.num_circuits for r in counted[1]]


@pytest.mark.deep
def test_bias_of_noisy_signals_is_seen():
    """Replicates of 25 shots are far off from the noise-free contrast; what they say themselves is how far."""
    case = next(case for number, case in enumerate(study.cases(11, 0)) if number == 10)
    estimator = study.estimator_of(case, None)
    works = estimator.estimate(case.weights, case.inputs, case.targets, RequestKey("exact", 0))
    ideal = run_measurements(works, VectorExecutor(Seeds(0)))[0].gradient
    gradients, _, _, _, seen = study.replicated_gradients(case, 1000, Replication(replicates=4), 0)
    error, doubt = (values.std(axis=0) / np.sqrt(len(values)) for values in (gradients, seen))
    true = gradients.mean(axis=0) - ideal
    assert (np.abs(true) > 6 * error).any()
    assert (np.abs(seen.mean(axis=0) - true) < 4 * np.hypot(error, doubt)).all()
    left = gradients.mean(axis=0) - seen.mean(axis=0) - ideal
    assert np.linalg.norm(left) < 0.6 * np.linalg.norm(true)


@pytest.mark.deep
def test_removed_bias(rng):
    problem, contrast = loss_problem(rng, distance=0.1), Contrast(kind="one_sided", beta=0.6)
    plain = repeated(problem, contrast, 200, Replication(replicates=5), repeats=1)[0]
    removed = repeated(problem, contrast, 200, Replication(replicates=5, remove_signal_bias=True))
    assert np.allclose(removed[0].gradient, plain.gradient - plain.scatter.signal_bias, rtol=0, atol=1e-14)
    gradients = np.array([estimate.gradient for estimate in removed])
    claimed = np.mean([estimate.variance.sum() for estimate in removed])
    assert gradients.var(axis=0, ddof=1).sum() == pytest.approx(claimed, rel=0.2)


def test_scatter_is_pooled_over_steps(rng):
    problem = loss_problem(rng)
    found = [e.scatter for e in repeated(problem, CONTRASTS["symmetric"], 80, Replication(replicates=2), repeats=60)]
    tally = ScatterTally()
    pooled, alone = [], []
    for scatter in found:
        tally = tally.after(scatter)
        pooled.append(tally.variances(scatter)[0].sum())
        alone.append(ScatterTally().after(scatter).variances(scatter)[0].sum())
    assert np.std(pooled[20:]) < 0.6 * np.std(alone[20:])
    assert np.mean(pooled[20:]) == pytest.approx(np.mean(alone[20:]), rel=0.2)
    again = ScatterTally.from_record(json.loads(json.dumps(tally.record())))
    assert again.record() == tally.record()
    assert all(map(np.array_equal, again.variances(found[0]), tally.variances(found[0])))


@pytest.mark.parametrize(
    ("shots", "options", "words"),
    [
        (10, {"replicates": 4}, "multiple of replicates = 4, got 10"),
        (2, {"replicates": 4}, "multiple of replicates = 4, got 2"),
        (10, {"replicates": 1}, "at least 2, got 1"),
        (10, {"replicates": 2, "remove_signal_bias": True}, "at least 3, got 2"),
    ],
)
def test_refused(shots, options, words, rng):
    problem = operator_problem(rng)
    with pytest.raises(ConfigError, match=words):
        repeated(problem, CONTRASTS["symmetric"], shots, Replication(**options), repeats=1)
