"""Which shared shot batches read which terms: columns, folding, and batches of weights that share no shots."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS, random_network
from chi_square import LIMIT, mean_p_value, variance_p_value
from qiskit.quantum_info import SparsePauliOp
from scipy.stats import norm

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import (
    StateMoments,
    covering_plan,
    per_weight_plan,
    qubit_wise_plan,
    run_measurements,
    shared_plan,
)
from qep_qiskit.network import Interaction, PauliNetwork, WeightInitialisation, chain
from qep_qiskit.network.cost import LossOnExpectations, OperatorCost
from qep_qiskit.network.losses import SquaredError
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

pytestmark = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")

CONTRAST = Contrast(kind="symmetric", beta=0.3)


def clamped(rng):
    """Two spins and one input: W[0,k] and b[k] multiply the same word."""
    network, weights = random_network(chain(2), rng, num_inputs=1, biases=WeightInitialisation())
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((1,), 2))
    return hamiltonian, weights, np.array([[0.5], [2.0]]), np.array([[0.3], [0.1]])


def tied(rng):
    """One weight multiplies words of both groups, another words of one."""
    both = SparsePauliOp(["IX", "ZI", "ZZ"], [0.7, -0.4, 0.5])
    parts = (
        Interaction(operator=both, weight="both"),
        Interaction(operator=SparsePauliOp(["XI", "IX"], [1.0, -0.6]), weight="fields"),
        Interaction(operator=SparsePauliOp(["IZ"], [0.8])),
    )
    network = PauliNetwork(interactions=parts, outputs=(1,))
    hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((1,), 2))
    return hamiltonian, np.array([0.9, 1.1]), NO_INPUTS, np.array([[0.4]])


PROBLEMS = {"clamped inputs": clamped, "tied weights": tied}
every_problem = pytest.mark.parametrize("name", PROBLEMS)


def plan_of(problem, grouping):
    hamiltonian, weights, inputs, _ = problem
    if grouping == "shared":
        return shared_plan(hamiltonian.groups)
    if grouping == "qubit_wise":
        return qubit_wise_plan(hamiltonian.terms, hamiltonian.num_qubits)
    names = hamiltonian.network.layout.names
    return per_weight_plan(hamiltonian.groups, hamiltonian.jacobian(weights, inputs), names)


def estimates(problem, grouping, shots, repeats, executor=None):
    hamiltonian, weights, inputs, targets = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=CONTRAST, shots=shots, grouping=grouping
    )
    executor = executor or VectorExecutor(Seeds(4))
    works = (estimator.estimate(weights, inputs, targets, RequestKey("test", r)) for r in range(repeats))
    return [run_measurements(work, executor) for work in works]


def both_letters(rng):
    """Words that several bases of a cover read: all of two spins, with a loss on one of them."""
    words = [f"{a}{b}" for a in "IXYZ" for b in "IXYZ"][1:]
    parts = tuple(Interaction(operator=SparsePauliOp([word], [rng.normal()]), weight=word) for word in words)
    network = PauliNetwork(interactions=parts, outputs=(0,))
    hamiltonian = NudgedHamiltonian(network, LossOnExpectations.on_spins((0,), 2, SquaredError()))
    return hamiltonian, rng.normal(size=15), NO_INPUTS, np.array([[0.4]])


class TestCover:
    @pytest.fixture
    def plan(self, rng):
        hamiltonian = both_letters(rng)[0]
        return covering_plan(hamiltonian.terms, tuple(hamiltonian.trained_terms.tolist()), 2)

    def test_terms_have_a_column_wherever_they_are_read(self, plan, rng):
        words = both_letters(rng)[0].terms
        counts = np.bincount(plan.terms)
        assert counts.tolist() == [3 if len(word.factors) == 1 else 1 for word in words]
        assert len(plan.groups) == 9
        for group, columns in zip(plan.groups, plan.estimates, strict=True):
            assert group.terms == tuple(words[term] for term in plan.terms[columns])

    def test_reading_takes_few_of_the_groups_that_serve(self, plan, rng):
        words = both_letters(rng)[0].terms
        singles = np.array([index for index, word in enumerate(words) if str(word) in ("Z0", "Z1")])
        (only,) = plan.groups_measuring(singles)
        assert plan.groups[only].basis.name == "ZZ"
        assert len(plan.serving(singles)) == 5
        assert plan.groups_measuring(np.array([], dtype=int)) == []

    def test_entries_are_shared_out_to_the_columns(self, plan, rng):
        hamiltonian, weights, inputs, _ = both_letters(rng)
        own = hamiltonian.jacobian(weights, inputs)
        found = plan.jacobian(own)
        means = rng.normal(size=(1, hamiltonian.num_terms))
        assert found.pull_back(means[:, plan.terms]) == pytest.approx(own.pull_back(means))

    @pytest.mark.deep(but=["symmetric"])
    @pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
    def test_noise_is_what_the_estimates_claim(self, kind, rng):
        """Independent batches of a word are averaged, and their covariances added."""
        hamiltonian, weights, inputs, targets = both_letters(rng)
        estimator = GradientEstimator(
            hamiltonian=hamiltonian,
            preparation=ExactPreparation(),
            contrast=Contrast(kind=kind, beta=0.2),
            shots=400,
            grouping="cover",
        )
        executor = VectorExecutor(Seeds(5))
        works = (estimator.estimate(weights, inputs, targets, RequestKey("test", r)) for r in range(400))
        found = [run_measurements(work, executor)[0] for work in works]
        exact = replace(estimator, shots=None, grouping="shared")
        expected = run_measurements(exact.estimate(weights, inputs, targets, RequestKey("test", 0)), executor)[
            0
        ].gradient
        cover = replace(estimator, shots=None)
        same = run_measurements(cover.estimate(weights, inputs, targets, RequestKey("test", 0)), executor)[0].gradient
        assert same == pytest.approx(expected, abs=1e-10)
        gradients, variances = np.array([e.gradient for e in found]), np.array([e.variance for e in found])
        assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT

    def test_shots_are_counted(self, rng):
        hamiltonian, weights, inputs, targets = both_letters(rng)
        _, usage = estimates((hamiltonian, weights, inputs, targets), "cover", 10, 1)[0]
        assert usage.circuits == 1 + 2 * 9  # the output in the free phase, nine bases in both nudged ones

    def test_momenta_are_refused_in_one_line(self):
        with pytest.raises(ConfigError, match="'cover' reads Pauli strings"):
            covering_plan((PauliString(((0, "P"),)),), (0,), 1)


@every_problem
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise", "per_weight"])
def test_columns_are_the_generators_of_their_group(name, grouping, rng):
    problem = PROBLEMS[name](rng)
    plan, words = plan_of(problem, grouping), problem[0].terms
    assert sorted(np.concatenate(plan.estimates)) == list(range(plan.num_estimates))
    for group, columns in zip(plan.groups, plan.estimates, strict=True):
        assert group.terms == tuple(words[term] for term in plan.terms[columns])


@every_problem
def test_shared_and_qubit_wise_plans_read_every_term_once(name, rng):
    problem = PROBLEMS[name](rng)
    for grouping in ("shared", "qubit_wise"):
        plan = plan_of(problem, grouping)
        assert plan.terms.tolist() == list(range(problem[0].num_terms))
        assert not plan.of_entries


def test_weights_that_share_a_term_have_columns_of_their_own(rng):
    problem = clamped(rng)
    plan, jacobian = plan_of(problem, "per_weight"), problem[0].jacobian(*problem[1:3])
    names = problem[0].network.layout.names
    assert [group.name.split(" for ")[1] for group in plan.groups] == list(names)
    assert plan.terms.tolist() == jacobian.term.tolist()
    shared = [index for index, term in enumerate(plan.terms) if (plan.terms == term).sum() == 2]
    assert {names[jacobian.weight[index]] for index in shared} == {"W[0,0]", "b[0]", "W[0,1]", "b[1]"}
    assert len({group.name for group in plan.groups}) == len(plan.groups)


def test_a_tied_weight_has_a_batch_in_every_group_that_it_reaches(rng):
    plan = plan_of(tied(rng), "per_weight")
    found = {}
    for group in plan.groups:
        found.setdefault(group.name.split(" for ")[1], []).append({str(word) for word in group.terms})
    assert sorted(map(sorted, found["both"])) == [["X0"], ["Z0 Z1", "Z1"]]
    assert found["fields"] == [{"X0", "X1"}]


@pytest.mark.parametrize("grouping", ["shared", "per_weight"])
def test_serving_names_the_groups_that_read_a_term(grouping, rng):
    plan = plan_of(clamped(rng), grouping)
    for term in range(plan.terms.max() + 1):
        expected = [g for g, columns in enumerate(plan.estimates) if term in plan.terms[columns]]
        assert plan.serving(np.array([term])) == expected
    assert plan.serving(np.array([], dtype=int)) == []


def test_folding_averages_the_columns_that_are_known(rng):
    problem = clamped(rng)
    plan, num_terms = plan_of(problem, "per_weight"), problem[0].num_terms
    means = rng.normal(size=(2, 2, plan.num_estimates))
    factor = rng.normal(size=(2, 2, plan.num_estimates, plan.num_estimates))
    covariance = factor @ factor.transpose(0, 1, 3, 2)
    one_of_two = int(np.flatnonzero(plan.terms == np.bincount(plan.terms).argmax())[0])
    means[:, 1, one_of_two] = np.nan
    unread = int(np.flatnonzero(np.bincount(plan.terms) == 1)[0])
    means[:, 0, plan.terms == unread] = np.nan
    averaged_per_term = plan.averaged_per_term(StateMoments(means=means, covariance=covariance), num_terms)
    for phase in range(2):
        for term in range(num_terms):
            own = np.flatnonzero((plan.terms == term) & ~np.isnan(means[0, phase]))
            if len(own) == 0:
                assert np.isnan(averaged_per_term.means[:, phase, term]).all()
                assert not averaged_per_term.covariance[:, phase, term].any()
                continue
            assert averaged_per_term.means[:, phase, term] == pytest.approx(means[:, phase][:, own].mean(axis=1))
            block = covariance[:, phase][:, own][:, :, own]
            assert averaged_per_term.covariance[:, phase, term, term] == pytest.approx(block.mean(axis=(1, 2)))


def test_folding_of_a_shared_plan_changes_nothing(rng):
    problem = tied(rng)
    plan = plan_of(problem, "shared")
    moments = StateMoments(means=rng.normal(size=(1, 2, plan.num_estimates)), covariance=np.zeros((1, 2, 5, 5)))
    assert plan.averaged_per_term(moments, problem[0].num_terms) is moments


@every_problem
@pytest.mark.parametrize("grouping", ["qubit_wise", "cover", "per_weight"])
def test_exact_gradients_do_not_depend_on_the_grouping(name, grouping, rng):
    problem = PROBLEMS[name](rng)
    shared, other = (estimates(problem, way, None, 1)[0][0] for way in ("shared", grouping))
    assert np.allclose(other.gradient, shared.gradient, rtol=0, atol=1e-12)
    assert np.allclose(other.cost.values, shared.cost.values, rtol=0, atol=1e-12)


@pytest.mark.deep(but=["cover-clamped inputs", "per_weight-tied weights"])
@every_problem
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise", "cover", "per_weight"])
def test_noise_is_what_the_estimates_claim(name, grouping, rng):
    problem = PROBLEMS[name](rng)
    found = [estimate for estimate, _ in estimates(problem, grouping, 60, 500)]
    gradients, variances = np.array([e.gradient for e in found]), np.array([e.variance for e in found])
    exact = estimates(problem, "shared", None, 1)[0][0].gradient
    assert mean_p_value(gradients, exact) > LIMIT
    assert variance_p_value(gradients, variances.mean(axis=0)) > LIMIT


def correlation_p_value(one, other):
    """Whether two quantities are uncorrelated (Fisher's z)."""
    z = np.arctanh(np.corrcoef(one, other)[0, 1]) * np.sqrt(len(one) - 3)
    return 2 * norm.sf(abs(z))


@pytest.mark.deep(but=["300"])
@pytest.mark.parametrize("repeats", [300, 1500])
def test_weights_of_one_term_share_no_shots_when_each_is_measured_on_its_own(rng, repeats):
    """All pairs of weights: no two batches have random numbers in common."""
    problem = clamped(rng)
    gradients = np.array([e.gradient for e, _ in estimates(problem, "per_weight", 60, repeats)])
    pairs = np.array(np.triu_indices(gradients.shape[1], 1)).T
    worst = min(correlation_p_value(gradients[:, one], gradients[:, other]) for one, other in pairs)
    assert worst * len(pairs) > LIMIT


def test_weights_of_one_term_are_correlated_when_they_share_its_shots(rng):
    problem = clamped(rng)
    names = problem[0].network.layout.names
    gradients = np.array([e.gradient for e, _ in estimates(problem, "shared", 60, 300)])
    one, other = names.index("W[0,1]"), names.index("b[1]")
    assert correlation_p_value(gradients[:, one], gradients[:, other]) < 1e-12


def test_with_one_sample_weights_of_one_term_are_proportional_when_they_share_its_shots(rng):
    hamiltonian, weights, inputs, targets = clamped(rng)
    names = hamiltonian.network.layout.names
    found = estimates((hamiltonian, weights, inputs[:1], targets[:1]), "shared", 60, 20)
    gradients = np.array([e.gradient for e, _ in found])
    assert gradients[:, names.index("W[0,1]")] == pytest.approx(inputs[0, 0] * gradients[:, names.index("b[1]")])


def test_shots_of_each_weight_are_counted(rng):
    problem = clamped(rng)
    _, usage = estimates(problem, "per_weight", 60, 1)[0]
    assert usage.circuits == 2 * 2 * problem[0].network.layout.num_weights  # samples, phases, weights
    assert usage.shots == 60 * usage.circuits


def test_shots_per_group_do_not_go_with_weights_on_their_own(rng):
    with pytest.raises(ConfigError, match="give one number of shots for all"):
        estimates(clamped(rng), "per_weight", (10, 20), 1)
    with pytest.raises(ConfigError, match="expected shots for the groups"):
        estimates(clamped(rng), "shared", (10,), 1)


class TestCost:
    """With each weight on its own the cost is still that of the measured states, whoever reads its words."""

    def test_free_cost_on_request(self, rng):
        hamiltonian, weights, inputs, targets = clamped(rng)
        found = [self.cost(hamiltonian, weights, inputs, targets, way) for way in ("shared", "per_weight")]
        assert found[1] == pytest.approx(found[0], abs=1e-12)

    def test_words_that_no_weight_multiplies(self, rng):
        parts = (
            Interaction(operator=SparsePauliOp(["XI", "IX"]), weight="field"),
            Interaction(operator=SparsePauliOp(["ZZ"]), weight="coupling"),
            Interaction(operator=SparsePauliOp(["IZ", "ZI"], [0.8, 0.5])),
        )
        network = PauliNetwork(interactions=parts, outputs=(1,))
        hamiltonian = NudgedHamiltonian(network, OperatorCost.squared_error((1,), 2))
        given = hamiltonian, np.array([-0.9, -0.4]), NO_INPUTS, np.array([[0.4]])
        for free in (False, True):
            found = [self.cost(*given, way, free) for way in ("shared", "per_weight")]
            assert found[1] == pytest.approx(found[0], abs=1e-12)

    def cost(self, hamiltonian, weights, inputs, targets, grouping, free=True):
        estimator = GradientEstimator(
            hamiltonian=hamiltonian,
            preparation=ExactPreparation(),
            contrast=CONTRAST,
            shots=None,
            measures_free_cost=free,
            grouping=grouping,
        )
        work = estimator.estimate(weights, inputs, targets, RequestKey("test", 0))
        return run_measurements(work, VectorExecutor(Seeds(0)))[0].cost.values
