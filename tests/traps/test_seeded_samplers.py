"""Trap 1 through what a user hands over: fixed seeds are refused where they can be seen, and noticed where not."""

import numpy as np
import odd_backends as odd
import pytest
from cases import NO_INPUTS, random_network
from odd_backends import OddBackend
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2, StatevectorSampler
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2
from scipy.stats import multinomial

from qep_qiskit.core.errors import ConfigError, ResultError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, SamplerExecutor
from qep_qiskit.execution.repeats import Repeats, _log_chance_of_agreement, _Row
from qep_qiskit.network import chain
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import AdiabaticPreparation


def runtime_sampler(**simulator):
    executor_sampler = pytest.importorskip("qiskit_ibm_runtime.executor_sampler")
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    return executor_sampler.Sampler(mode=fake_provider.FakeManilaV2(), options={"simulator": simulator})


SEEDED = {
    "seed": lambda: SamplerV2(seed=42),
    "seed of numpy's": lambda: StatevectorSampler(seed=np.int64(3)),
    "options.backend_options.seed_simulator": lambda: SamplerV2(options={"backend_options": {"seed_simulator": 42}}),
    "options.run_options.seed_simulator": lambda: SamplerV2(options={"run_options": {"seed_simulator": 42}}),
    "backend.options.seed_simulator": lambda: SamplerV2.from_backend(AerSimulator(seed_simulator=0)),
    "options.seed_simulator": lambda: BackendSamplerV2(backend=AerSimulator(), options={"seed_simulator": 42}),
    "options.run_options.seed": lambda: BackendSamplerV2(backend=AerSimulator(), options={"run_options": {"seed": 1}}),
    "options.simulator.seed_simulator": lambda: runtime_sampler(seed_simulator=42),
}
UNSEEDED = {
    "nothing": SamplerV2,
    "a generator": lambda: StatevectorSampler(seed=np.random.default_rng(5)),
    "other options": lambda: SamplerV2(options={"backend_options": {"method": "statevector"}, "run_options": {}}),
    "a backend": lambda: BackendSamplerV2(backend=AerSimulator()),
    "a device": runtime_sampler,
}


@pytest.mark.parametrize("where", SEEDED)
def test_a_seed_in_sight_is_refused_by_its_name(where):
    key = where.split()[0]
    with pytest.raises(ConfigError, match=f"an integer seed makes every call .* take it out of its {key},"):
        SamplerExecutor(SEEDED[where](), Seeds(0))


@pytest.mark.parametrize("name", UNSEEDED)
def test_no_seed_is_no_reason(name):
    SamplerExecutor(UNSEEDED[name](), Seeds(0))


def test_a_backend_is_given_seeds_whatever_it_has():
    executor = SamplerExecutor(AerSimulator(seed_simulator=42), Seeds(0))
    one, other = (sampled(executor, step) for step in (0, 1))
    assert not np.array_equal(one.bits, other.bits)


class Opaque(BaseSamplerV2):
    """A sampler with a seed that nobody can see."""

    def run(self, pubs, *, shots=None):
        return SamplerV2(seed=42).run(pubs, shots=shots)


NETWORK, WEIGHTS = random_network(chain(3), np.random.default_rng(1))
PROGRAM = AdiabaticPreparation(total_time=1.5, steps=3).program(NETWORK.groups)


def sampled(executor, step, shots=200, scale=1.0, states=2):
    rows = NETWORK.coefficients(WEIGHTS * scale, NO_INPUTS) * np.linspace(0.9, 1.1, states)[:, None]
    measurements = tuple(
        GroupMeasurement(group=group, states=np.arange(states), shots=shots) for group in NETWORK.groups
    )
    prepared = CircuitStates(program=PROGRAM, parameters=rows)
    request = Request(key=RequestKey("train", step), prepared=prepared, measurements=measurements)
    return executor.collect(executor.submit(request)).outcomes[0]


@pytest.mark.parametrize("states", [1, 2])
@pytest.mark.parametrize(
    "target",
    [Opaque, lambda: OddBackend(seed=7), lambda: OddBackend(odd.counts_only, seed=7)],
    ids=["sampler", "backend", "counts"],
)
def test_two_requests_with_equal_bits_are_an_error(target, states):
    executor = SamplerExecutor(target(), Seeds(0))
    first = sampled(executor, 0, states=states, shots=2000)
    assert np.array_equal(np.sort(sampled(executor, 0, states=states, shots=2000).bits), np.sort(first.bits))
    with pytest.raises(ResultError, match=r"'train 1 .*' repeat the random numbers of 'train 0 .*'"):
        sampled(executor, 1, states=states, shots=2000)


def test_states_that_change_do_not_hide_a_seed_for_long():
    """Weights move from step to step, so that bits are not equal; shots agree too often all the same."""
    executor = SamplerExecutor(Opaque(), Seeds(0))
    for step in range(4):
        sampled(executor, step, scale=1.0 + 0.05 * step, shots=100)
    with pytest.raises(ResultError, match="there is a fixed seed somewhere"):
        sampled(executor, 4, scale=1.2, shots=100)


def test_a_sampler_factory_that_takes_no_seed_is_noticed():
    executor = SamplerExecutor(AerSimulator(), Seeds(0), sampler_factory=lambda seed: SamplerV2(seed=3))
    sampled(executor, 0)
    with pytest.raises(ResultError, match="there is a fixed seed somewhere"):
        sampled(executor, 1)
    executor = SamplerExecutor(AerSimulator(), Seeds(0), sampler_factory=lambda seed: SamplerV2(seed=seed))
    for step in range(8):
        sampled(executor, step)


@pytest.mark.parametrize("shots", [1, 2, 5, 20])
@pytest.mark.parametrize("probabilities", [[1.0, 0.0], [0.5, 0.5], [0.99, 0.01], [0.25] * 4], ids=str)
def test_independent_shots_are_never_called_repeats(shots, probabilities, rng):
    """Few shots and outcomes that are almost certain are equal by chance, in hundreds of requests."""
    repeats = Repeats("fair")
    for step in range(400):
        bits = rng.choice(len(probabilities), (4, shots, 1), p=probabilities).astype(np.uint8)
        repeats.require_new(("sampling", "train", step), {("Z",): bits})


def test_sorted_shots_are_compared_by_their_counts(rng):
    """A backend that sorts its shots has the same order in every call, and that is no seed."""
    repeats = Repeats("sorted")
    for step in range(50):
        bits = np.sort(rng.integers(0, 4, (2, 100, 1)), axis=1).astype(np.uint8)
        repeats.require_new(("sampling", "train", step), {("Z",): bits})


def test_chances_are_bounds(rng):
    for _ in range(50):
        shots = rng.integers(0, 4, rng.integers(2, 30))
        counts = np.bincount(shots, minlength=4)
        row = _Row.of(shots)
        for p in rng.dirichlet(np.ones(4), 50):
            assert np.log(p[shots]).sum() <= row.log_chance + 1e-9
            assert multinomial.logpmf(counts, len(shots), p) <= row.log_chance_of_counts + 1e-9
    pairs = rng.choice(3, (4000, 2, 60), p=[0.6, 0.3, 0.1])
    bounds = np.array([_log_chance_of_agreement(*pair) for pair in pairs])
    for level in (-1.0, -2.0, -4.0):
        assert np.mean(bounds < level) <= np.exp(level)
