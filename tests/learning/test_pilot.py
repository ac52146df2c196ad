"""Pilots against exact derivatives: bias and variance of contrasts, how well they are known, and their limits."""

import numpy as np
import pytest
from cases import NO_INPUTS, half_one_plus_z, random_network
from chi_square import LIMIT, mean_p_value
from exact_noise import ExactNoise

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import STENCILS, Contrast, GradientEstimator, first_beta, measure_pilot
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain, complete
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

KINDS = ["one_sided", "symmetric"]
every_kind = pytest.mark.parametrize("kind", KINDS)
# Small enough for the leading order, large enough for the noise of 1e15 shots.
NUDGES = {"one_sided": 0.005, "symmetric": 0.03}
TARGETS = np.array([[-0.8]])


def operator_problem(rng, graph=None):
    network, weights = random_network(graph or chain(4), rng)
    size = network.num_qubits
    return NudgedHamiltonian(network, half_one_plus_z(size - 1, size)), weights


def loss_problem(rng):
    network, weights = random_network(chain(4), rng)
    return NudgedHamiltonian(network, LossOnExpectations.on_spins((3,), 4)), weights


def pilots(problem, kind, shots, *, repeats=1, beta=0.1, levels=6, sign=1.0, trainable=None, **options):
    hamiltonian, weights = problem
    estimator = GradientEstimator(
        hamiltonian=hamiltonian,
        preparation=ExactPreparation(),
        contrast=Contrast(kind=kind, beta=sign * 0.7),
        shots=shots,
        **options,
    )
    trainable = np.ones(len(weights), dtype=bool) if trainable is None else trainable
    executor = VectorExecutor(Seeds(6))

    def work(repeat):
        key = RequestKey("pilot", repeat)
        targets = TARGETS if isinstance(hamiltonian.cost, LossOnExpectations) else NO_INPUTS
        given = estimator, weights, NO_INPUTS, targets, key
        return measure_pilot(*given, beta=beta, levels=levels, trainable=trainable)

    return [run_measurements(work(repeat), executor) for repeat in range(repeats)]


@every_kind
def test_many_shots_find_the_exact_model(kind, rng):
    """c = a''/2 or a'''/6 and S = 2V or V/2, summed over weights, from small nudges without much noise."""
    problem = operator_problem(rng)
    exact = ExactNoise.of(*problem)
    model = pilots(problem, kind, 10**15, beta=NUDGES[kind], levels=2)[0][0].model
    factor, share = {"one_sided": (1 / 2, 2.0), "symmetric": (1 / 6, 1 / 2)}[kind]
    assert model.order == Contrast(kind=kind).order
    # A one-sided bias goes on with the next power of beta, a symmetric one with the one after.
    relative = 0.05 if kind == "one_sided" else 0.01
    assert model.bias_squared == pytest.approx(factor**2 * (exact.curvature(kind) ** 2).sum(), rel=relative)
    assert sum(model.shot_variance) == pytest.approx(share * exact.moments([0.0])[1].sum(), rel=0.03)
    assert model.gradient_squared == pytest.approx(exact.gradient @ exact.gradient, rel=1e-3)
    assert model.signal_variance == model.cross_variance == 0.0


@every_kind
def test_variance_of_each_group(kind, rng):
    """Z words in one batch and X words in the other, each with its own part."""
    problem = operator_problem(rng)
    model = pilots(problem, kind, 10**8, beta=0.02, levels=2)[0][0].model
    network, weights = problem[0].network, problem[1]
    letters = np.array([str(network.terms[term])[0] for term in network.jacobian(weights, NO_INPUTS).term])
    noise = ExactNoise.of(*problem).shot_variance(kind, [0.04])[0] * 0.04**2
    expected = [noise[letters == letter].sum() for letter in "ZX"]
    assert model.shot_variance == pytest.approx(expected, rel=1e-3)


@every_kind
def test_frozen_weights_do_not_count(kind, rng):
    problem = operator_problem(rng)
    trainable = np.arange(len(problem[1])) % 3 == 0
    model = pilots(problem, kind, 10**15, beta=NUDGES[kind], levels=2, trainable=trainable)[0][0].model
    exact, factor = ExactNoise.of(*problem), {"one_sided": 1 / 2, "symmetric": 1 / 6}[kind]
    curvature = exact.curvature(kind)[trainable]
    assert model.bias_squared == pytest.approx(factor**2 * curvature @ curvature, rel=0.05)
    assert model.gradient_squared == pytest.approx((exact.gradient[trainable] ** 2).sum(), rel=1e-3)


@pytest.mark.deep
@every_kind
def test_few_shots_find_the_variance_without_bias(kind, rng):
    problem = operator_problem(rng)
    found = pilots(problem, kind, 40, repeats=200, beta=0.2, levels=2)
    variances = [sum(pilot.model.shot_variance) for pilot, _ in found]
    expected = ExactNoise.of(*problem).shot_variance(kind, [0.4])[0].sum() * 0.4**2
    assert mean_p_value(variances, expected) > LIMIT


