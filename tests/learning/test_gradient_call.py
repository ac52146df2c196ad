import numpy as np
import pytest

import qep_qiskit as qep

NETWORK = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(1, [0]))
COST = qep.LossOnExpectations.on_outputs(NETWORK)
WEIGHTS = np.array([0.4, 0.9, 1.1, 0.2, -0.3, 0.7])
X, Y = [[1.0], [-0.5]], [[-1.0], [1.0]]
EXACT = qep.exact_gradient(qep.NudgedHamiltonian(NETWORK, COST), WEIGHTS, np.array(X), np.array(Y)).gradient


def test_without_shots_it_is_the_exact_gradient():
    estimate = qep.gradient(NETWORK, COST, WEIGHTS, X, Y)
    np.testing.assert_allclose(estimate.gradient, EXACT, atol=1e-5)  # beta^2
    assert estimate.by_name.keys() == set(NETWORK.layout.names)


def test_a_batch_is_the_mean_of_its_samples():
    single = [qep.gradient(NETWORK, COST, WEIGHTS, x, y).gradient for x, y in zip(X, Y, strict=True)]
    np.testing.assert_allclose(np.mean(single, axis=0), qep.gradient(NETWORK, COST, WEIGHTS, X, Y).gradient, atol=1e-10)


def test_shots_of_other_seeds_scatter_by_the_standard_error():
    contrast, calls = qep.Contrast(beta=0.05), 60
    kind = {"contrast": contrast, "shots": 2000}
    found = [qep.gradient(NETWORK, COST, WEIGHTS, X, Y, seed=seed, **kind) for seed in range(calls)]
    mean = qep.gradient(NETWORK, COST, WEIGHTS, X, Y, contrast=contrast).gradient
    pulls = [((one.gradient - mean) / one.standard_error)[1] for one in found]
    assert abs(np.mean(pulls)) < 4 / np.sqrt(calls)
    assert abs(np.var(pulls) - 1) < 4 * np.sqrt(2 / calls)


def test_circuits_run_without_an_executor():
    ramp = qep.AdiabaticPreparation(total_time=20, steps=200)
    near = qep.gradient(NETWORK, COST, WEIGHTS, X, Y, preparation=ramp, contrast=qep.Contrast(beta=0.01))
    np.testing.assert_allclose(near.gradient, EXACT, atol=0.05)  # what the ramp leaves behind
    layer = qep.QEPLayer(NETWORK, preparation=ramp)
    assert layer.value(WEIGHTS, X).shape == (2, 1)


def test_weights_by_name():
    named = dict(zip(NETWORK.layout.names, WEIGHTS, strict=True))
    np.testing.assert_array_equal(
        qep.gradient(NETWORK, COST, named, X, Y).gradient, qep.gradient(NETWORK, COST, WEIGHTS, X, Y).gradient
    )
    with pytest.raises(qep.NetworkError, match=r"no weight h\[9\]; there are"):
        qep.gradient(NETWORK, COST, named | {"h[9]": 1.0}, X, Y)
    del named["h[1]"]
    with pytest.raises(qep.NetworkError, match=r"expected every weight by name; missing: h\[1\]$"):
        qep.gradient(NETWORK, COST, named, X, Y)


@pytest.mark.parametrize(
    ("weights", "x", "y", "said"),
    [
        (WEIGHTS[:-1], X, Y, "weights"),
        (WEIGHTS, [1.0, 2.0], [1.0], "inputs"),
        (WEIGHTS, [1.0], [[1.0], [1.0]], "targets: expected one row for every sample, 1 in all"),
        (WEIGHTS, ["a"], [1.0], "x: expected numbers"),
    ],
)
def test_what_does_not_fit_is_one_line(weights, x, y, said):
    with pytest.raises(qep.QepError, match=said):
        qep.gradient(NETWORK, COST, weights, x, y)


def test_atoms_need_a_preparation_and_take_one():
    network = qep.SpringNetwork(graph=qep.chain(3), outputs=(1,), clamped=(0, 2), inputs=((0, 0),))
    given = network, qep.OperatorCost.squared_error_of(network), np.ones(network.layout.num_weights), [1.0], [0.2]
    with pytest.raises(qep.ConfigError, match="preparation: a network of atoms needs"):
        qep.gradient(*given)
    parts = {"preparation": qep.GaussianPreparation(), "executor": qep.CoordinateExecutor(qep.Seeds(0))}
    estimate = qep.gradient(*given, **parts)
    assert estimate.by_name["k[0,1]"][0] != 0.0
