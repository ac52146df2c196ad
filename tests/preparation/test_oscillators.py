"""Gaussian ground states: the anchor's digits, and the closed form."""

import numpy as np
import pytest
from oscillators import TARGET, three_oscillators, with_squared_error

from qep_qiskit.execution import PointExecutor, RequestKey
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import drive
from qep_qiskit.preparation import Family, GaussianPreparation, Start
from qep_qiskit.seeds import Seeds

NAMES = ("k[0,1]", "k[1,2]", "k[0,2]")
NO_INPUT, TARGETS = np.zeros((1, 0)), np.array([[TARGET]])


def gradient(hamiltonian, weights, contrast, shots=None, **options):
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=GaussianPreparation(hbar=hamiltonian.network.hbar),
        contrast=contrast,
        shots=shots,
        **options,
    )
    work = estimator.estimate(weights, NO_INPUT, TARGETS, RequestKey("test", 0))
    return drive(work, PointExecutor(Seeds(3)))[0]


@pytest.fixture
def hamiltonian():
    return with_squared_error(three_oscillators())


@pytest.fixture
def weights(hamiltonian):
    return hamiltonian.network.layout.initial(Seeds(0))


def of_springs(hamiltonian, estimate):
    names = hamiltonian.network.layout.names
    return np.array([estimate.gradient[names.index(name)] for name in NAMES])


def prepared(hamiltonian, weights):
    free = hamiltonian.free_coefficients(weights, NO_INPUT)
    family = Family.of_free(hamiltonian.groups, free, RequestKey("test", 0))
    equilibria, _ = drive(GaussianPreparation().prepare(family, Start()), PointExecutor(Seeds(0)))
    return equilibria


def test_means_variances_cost_and_energy_of_the_anchor(hamiltonian, weights):
    equilibria = prepared(hamiltonian, weights)
    states = equilibria.states
    spread = states.modes[0].spread(of_momenta=False)
    assert states.centres[0, :, 0] == pytest.approx([0.9122807, 0.5614035, 0.5263158], abs=5e-8)
    assert np.diag(spread @ spread.T) == pytest.approx([0.4377954, 0.3874116, 0.4042062], abs=5e-8)
    assert states.modes[0].zero_point_energy == pytest.approx(2.325217, abs=5e-7)
    assert equilibria.report.energies[0, 0] == pytest.approx(1.869077, abs=5e-7)
    estimate = gradient(hamiltonian, weights, Contrast(kind="one_sided", beta=0.01))
    assert estimate.cost.mean == pytest.approx(0.4096356, abs=5e-8)


@pytest.mark.parametrize(
    ("contrast", "expected"),
    [
        (Contrast(kind="symmetric", beta=0.1), (-0.0089515, -0.0251082, -0.0624761)),
        (Contrast(kind="one_sided", beta=0.01), (-0.0086102, -0.0246111, -0.0607138)),
        (Contrast(kind="four_point", beta=0.01), (-0.0087385, -0.0248281, -0.0614191)),
    ],
)
def test_contrasts_of_the_anchor(hamiltonian, weights, contrast, expected):
    found = gradient(hamiltonian, weights, contrast)
    assert of_springs(hamiltonian, found) == pytest.approx(expected, abs=5e-8)
    assert np.all(found.variance == 0.0)