@pytest.mark.deep
@every_kind
def test_the_bias_is_where_its_quantiles_say(kind):
    """Squared bias at the best nudge over networks and pilots: uniform over the levels of its own quantiles.

    Sixty pilots; each tail of a fifth holds a fifth of them within four standard deviations of the binomial.
    """
    positions = []
    for index in range(20):
        problem = operator_problem(np.random.default_rng([7, index]), (chain, complete)[index % 2](3 + index % 3))
        exact, start = ExactNoise.of(*problem), first_beta(*problem, NO_INPUTS, NO_INPUTS)
        for shots in (300, 3000, 30_000):
            model = pilots(problem, kind, shots, beta=start)[0][0].model
            best = min(exact.best(kind, shots)[0], model.curve.betas[-1])
            squares = model.curve.at(best, model.order)
            positions.append(np.searchsorted(squares, (exact.bias(kind, [best])[0] ** 2).sum()) / len(squares))
    positions = np.array(positions)
    deviation = np.sqrt(0.2 * 0.8 / len(positions))
    assert (positions > 0.85).mean() < 0.15 + 4 * deviation
    assert (positions < 0.15).mean() < 0.15 + 4 * deviation


@every_kind
def test_more_shots_tell_the_bias_beyond_its_leading_order(kind, rng):
    """At a nudge beyond the scale of H and C the exact leading order is off by 1.22 and 2.04, the curve by 5 %."""
    problem = operator_problem(rng)
    known = float((ExactNoise.of(*problem).bias(kind, [1.6])[0] ** 2).sum())
    widths = []
    for shots in (100, 10**4, 10**7):
        model = pilots(problem, kind, shots, beta=0.1, levels=6)[0][0].model
        squares = model.curve.at(1.6, model.order)
        widths.append(np.log(squares[-1] / squares[0]))
    assert widths[0] > widths[1] > widths[2]
    assert model.bias(1.6) ** 2 == pytest.approx(known, rel=0.05)
    assert model.bias_squared * 1.6 ** (2 * model.order) > 1.2 * known


@pytest.mark.deep(but=["1000-symmetric"])
@every_kind
@pytest.mark.parametrize("shots", [100, 1000, 10_000])
def test_nudges_of_pilots_lose_little_against_the_best_one(kind, shots, rng):
    problem = operator_problem(rng, complete(4))
    exact = ExactNoise.of(*problem)
    hamiltonian, weights = problem
    start = first_beta(hamiltonian, weights, NO_INPUTS, NO_INPUTS)
    betas = [pilot.model.best_beta(shots) for pilot, _ in pilots(problem, kind, shots, repeats=20, beta=start)]
    best = exact.best(kind, shots)[1]
    assert np.median(exact.errors(kind, betas, shots)) < 1.25 * best


def test_the_sign_of_a_one_sided_nudge_is_kept(rng):
    pilot, _ = pilots(operator_problem(rng), "one_sided", 100, sign=-1.0, levels=3)[0]
    assert pilot.measured.betas == pytest.approx([-0.4, -0.2, -0.1, 0.0, 0.1, 0.2, 0.4])
    assert pilot.contrasts.betas == pytest.approx([-0.1, -0.2, -0.4, 0.1, 0.2, 0.4])
    assert pilot.model.best_beta(100, sign=-1.0) < 0


def test_both_signs_know_the_bias_of_a_one_sided_contrast_better(rng, monkeypatch):
    """With the other sign and half the shots, about as many in all, the middle 70 % are less than half as wide."""
    problem = operator_problem(rng)

    def width(shots):
        squares = pilots(problem, "one_sided", shots, beta=0.1)[0][0].model.curve.at(0.4, 1)
        return np.log(squares[-2] / squares[1])

    both = width(500_000)
    monkeypatch.setattr("qep_qiskit.learning.pilot._mirrored", lambda hamiltonian, contrasts: [])
    assert both < 0.5 * width(1_000_000)


@every_kind
def test_circuits_of_the_levels(kind, rng):
    """The levels of both signs share the free phase, and nothing is measured twice."""
    _, usage = pilots(operator_problem(rng), kind, 100, levels=4)[0]
    assert usage.circuits == 2 * {"one_sided": 9, "symmetric": 8}[kind]
    assert usage.shots == 100 * usage.circuits


def test_four_point_levels_share_phases(rng):
    """2 beta of a level is beta of the next."""
    _, usage = pilots(operator_problem(rng), "four_point", 100, levels=3)[0]
    assert usage.circuits == 2 * 8


