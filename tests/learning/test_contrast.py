"""Stencils, the order of their bias, and the contrastive functions they are exact gradients of."""

import numpy as np
import pytest
from cases import NO_INPUTS, SMALL_GRAPHS, exact_contrast, random_network
from reference import fitted_slope, gradient, ground

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.learning import Contrast, of_sign
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.nudge import NudgedHamiltonian

KINDS = {"one_sided": 1, "symmetric": 2, "four_point": 4}
TARGET = np.array([[0.4]])


@pytest.mark.parametrize(("kind", "order"), KINDS.items())
def test_stencils_differentiate_polynomials_up_to_their_order(kind, order, rng):
    contrast, coefficients = Contrast(kind=kind, beta=0.3), rng.normal(size=order + 2)
    values = np.polynomial.Polynomial(coefficients)(contrast.betas)
    exact = np.polynomial.Polynomial(coefficients[: order + 1])(contrast.betas) @ contrast.stencil
    assert exact == pytest.approx(coefficients[1], abs=1e-12)
    assert abs(values @ contrast.stencil - coefficients[1]) > 1e-4


@pytest.mark.parametrize(
    ("kind", "beta", "betas"),
    [
        ("one_sided", 0.2, [0.0, 0.2]),
        ("one_sided", -0.2, [-0.2, 0.0]),
        ("symmetric", 0.2, [-0.2, 0.2]),
        ("four_point", 0.2, [-0.4, -0.2, 0.2, 0.4]),
    ],
)
def test_phases_are_ordered_by_beta(kind, beta, betas):
    contrast = Contrast(kind=kind, beta=beta)
    assert contrast.betas == pytest.approx(betas)
    assert contrast.stencil.sum() == pytest.approx(0.0, abs=1e-12)
    assert contrast.stencil @ contrast.betas == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            {"kind": "sided"},
            "kind: expected one of one_sided, symmetric, four_point, chebyshev, .*, holomorphic, got 'sided'",
        ),
        ({"beta": 0.0}, r"beta: expected a number other than zero, got 0\.0"),
        ({"beta": float("inf")}, r"^beta: expected a number other than zero, got inf$"),
        ({"beta": -0.1, "kind": "symmetric"}, "symmetric uses both signs"),
        ({"beta": -0.1, "kind": "four_point"}, "four_point uses both signs"),
        ({"kind": "chebyshev", "order": 5}, "^order: 'chebyshev' has 4, 6 or 8 nodes, got 5$"),
        ({"kind": "holomorphic", "points": 1}, "^points: expected at least 2, got 1$"),
        ({"kind": "holomorphic", "radius": 0.0}, "^radius: expected .*, got 0"),
        ({"kind": "symmetric", "order": 4}, "^order: goes with kind = 'chebyshev', not with 'symmetric'"),
    ],
)
def test_settings_are_checked(options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        Contrast(**options)
    assert "\n" not in str(caught.value)


def problem(name, rng, cost):
    network, weights = random_network(SMALL_GRAPHS[name], rng)
    size = network.num_qubits
    made = (
        LossOnExpectations.on_spins((size - 1,), size)
        if cost == "loss"
        else OperatorCost.squared_error((size - 1,), size)
    )
    return NudgedHamiltonian(network, made), weights


@pytest.mark.parametrize("cost", ["operator", "loss"])
@pytest.mark.parametrize("name", SMALL_GRAPHS)
@pytest.mark.parametrize(("kind", "order"), KINDS.items())
def test_bias_falls_with_the_order_of_the_stencil(kind, order, name, cost, rng):
    hamiltonian, weights = problem(name, rng, cost)
    exact = exact_gradient(hamiltonian, weights, NO_INPUTS, TARGET).gradient
    betas = np.geomspace(0.01, 0.04, 4)
    found = [exact_contrast(hamiltonian, weights, Contrast(kind=kind, beta=b), NO_INPUTS, TARGET) for b in betas]
    biases = [np.linalg.norm(estimate.gradient - exact) for estimate in found]
    assert fitted_slope(betas, biases) == pytest.approx(order, abs=0.1)


def energy_function(hamiltonian, beta):
    """E_0(H(w) + beta C) as a function of w, from dense matrices."""
    cost = hamiltonian.cost.operator(TARGET[0]).to_matrix()

    def energy(weights):
        return ground(hamiltonian.network.hamiltonian(weights).to_matrix() + beta * cost)[0]

    return energy


@pytest.mark.parametrize("name", ["edges", "ring", "complete", "chain", "lattice"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_contrast_is_the_exact_gradient_of_its_contrastive_function(kind, name, rng):
    beta = 0.1
    hamiltonian, weights = problem(name, rng, "operator")
    pairs = {"one_sided": ((beta, 1.0), (0.0, -1.0)), "symmetric": ((beta, 0.5), (-beta, -0.5))}[kind]
    energies = [(energy_function(hamiltonian, at), share) for at, share in pairs]
    expected = gradient(lambda w: sum(share * energy(w) for energy, share in energies), weights)
    found = exact_contrast(hamiltonian, weights, Contrast(kind=kind, beta=beta), NO_INPUTS, TARGET)
    assert beta * found.gradient == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("name", ["edges", "complete", "chain"])
def test_contrastive_functions_enclose_the_cost(name, rng):
    hamiltonian, weights = problem(name, rng, "operator")
    energy = {beta: energy_function(hamiltonian, beta)(weights) for beta in (-0.3, 0.0, 0.3)}
    cost = exact_gradient(hamiltonian, weights, NO_INPUTS, TARGET).cost
    assert (energy[0.3] - energy[0.0]) / 0.3 < cost < (energy[-0.3] - energy[0.0]) / -0.3


def test_names_of_studies():
    assert of_sign("one_sided_negative") == ("one_sided", -1.0)
    assert of_sign("symmetric") == ("symmetric", 1.0)
    assert of_sign("chebyshev_6") == ("chebyshev_6", 1.0)
    with pytest.raises(ConfigError, match="expected a one-sided contrast before '_negative'"):
        of_sign("symmetric_negative")
    with pytest.raises(ConfigError, match=r"expected one of 'one_sided', .*, got 'sideways'"):
        of_sign("sideways_negative")
