"""Gradients by linear response: of exact states, and of neural states with their sampling noise."""

import numpy as np
import pytest
from chi_square import LIMIT, mean_p_value, variance_p_value

from qep_qiskit.core.errors import ConfigError, ResourceError, UnconvergedError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.gradient_call import gradient
from qep_qiskit.learning.linear_response import LinearResponseEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import ClampedInputs, IsingNetwork, chain, complete, lattice
from qep_qiskit.network.batch_losses import Contrastive
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, NeuralPreparation, ThermalPreparation

RESPONSE = Contrast(kind="linear_response")
X, Y = np.array([[0.7], [-0.4]]), np.array([[0.5, -0.5], [0.2, 0.9]])


def frustrated(graph, outputs, rng, *, operator=False, spread=1.0):
    """A network of random couplings and fields of both signs, with an input; and its weights."""
    size = graph.num_spins
    network = IsingNetwork(graph=graph, outputs=outputs, inputs=ClampedInputs.all_to(1, range(size)))
    weights = network.layout.initial(Seeds(0))
    for index, name in enumerate(network.layout.names):
        kind = name[0]
        field = rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
        weights[index] = {"J": spread * rng.normal(), "h": field, "b": 0.3 * rng.normal()}.get(kind, weights[index])
    cost = OperatorCost.squared_error(outputs, size) if operator else LossOnExpectations.on_spins(outputs, size)
    return NudgedHamiltonian(network, cost), weights


def estimate(hamiltonian, weights, preparation, *, number=0, warm_start=None, x=X, y=Y):
    estimator = LinearResponseEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=RESPONSE, shots=None, measures_free_cost=True
    )
    work = estimator.estimate(weights, x, y, RequestKey("test", number), warm_start)
    return run_measurements(work, VectorExecutor(Seeds(5)))[0]


@pytest.mark.parametrize("operator", [False, True])
@pytest.mark.parametrize("level", [0, 1])
def test_exact_states_give_the_exact_gradient(operator, level, rng):
    hamiltonian, weights = frustrated(chain(4), (1, 2), rng, operator=operator)
    found = estimate(hamiltonian, weights, ExactPreparation(level=level))
    expected = exact_gradient(hamiltonian, weights, X, Y, level=level)
    assert found.gradient == pytest.approx(expected.gradient, abs=1e-10)
    assert found.cost.mean == pytest.approx(expected.cost, abs=1e-10)
    assert not found.variance.any()
    assert found.diagnostics.chi > 0.0 or level == 1


def neural(**options):
    pytest.importorskip("netket")
    return NeuralPreparation(**{"seeds": Seeds(1), "alpha": 1, "samples": 2048, "chains": 32} | options)


@pytest.mark.slow
@pytest.mark.parametrize("operator", [False, True])
def test_error_bars_of_neural_states_are_those_of_repeats(operator, rng):
    """Eight frustrated spins: gradient, cost and outputs of independent repeats scatter about the exact ones."""
    hamiltonian, weights = frustrated(complete(8), (2, 5), rng, operator=operator, spread=0.35)
    first = estimate(hamiltonian, weights, neural(tolerance=1e-5, on_unconverged="go_on"))
    again = neural(steps=10, on_unconverged="go_on")
    found = [
        estimate(hamiltonian, weights, again, number=number, warm_start=first.warm_start) for number in range(1, 101)
    ]
    exact = exact_gradient(hamiltonian, weights, X, Y)
    gradients, claimed = np.array([one.gradient for one in found]), np.array([one.variance for one in found])
    assert mean_p_value(gradients, exact.gradient) > LIMIT
    ratio = gradients.var(axis=0, ddof=1).sum() / claimed.mean(axis=0).sum()
    assert 0.75 < ratio < 1.33  # the sum over weights has more than 40 degrees of freedom: three sigmas
    assert variance_p_value(gradients, claimed.mean(axis=0)) > LIMIT
    costs = np.array([one.cost.mean for one in found])
    assert mean_p_value(costs[:, None], [exact.cost]) > LIMIT
    assert variance_p_value(costs[:, None], np.mean([one.cost.standard_error**2 for one in found])) > LIMIT


