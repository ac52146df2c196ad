"""Samplers of dimod as annealers: against the exact search, in reverse, with all reads, and D-Wave's by a double."""

import os
import sys

import numpy as np
import pytest
from classical_cases import KEY, classical, family_of, gradient_by, prepared

from qep_qiskit.core.errors import ConfigError, DeviceError, ResourceError, ResultError, UnavailableError
from qep_qiskit.core.jobs import set_jobs
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.outcomes.known_states import SpinConfigurations, SpinReads
from qep_qiskit.preparation import AnnealerPreparation, CouplerLimits, ExactSearch, WarmStart
from qep_qiskit.preparation.classical import classical_energies
from qep_qiskit.preparation.ising_problems import IsingTerms
from qep_qiskit.preparation.ocean import OFFLINE, MeteredSampler, dwave_sampler, offline_sampler

dimod = pytest.importorskip("dimod")
pytest.importorskip("dwave.samplers")


def annealer(sampler="simulated_annealing", **more):
    return AnnealerPreparation(seeds=Seeds(1), sampler=sampler, **more)


@pytest.mark.parametrize("sampler", OFFLINE)
def test_every_sampler_finds_the_states_of_the_exact_search(sampler, rng):
    family, _ = family_of(*classical("lattice", rng))
    exact, found = prepared(ExactSearch(), family), prepared(annealer(sampler, reverse=False, reads=40), family)
    assert found.report.energies == pytest.approx(exact.report.energies, abs=1e-12)
    assert np.array_equal(found.states.spins, exact.states.spins)


@pytest.mark.parametrize("loss", [False, True])
def test_gradient_is_that_of_the_exact_search(loss, rng):
    cost = LossOnExpectations.on_spins((0, 2), 6) if loss else None
    problem = classical("lattice", rng, cost)
    expected = gradient_by(ExactSearch(), problem)
    assert np.abs(expected).max() > 0.1
    assert gradient_by(annealer("exact"), problem) == pytest.approx(expected, abs=1e-12)
    assert gradient_by(annealer(), problem) == pytest.approx(expected, abs=1e-12)


class Recorder:
    """A sampler that keeps what it was asked, and reads spins that are given."""

    def __init__(self, reads=None, parameters=("num_reads", "initial_states", "initial_states_generator")):
        self.parameters, self.reads, self.asked = dict.fromkeys(parameters), reads, []

    def sample(self, bqm, **options):
        self.asked.append((bqm, options))
        reads = np.ones((options.get("num_reads", 1), len(bqm.variables)), dtype=np.int8)
        return dimod.SampleSet.from_samples_bqm(reads if self.reads is None else self.reads, bqm)


def test_problems_are_what_the_samples_are(rng):
    hamiltonian, weights, inputs, targets = classical("lattice", rng)
    family, _ = family_of(hamiltonian, weights, inputs, targets, betas=np.array([0.0, 1.5]))
    sampler = Recorder()
    prepared(annealer(sampler, reads=2), family)
    problems = [bqm for bqm, _ in sampler.asked]
    assert len(problems) == 6  # three samples, free and nudged
    up = dict.fromkeys(range(6), 1)
    energies = [bqm.energy(up) for bqm in problems]
    assert energies == pytest.approx(family.coefficients().sum(axis=2).T.ravel(), abs=1e-12)


@pytest.mark.parametrize("reverse", [True, False])
def test_nudged_anneals_begin_in_the_free_state(reverse, rng):
    family, _ = family_of(*classical("lattice", rng), betas=np.array([1.5]))
    known = SpinConfigurations(spins=rng.choice([-1, 1], size=(3, 6)).astype(np.int8), energies=np.zeros(3))
    sampler = Recorder()
    found = prepared(annealer(sampler, reverse=reverse), family, WarmStart(free=known))
    begun = [options.get("initial_states") for _, options in sampler.asked]
    if not reverse:
        assert begun == [None] * 3
        return
    assert np.array_equal(np.concatenate([states for states, _ in begun]), known.spins)
    # the state of the beginning is a candidate where all reads are higher
    family_energies = family.coefficients()[:, 0]
    terms = IsingTerms.of(tuple(family.paulis))
    begin = terms.energies(family_energies, known.spins[:, None])[:, 0]
    ones = terms.energies(family_energies, np.ones((3, 1, 6), dtype=np.int8))[:, 0]
    assert found.report.energies[:, 0] == pytest.approx(np.minimum(begin, ones), abs=1e-12)