class TestErrorSignals:
    """With a loss on expectations a part of the variance does not fall with beta."""

    def test_a_symmetric_contrast_has_a_constant_part(self, rng):
        model = pilots(loss_problem(rng), "symmetric", 10**7, beta=0.05, levels=2)[0][0].model
        assert model.signal_variance > 0
        assert model.cross_variance == 0.0
        assert model.signal_group == 0

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_a_one_sided_contrast_has_a_part_that_changes_sign_with_the_nudge(self, sign, rng):
        problem = loss_problem(rng)
        found = [pilots(problem, "one_sided", 10**7, beta=0.05, levels=2, sign=s)[0][0].model for s in (sign, -sign)]
        assert found[0].cross_variance == pytest.approx(found[1].cross_variance, rel=0.3)
        assert found[0].cross_variance != 0.0

    @pytest.mark.deep(but=["shared-symmetric"])
    @every_kind
    @pytest.mark.parametrize("grouping", ["shared", "per_weight"])
    def test_variance_of_the_model_is_that_of_estimates(self, kind, grouping, rng):
        hamiltonian, weights = loss_problem(rng)
        found = pilots((hamiltonian, weights), kind, 10**6, beta=0.1, levels=2, grouping=grouping)
        model = found[0][0].model
        estimator = GradientEstimator(
            hamiltonian=hamiltonian,
            preparation=ExactPreparation(),
            contrast=Contrast(kind=kind, beta=0.15),
            shots=4000,
            grouping=grouping,
        )
        executor = VectorExecutor(Seeds(7))
        works = (estimator.estimate(weights, NO_INPUTS, TARGETS, RequestKey("test", r)) for r in range(300))
        gradients = np.array([run_measurements(work, executor)[0].gradient for work in works])
        squares = ((gradients - gradients.mean(axis=0)) ** 2).sum(axis=1) * 300 / 299
        assert mean_p_value(squares, model.variance(0.15, 4000)) > LIMIT


class TestLimits:
    def test_one_level(self, rng):
        with pytest.raises(ConfigError, match=r"pilot\.levels: expected at least 2, got 1"):
            pilots(operator_problem(rng), "symmetric", 100, levels=1)

    @pytest.mark.parametrize("shots", [None, (100, None)])
    def test_exact_expectations(self, shots, rng):
        with pytest.raises(ConfigError, match=r"give a number for measurement\.shots, not 'exact'"):
            pilots(operator_problem(rng), "symmetric", shots)

    @every_kind
    @pytest.mark.parametrize("problem", [operator_problem, loss_problem])
    def test_one_shot_is_raised_to_enough_to_tell_a_variance(self, kind, problem, rng):
        pilot, usage = pilots(problem(rng), kind, 1)[0]
        assert usage.shots == 32 * usage.circuits
        assert np.isfinite(pilot.model.best_beta(1))
        assert np.isfinite(pilot.model.error(pilot.model.best_beta(1), 1))

    def test_shots_of_a_split_are_kept(self, rng):
        _, usage = pilots(operator_problem(rng), "symmetric", (100, 10), levels=2)[0]
        assert usage.shots == 4 * (100 + 32)

    @every_kind
    def test_a_bias_that_does_not_stand_out_is_bounded(self, kind, rng):
        found = [pilot for pilot, _ in pilots(operator_problem(rng), kind, 32, repeats=40, beta=1e-3, levels=2)]
        unresolved = [pilot for pilot in found if not pilot.resolved]
        assert len(unresolved) > 20
        assert all(pilot.model.bias_squared > 0 for pilot in unresolved)
        assert all(np.isfinite(pilot.model.best_beta(32)) for pilot in found)

    @every_kind
    def test_without_a_response_nothing_is_infinite(self, kind):
        """Far spins of a classical chain: the nudge moves nothing at all."""
        network, weights = random_network(chain(2), np.random.default_rng(0))
        weights[:] = 0.0
        weights[network.layout.slice_of("b")] = 5.0
        pilot, _ = pilots((NudgedHamiltonian(network, half_one_plus_z(1, 2)), weights), kind, 100, beta=0.01, levels=3)[
            0
        ]
        assert np.isfinite(pilot.model.best_beta(100))
        assert np.isfinite(pilot.model.best_shot_fractions(0.1, np.array([2.0, 2.0]))).all()


@pytest.mark.parametrize("problem", [operator_problem, loss_problem])
def test_pilots_ask_the_stencil_and_not_its_name(problem, rng, monkeypatch):
    """A plug-in's one-sided contrast is measured to both sides as the package's own is."""
    monkeypatch.setattr(STENCILS, "_entries", STENCILS.entries | {"forward": STENCILS.find("one_sided")})
    given = problem(rng)
    (own, used), (other, used_by_other) = (pilots(given, kind, 100)[0] for kind in ("one_sided", "forward"))
    assert used == used_by_other
    assert (own.contrasts.betas < 0).any()
    assert other.model == own.model