@pytest.mark.slow
@pytest.mark.parametrize("graph", [lattice(4, 4), complete(16)], ids=["square", "complete"])
def test_sixteen_spins_against_lanczos(graph, rng):
    spread = 1.0 if len(graph.edges) < 30 else 0.25
    hamiltonian, weights = frustrated(graph, (5, 10), rng, spread=spread)
    x, y = X[:1], Y[:1]
    found = estimate(hamiltonian, weights, neural(alpha=2, samples=8192, chains=64), x=x, y=y)
    exact = exact_gradient(hamiltonian, weights, x, y).gradient
    deviation = np.linalg.norm(found.gradient - exact)
    assert deviation < 0.11 * np.linalg.norm(exact)
    assert deviation < 2.0 * found.noise
    assert found.gradient @ exact > 0.995 * found.norm * np.linalg.norm(exact)
    assert found.diagnostics.residual < 1e-4


@pytest.mark.deep
def test_warm_starts_take_fewer_steps(rng):
    hamiltonian, weights = frustrated(complete(6), (2, 5), rng, spread=0.35)
    first = estimate(hamiltonian, weights, neural())
    assert first.warm_start["neural_parameters"].shape[0] == len(X)
    second = estimate(hamiltonian, weights, neural(), number=1, warm_start=first.warm_start)
    assert second.diagnostics.evaluations <= 60 < first.diagnostics.evaluations
    again = estimate(hamiltonian, weights, neural(), number=1, warm_start=first.warm_start)
    assert np.array_equal(second.gradient, again.gradient)
    with pytest.raises(UnconvergedError, match=r"2 of 2 states, tolerance 1.0e-09; sample 0: N Var"):
        estimate(hamiltonian, weights, neural(steps=10, tolerance=1e-9, on_unconverged="stop"))


REFUSED = {
    "nudges": ({"contrast": Contrast()}, "expected 'linear_response', got 'symmetric'"),
    "fluctuations": ({"contrast": Contrast(kind="fluctuations")}, "needs a FluctuationEstimator"),
}


@pytest.mark.deep
def test_an_optimisation_that_diverges_is_one_line(rng):
    hamiltonian, weights = frustrated(complete(6), (2, 5), rng, spread=0.35)
    with pytest.raises(UnconvergedError, match=r"diverged; use a smaller preparation\.learning_rate"):
        estimate(hamiltonian, weights, neural(learning_rate=1e300, samples=256, chains=8, steps=20))


@pytest.mark.parametrize("case", REFUSED)
def test_neural_states_have_no_nudged_phases(case, rng):
    options, message = REFUSED[case]
    hamiltonian, _ = frustrated(chain(3), (1,), rng)
    with pytest.raises(ConfigError, match=message):
        GradientEstimator(hamiltonian=hamiltonian, preparation=NeuralPreparation(seeds=Seeds(0)), shots=None, **options)


def test_what_has_no_linear_response_is_refused(rng):
    hamiltonian, _ = frustrated(chain(3), (1,), rng)

    def refused(message, problem=hamiltonian, **options):
        given = {"preparation": ExactPreparation(), "contrast": RESPONSE, "shots": None} | options
        with pytest.raises(ConfigError, match=message):
            LinearResponseEstimator(hamiltonian=problem, **given)

    refused("goes with preparation.kind = 'neural'", preparation=ThermalPreparation(1.0))
    refused("takes no shots, got 100; use measurement.shots = 'exact'", shots=100)
    refused("takes no shots, got 50", test_shots=50)
    refused("use 'shared'", grouping="per_weight")
    refused("'linear_response' needs a LinearResponseEstimator", contrast=Contrast())
    coupled = NudgedHamiltonian(hamiltonian.network, LossOnExpectations.on_spins((1,), 3, loss=Contrastive()))
    refused("a loss of single samples", problem=coupled)
    with pytest.raises(ConfigError, match=r"samples: expected a multiple of 8 times the chains \(512\), got 100"):
        NeuralPreparation(seeds=Seeds(0), samples=100)
    with pytest.raises(ConfigError, match="chains: expected more than 1, got 1"):
        NeuralPreparation(seeds=Seeds(0), chains=1)


def test_a_missing_extra_is_one_line(rng, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "netket", None)
    hamiltonian, weights = frustrated(chain(3), (1,), rng)
    with pytest.raises(ResourceError, match=r"pip install 'qep_qiskit\[neural\]'"):
        gradient(
            hamiltonian.network,
            hamiltonian.cost,
            weights,
            x=X,
            y=Y[:, :1],
            preparation=NeuralPreparation(seeds=Seeds(0)),
            contrast=RESPONSE,
        )
