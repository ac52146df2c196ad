"""Every optimiser by its name: it minimises, or says in one line why it cannot."""

import numpy as np
import pytest
from qiskit_algorithms.optimizers import SPSA
from qiskit_algorithms.utils import algorithm_globals

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey
from qep_qiskit.preparation.lockstep import run_in_lockstep
from qep_qiskit.preparation.minimisers import _Shuffle
from qep_qiskit.preparation.optimizers import BFGS, SPSA_DEFAULTS, check_optimizer, minimising_work, optimizer_names
from qep_qiskit.preparation.spsa import JointSPSA

START, MINIMUM, LOWEST = np.array([1.0, 0.5]), np.array([0.3, -0.4]), 0.3
# How far above the minimum each ends; slow ones get more steps or longer ones than their defaults.
OPTIONS = {
    "adam": ({"lr": 0.05, "maxiter": 2000}, 1e-6),
    "gradientdescent": ({"learning_rate": 0.3, "maxiter": 200}, 1e-6),
    "gsls": ({"maxiter": 400, "max_eval": 4000}, 1e-2),
    "qnspsa": ({"maxiter": 150}, 1e-6),
    "spsa": ({}, 1e-2),
    "umda": ({}, 1e-2),
}
NEEDS_SCIKIT_QUANT, NEEDS_NLOPT = (
    ["bobyqa", "imfil", "snobfit"],
    [
        "crs",
        "direct_l",
        "direct_l_rand",
        "esch",
        "isres",
        "sbplx",
    ],
)
INSTALLED = [name for name in optimizer_names() if name not in [BFGS, *NEEDS_SCIKIT_QUANT, *NEEDS_NLOPT]]


def energy(points):
    """Sums and products of cosines, as an energy by two gate angles is; 0.3 at its minimum."""
    x, y = (points - MINIMUM).T
    return 2 - np.cos(x) - 0.5 * np.cos(y) - 0.2 * np.cos(x) * np.cos(y)


def slope(point):
    x, y = point - MINIMUM
    return np.array([np.sin(x) + 0.2 * np.sin(x) * np.cos(y), 0.5 * np.sin(y) + 0.2 * np.cos(x) * np.sin(y)])


class Oracle:
    """Answers questions, and writes down what was asked."""

    def __init__(self):
        self.kinds, self.points = [], []

    def answer(self, requests):
        yield from ()
        return [self._one(request) for request in requests]

    def _one(self, request):
        self.kinds.append(request.kind)
        if request.kind == "fidelity":
            one, other = request.content
            assert one.shape == other.shape == (len(one), 2)
            self.points.append(len(one))
            return (np.cos((one - other) / 2) ** 2).prod(axis=1)
        if request.kind == "gradient":
            assert request.content.shape == (2,)
            self.points.append(1)
            return float(energy(request.content[None])[0]), slope(request.content)
        assert request.content.ndim == 2, "energies are asked for in rows"
        assert request.content.shape[1] == 2, "every row is one point"
        self.points.append(len(request.content))
        return energy(request.content)


def finish(work):
    try:
        next(work)
    except StopIteration as finished:
        return finished.value
    raise AssertionError("nothing here is measured")


def minimise(name, options=None, *, simulated, starts=(START,), shuffle=lambda worker: None):
    oracle = Oracle()
    works = [minimising_work(name, options or {}, start.copy(), simulated=simulated) for start in starts]
    return finish(run_in_lockstep(works, oracle.answer, shuffle)), oracle


@pytest.fixture(autouse=True)
def seeded():
    algorithm_globals.random_seed = 7


BY_DIFFERENCES = ["adam", "cg", "gradientdescent", "l_bfgs_b", "slsqp", "tnc"]