def test_nudged_states_by_reverse_anneals_are_those_by_anneals_from_anywhere(rng):
    family, _ = family_of(*classical("lattice", rng))
    both = (annealer(reverse=reverse, reads=40, reheat=1.0) for reverse in (True, False))
    states = [prepared(preparation, family).states.spins for preparation in both]
    assert np.array_equal(*states)


def test_every_reverse_anneal_begins_in_its_own_read(rng):
    """Under a nudge of nearly nothing a descent stays in the local minimum of its read, for all samples of a call."""
    family, _ = family_of(*classical("lattice", rng), betas=np.array([0.0, 1e-9]))
    found = prepared(annealer("steepest_descent", answer="mean"), family)
    free, nudged = found.states.spins.reshape(3, 2, 10, 6).transpose(1, 0, 2, 3)
    assert len(np.unique(free.reshape(-1, 6), axis=0)) > 2
    assert np.array_equal(nudged, free)


def test_all_reads_are_shots(rng):
    hamiltonian, weights, inputs, targets = classical("lattice", rng)
    family, _ = family_of(hamiltonian, weights, inputs, targets)
    hot = annealer(answer="mean", reads=50, hot_temperature=3.0, cold_temperature=3.0, reheat=1.0)
    found = prepared(hot, family)
    assert isinstance(found.states, SpinReads)
    assert found.states.spins.shape == (15, 50, 6)
    estimator = GradientEstimator(hamiltonian=hamiltonian, preparation=hot, contrast=Contrast(beta=1.0), shots=50)
    estimate, spent = run_measurements(estimator.estimate(weights, inputs, targets, KEY), VectorExecutor(Seeds(0)))
    assert np.all(estimate.variance > 0.0)
    assert spent.shots == 50 * 3 * 2  # three samples, two nudges


@pytest.mark.deep
def test_hot_reads_have_boltzmann_weights(rng):
    """Reads at one temperature: the energies are those of the Gibbs distribution."""
    hamiltonian, weights, inputs, targets = classical("lattice", rng)
    family, _ = family_of(hamiltonian, weights, inputs, targets, betas=np.zeros(1))
    reads, temperature = 4000, 1.7
    hot = annealer(answer="mean", reads=reads, sweeps=60, hot_temperature=temperature, cold_temperature=temperature)
    found = prepared(hot, family).report.energies[:, 0]
    levels = classical_energies(hamiltonian.groups, family.free)
    weight = np.exp(-(levels - levels.min(axis=1, keepdims=True)) / temperature)
    weight /= weight.sum(axis=1, keepdims=True)
    mean = (weight * levels).sum(axis=1)
    error = np.sqrt(((weight * levels**2).sum(axis=1) - mean**2) / reads)
    assert np.all(np.abs(found - mean) < 4.5 * error)


def test_reads_follow_from_the_key_and_not_from_the_jobs(rng):
    family, _ = family_of(*classical("lattice", rng))
    hot = annealer(answer="mean", hot_temperature=3.0, cold_temperature=3.0)
    first = prepared(hot, family).states.spins
    set_jobs(2)
    try:
        again = prepared(hot, family).states.spins
    finally:
        set_jobs(None)
    assert np.array_equal(first, again)
    other = AnnealerPreparation(seeds=Seeds(2), answer="mean", hot_temperature=3.0, cold_temperature=3.0)
    assert not np.array_equal(first, prepared(other, family).states.spins)


