"""Random networks: theory's best nudge against the optimum, how the error falls with shots, and models from pilots."""

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z, load_instances, random_network
from exact_noise import ExactNoise
from reference import fitted_slope

from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator, first_beta, measure_pilot
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain, complete, ring
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")

KINDS = ("one_sided", "symmetric")
SHOTS = (1000, 10_000, 100_000)
BETAS = np.geomspace(0.01, 20.0, 250)
every_kind = pytest.mark.parametrize("kind", KINDS)


class Curves:
    """Exact errors of a network's contrasts, and what theory says of them."""

    def __init__(self, network, weights):
        last = network.num_qubits - 1
        self.hamiltonian = NudgedHamiltonian(network, half_one_plus_z(last, network.num_qubits))
        self.weights, self.exact = weights, ExactNoise.of(self.hamiltonian, weights)
        self.length = np.linalg.norm(self.exact.gradient)
        self._theory = {kind: self.exact.theory(kind, 1) for kind in KINDS}
        self._bias = {kind: (self.exact.bias(kind, BETAS) ** 2).sum(axis=1) for kind in KINDS}
        self._noise = {kind: self.exact.shot_variance(kind, BETAS).sum(axis=1) for kind in KINDS}

    def errors(self, kind, shots):
        return np.sqrt(self._bias[kind] + self._noise[kind] / shots)

    def loss_at(self, kind, shots, beta):
        """The error at a nudge over the least one."""
        errors = self.errors(kind, shots)
        return np.exp(np.interp(np.log(beta), np.log(BETAS), np.log(errors))) / errors.min()

    def best(self, kind, shots):
        return BETAS[self.errors(kind, shots).argmin()]

    def theory(self, kind, shots):
        return self._theory[kind] / shots ** {"one_sided": 1 / 4, "symmetric": 1 / 6}[kind]

    def least(self, kind, shots):
        return self.errors(kind, shots).min() / self.length

    def piloted(self, kind, shots, repeats=5):
        """Best nudges by pilots with the shots of a step."""
        estimator = GradientEstimator(
            hamiltonian=self.hamiltonian,
            preparation=ExactPreparation(),
            contrast=Contrast(kind=kind, beta=0.1),
            shots=shots,
        )
        start = first_beta(self.hamiltonian, self.weights, NO_INPUTS, NO_INPUTS)
        executor, trainable = VectorExecutor(Seeds(5)), np.ones(len(self.weights), dtype=bool)
        found = []
        for repeat in range(repeats):
            given = estimator, self.weights, NO_INPUTS, NO_INPUTS, RequestKey("pilot", repeat)
            work = measure_pilot(*given, beta=start, levels=6, trainable=trainable)
            found.append(run_measurements(work, executor)[0].model.best_beta(shots))
        return np.array(found)


def of_size(spins):
    cases = [case for case in load_instances() if case.network.num_qubits == spins]
    assert len(cases) == 8
    return [Curves(case.network, case.weights) for case in cases]


@pytest.fixture(scope="module")
def four():
    """The networks of instances.json with four spins."""
    return of_size(4)


@pytest.fixture(scope="module")
def published(four):
    """The networks of instances.json with four and six spins."""
    return four + of_size(6)


@pytest.fixture(scope="module")
def fresh():
    """More of them, with fields near one."""
    rng, graphs = np.random.default_rng(11), [chain(4), ring(4), complete(4)]
    return [Curves(*random_network(graphs[index % 3], rng)) for index in range(30)]


def ratios(networks, kind, shots):
    return np.array([one.theory(kind, shots) / one.best(kind, shots) for one in networks])


@pytest.mark.deep
@every_kind
@pytest.mark.parametrize("shots", SHOTS)
def test_theory_finds_the_best_nudge_of_most_networks(kind, shots, fresh):
    """Within 15 % in the median; half of the networks lie within 15 % too."""
    found = ratios(fresh, kind, shots)
    assert np.median(found) == pytest.approx(1.0, abs=0.15)
    assert (np.abs(np.quantile(found, [0.25, 0.75]) - 1.0) < 0.15).all()


@pytest.mark.deep
@every_kind
@pytest.mark.parametrize("shots", SHOTS)
def test_theory_on_the_published_networks(kind, shots, published):
    """Within 15 % in the median, but for one-sided contrasts of 1000 shots.

    There the best nudge lies near one, where the bias bends away from its leading order: theory's is 0.77 of it in the
    median (quartiles 0.70 and 0.89) and costs 5 % in the error.
    """
    found = ratios(published, kind, shots)
    if (kind, shots) == ("one_sided", 1000):
        assert np.median(found) == pytest.approx(0.77, abs=0.03)
    else:
        assert np.median(found) == pytest.approx(1.0, abs=0.15)
    lost = [one.loss_at(kind, shots, one.theory(kind, shots)) for one in published]
    assert np.median(lost) < 1.06


@pytest.mark.deep
@pytest.mark.parametrize(("kind", "slope"), [("one_sided", -1 / 4), ("symmetric", -1 / 3)])
@pytest.mark.parametrize("name", ["published", "fresh"])
def test_error_at_the_best_nudge_falls_with_shots(kind, slope, name, request):
    """Fitted for each network; their median is off by less than they scatter."""
    networks = request.getfixturevalue(name)
    slopes = [fitted_slope(SHOTS, [one.least(kind, shots) for shots in SHOTS]) for one in networks]
    assert np.std(slopes) < 0.03
    assert abs(np.median(slopes) - slope) < max(np.std(slopes), 0.01)


@pytest.mark.deep(but=["four-one_sided-errors0", "four-symmetric-errors1"])
@pytest.mark.parametrize(("kind", "errors"), [("one_sided", [0.44, 0.27, 0.16]), ("symmetric", [0.23, 0.11, 0.049])])
@pytest.mark.parametrize("name", ["four", "published"])
def test_relative_errors_of_the_published_networks(kind, errors, name, request):
    """Medians over four spins, and over four and six, agree."""
    found = [np.median([one.least(kind, shots) for one in request.getfixturevalue(name)]) for shots in SHOTS]
    assert found == pytest.approx(errors, rel=0.05)


@pytest.mark.deep
@every_kind
@pytest.mark.parametrize("shots", SHOTS)
@pytest.mark.parametrize("name", [pytest.param("published", marks=pytest.mark.slow), "fresh"])
def test_nudges_of_pilots_cost_little(kind, shots, name, request):
    """At most a sixth more error than at the optimum, in the median of networks."""
    networks = request.getfixturevalue(name)
    lost = [np.sqrt(np.mean(one.loss_at(kind, shots, one.piloted(kind, shots)) ** 2)) for one in networks]
    assert np.median(lost) < 7 / 6