@pytest.mark.parametrize("simulated", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("name", INSTALLED)
def test_every_installed_optimiser_minimises(name, simulated):
    options, accuracy = OPTIONS.get(name, ({}, 1e-6))
    if name in BY_DIFFERENCES and not simulated:
        accuracy = 5e-3  # one-sided, with steps above the noise of shots
    check_optimizer(name, options, simulated=simulated)
    ((point, _),), _ = minimise(name, options, simulated=simulated)
    assert point.shape == (2,)
    assert 0 <= energy(point[None])[0] - LOWEST + 1e-12 < accuracy


@pytest.mark.parametrize("simulated", [True, False], ids=["with gradients", "without"])
@pytest.mark.parametrize("name", INSTALLED)
def test_every_point_that_is_asked_for_is_counted(name, simulated):
    ((_, num_evaluations),), oracle = minimise(name, OPTIONS.get(name, ({}, 0))[0], simulated=simulated)
    assert num_evaluations == sum(oracle.points) > 0


@pytest.mark.parametrize("name", BY_DIFFERENCES)
def test_those_that_use_gradients_ask_for_nothing_else(name):
    _, oracle = minimise(name, OPTIONS.get(name, ({}, 0))[0], simulated=True)
    assert set(oracle.kinds) == {"gradient"}


@pytest.mark.parametrize("name", ["cobyla", "nelder_mead", "powell", "nft", "spsa", "umda", "aqgd", "gsls"])
def test_those_that_use_none_never_ask_for_one(name):
    _, oracle = minimise(name, OPTIONS.get(name, ({}, 0))[0], simulated=True)
    assert set(oracle.kinds) == {"energy"}


def test_energy_and_gradient_of_a_point_are_one_evaluation():
    ((_, num_evaluations),), oracle = minimise("l_bfgs_b", simulated=True)
    assert num_evaluations == len(oracle.kinds) < 15


@pytest.mark.filterwarnings("error")
def test_l_bfgs_b_is_given_no_option_that_scipy_drops():
    # SciPy deprecates `iprint` and takes it away in 1.18; nothing else held SciPy below that.
    minimise("l_bfgs_b", simulated=True)
    with pytest.raises(ConfigError, match="'l_bfgs_b' has no 'iprint'"):
        check_optimizer("l_bfgs_b", {"iprint": 1}, simulated=True)


def test_qnspsa_asks_for_overlaps_too():
    _, oracle = minimise("qnspsa", {"maxiter": 5}, simulated=False)
    assert set(oracle.kinds) == {"energy", "fidelity"}


def test_spsa_asks_for_both_sides_at_once_and_not_for_the_energy_of_its_result():
    _, oracle = minimise("spsa", {"maxiter": 5}, simulated=False)
    assert oracle.points == [2] * 5


def test_all_directions_of_a_step_of_spsa_are_one_question():
    _, oracle = minimise("spsa", {"maxiter": 5, "resamplings": 4}, simulated=False)
    assert oracle.points == [2 * 4] * 5


def test_spsa_that_blocks_steps_asks_for_their_energies():
    _, oracle = minimise("spsa", {"maxiter": 5, "blocking": True, "allowed_increase": 0.1}, simulated=False)
    assert oracle.points == [1] + [2, 1] * 5 + [1]


@pytest.mark.parametrize(
    "options",
    [{"resamplings": 3}, {"resamplings": 2, "perturbation_dims": 1}, {"resamplings": 2, "second_order": True}],
)
def test_asking_at_once_changes_no_step(options):
    """The library's own SPSA, which asks for one direction after the other, goes to the same points."""
    found = []
    for kind in (JointSPSA, SPSA):
        algorithm_globals.random_seed = 7
        optimizer = kind(**(SPSA_DEFAULTS | {"maxiter": 7} | options))
        optimizer.set_max_evals_grouped(100)
        found.append(optimizer.minimize(lambda points: energy(np.atleast_2d(points)), START))
    np.testing.assert_allclose(found[0].x, found[1].x, rtol=0, atol=1e-12)
    assert found[0].nfev == found[1].nfev


def test_more_directions_make_a_better_step():
    """The mean of K estimates has a K-th of the variance that one has."""
    spread = []
    for count in (1, 9):
        optimizer = JointSPSA(**SPSA_DEFAULTS, resamplings=count)
        optimizer._nfev = 0
        found = [optimizer._point_estimate(energy, START, 1e-3, count)[1] for _ in range(400)]
        spread.append(np.var(found, axis=0).sum())
    # the ratio of two variances of 400 draws in two directions scatters by about 10 %
    assert 9 * 0.6 < spread[0] / spread[1] < 9 * 1.6


@pytest.mark.parametrize("name", ["cobyla", "spsa", "l_bfgs_b"])
def test_many_starts_side_by_side_end_as_each_alone(name):
    starts = [START, START + 0.3, START - 0.7]
    shuffles = [_Shuffle(Seeds(3), RequestKey("train", 0)) for _ in range(4)]
    together, _ = minimise(name, simulated=True, starts=starts, shuffle=shuffles[3])
    for start, shuffle, (point, num_evaluations) in zip(starts, shuffles, together, strict=False):
        ((alone, asked_alone),), _ = minimise(name, simulated=True, starts=[start], shuffle=shuffle)
        assert np.array_equal(point, alone)
        assert num_evaluations == asked_alone


def perturbed_ends(seed, step, before):
    algorithm_globals.random_seed = before
    shuffle = _Shuffle(Seeds(seed), RequestKey("train", step))
    return [point for point, _ in minimise("spsa", {"maxiter": 60}, simulated=False, shuffle=shuffle)[0]]


def test_reseeding_before_every_turn_makes_runs_repeat():
    once = perturbed_ends(1, 0, before=11)
    assert np.array_equal(once, perturbed_ends(1, 0, before=12))
    assert not np.array_equal(once, perturbed_ends(2, 0, before=11))
    assert not np.array_equal(once, perturbed_ends(1, 1, before=11))


def test_states_of_a_batch_are_perturbed_in_the_same_directions():
    class Watching(Oracle):
        def answer(self, requests):
            pairs = [request.content for request in requests if len(request.content) == 2]
            steps.append([pair[0] - pair[1] for pair in pairs])
            return (yield from super().answer(requests))

    steps, oracle = [], Watching()
    works = [minimising_work("spsa", {"maxiter": 6}, START + shift, simulated=False) for shift in (0.0, 0.2, 0.4)]
    finish(run_in_lockstep(works, oracle.answer, _Shuffle(Seeds(0), RequestKey("train", 0))))
    turns = [turn for turn in steps if turn]
    assert len(turns) == 6
    for first, *others in turns:
        assert all(np.allclose(first, other, rtol=0, atol=1e-12) for other in others)
    assert len({tuple(np.sign(turn[0])) for turn in turns}) > 1


@pytest.mark.parametrize("name", [*NEEDS_SCIKIT_QUANT, *NEEDS_NLOPT])
def test_missing_packages_are_named_in_one_line(name):
    package = "scikit-quant" if name in NEEDS_SCIKIT_QUANT else "nlopt"
    with pytest.raises(ConfigError, match=rf"(?i)optimizer: '{name}' needs a package.*{package}") as caught:
        check_optimizer(name, {}, simulated=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("cobila", {}, r"optimizer: there is no 'cobila'; the nearest names are cobyla, "),
        ("SPSA", {}, r"optimizer: there is no 'SPSA'; the nearest names are "),
        ("", {}, r"optimizer: there is no ''"),
        ("spsa", {"maxitr": 3}, r"options: 'spsa' has no 'maxitr'; it takes maxiter, "),
        ("cobyla", {"learning_rate": 3}, r"options: 'cobyla' has no 'learning_rate'"),
        ("qnspsa", {"fidelity": 3}, r"options: 'qnspsa' has no 'fidelity'"),
        ("l_bfgs_b", {"kwargs": 3}, r"options: 'l_bfgs_b' has no 'kwargs'"),
        (BFGS, {"maxiter": 10}, r"options: 'bfgs' takes none, got maxiter"),
        # What the optimiser itself rejects, and values of the wrong type.
        ("umda", {"alpha": 3.0}, "options"),
        ("cg", {"max_evals_grouped": 0}, "options"),
        ("aqgd", {"maxiter": 10, "eta": [0.1, 0.2]}, "options"),
        ("spsa", {"maxiter": "many"}, "options"),
        ("spsa", {"learning_rate": "fast"}, "options"),
        ("cobyla", {"maxiter": "many"}, "options"),
        ("nft", {"maxiter": [3]}, "options"),
        ("gradientdescent", {"learning_rate": "fast"}, "options"),
    ],
)
def test_names_and_options_that_cannot_be_are_refused_in_one_line(name, options, words):
    with pytest.raises(ConfigError, match=words) as caught:
        check_optimizer(name, options, simulated=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", INSTALLED)
def test_the_start_that_is_given_stays_as_it_is(name):
    start = START.copy()
    work = minimising_work(name, OPTIONS.get(name, ({}, 0))[0], start, simulated=True)
    finish(run_in_lockstep([work], Oracle().answer))
    assert np.array_equal(start, START)


def test_bfgs_needs_exact_gradients():
    check_optimizer(BFGS, {}, simulated=True)
    with pytest.raises(ConfigError, match="'bfgs' needs exact gradients, which sampled energies do not give") as caught:
        check_optimizer(BFGS, {}, simulated=False)
    assert "\n" not in str(caught.value)


def test_names_are_small_letters_each_once():
    names = optimizer_names()
    assert names[0] == BFGS
    assert names == list(dict.fromkeys(name.lower() for name in names))
    assert {"spsa", "cobyla", "nft", "qnspsa", "l_bfgs_b"} <= set(names)


def test_own_options_of_spsa_replace_the_defaults():
    _, few = minimise("spsa", {"maxiter": 3}, simulated=False)
    _, usual = minimise("spsa", simulated=False)
    assert sum(few.points) == 2 * 3
    assert sum(usual.points) == 2 * SPSA_DEFAULTS["maxiter"]