def test_a_coarse_annealer_takes_the_lowest_state_of_the_true_energies(rng):
    family, _ = family_of(*classical("lattice", rng))
    exact = prepared(ExactSearch(), family).report.energies
    coarse = prepared(annealer("steepest_descent", reads=1, limits=CouplerLimits(bits=2)), family)
    assert np.all(coarse.report.energies >= exact - 1e-12)
    assert np.any(coarse.report.energies > exact + 1e-3)


def test_samplers_of_ones_own_are_checked(rng):
    family, _ = family_of(*classical("lattice", rng))
    with pytest.raises(ConfigError, match=r"options: the sampler has no 'colour'; it takes initial_states, "):
        annealer(Recorder(), options={"colour": 1}).check()
    with pytest.raises(ResultError, match=r"reads: expected 10 reads of the sampler, got 3"):
        prepared(annealer(Recorder(np.ones((3, 6))), answer="mean"), family)
    with pytest.raises(ConfigError, match=r"sampler: expected 'simulated_annealing', .* or 'exact', got 'cold'"):
        offline_sampler("cold")


def test_a_device_stops_at_its_limit_and_its_errors_are_one_line():
    class Device(Recorder):
        def sample(self, bqm, **options):
            found = super().sample(bqm, **options)
            found.info["timing"] = {"qpu_access_time": 0.6e6}
            return found

    model = dimod.BinaryQuadraticModel({0: 1.0}, {}, 0.0, dimod.SPIN)
    metered = MeteredSampler(Device(), "ocean:dwave", 1.0)
    metered.sample(model)
    metered.sample(model)
    assert metered.seconds == pytest.approx(1.2)
    with pytest.raises(ResourceError, match=r"max_qpu_seconds: 'ocean:dwave' has used 1.2 s, and 1 s is the limit"):
        metered.sample(model)

    class Broken(Recorder):
        def sample(self, bqm, **options):
            raise RuntimeError("token DEV-1234 is no good")

    with pytest.raises(UnavailableError, match=r"'ocean:dwave' cannot be used \(RuntimeError\)") as caught:
        MeteredSampler(Broken(), "ocean:dwave", 1.0).sample(model)
    assert "DEV" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_a_token_nothing_is_asked(monkeypatch, tmp_path):
    pytest.importorskip("dwave.system")
    for name in [name for name in os.environ if name.startswith("DWAVE")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dwave.system.DWaveSampler", None)
    with pytest.raises(DeviceError, match="there is no token for D-Wave's service on this machine; set DWAVE_API_TOK"):
        dwave_sampler("dwave", most_seconds=1.0)


def test_tokens_are_refused_and_the_client_is_named(monkeypatch):
    with pytest.raises(ConfigError, match="a token would be stored in the run folder; leave it out, and set DWAVE_API"):
        dwave_sampler("dwave", most_seconds=1.0, token="secret")
    monkeypatch.setitem(sys.modules, "dwave.system", None)
    with pytest.raises(ResourceError, match="'ocean:dwave:x' needs D-Wave's client; install with pip install dwave"):
        dwave_sampler("dwave:x", most_seconds=1.0)


def test_a_double_of_d_waves_annealer_reads_states_of_the_search(monkeypatch, rng):
    """D-Wave's own double: an embedding, histograms of reads, and a reverse anneal from one state."""
    testing = pytest.importorskip("dwave.system.testing")
    asked = []

    class Double(testing.MockDWaveSampler):
        def __init__(self, solver=None):
            super().__init__(topology_type="pegasus", topology_shape=[3])

        def sample(self, bqm, **options):
            asked.append(options)
            return super().sample(bqm, **options)

    monkeypatch.setenv("DWAVE_API_TOKEN", "DEV-1234")
    monkeypatch.setattr("dwave.system.DWaveSampler", Double)
    sampler = dwave_sampler("dwave:Advantage", most_seconds=60.0)
    family, _ = family_of(*classical("lattice", rng))
    exact, found = prepared(ExactSearch(), family), prepared(annealer(sampler, reads=30), family)
    assert found.report.energies == pytest.approx(exact.report.energies, abs=1e-12)
    assert sampler.seconds > 0.0
    assert [options.get("reinitialize_state") for options in asked] == [None] * 3 + [True] * 12
