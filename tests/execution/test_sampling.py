"""Shots from state vectors: counts and bits, independence, and one seed."""

import numpy as np
import pytest
from chi_square import LIMIT, counts_p_value, variance_p_value
from reference import random_states

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.operators import CommutingGroup, LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import GroupMeasurement, Request, RequestKey, VectorExecutor, answered, sample_vectors
from qep_qiskit.outcomes import BitMemory, Distribution, ExactMeans
from qep_qiskit.outcomes.drawing import draw_indices
from qep_qiskit.outcomes.known_states import VectorStates
from qep_qiskit.outcomes.states import PreparedStates

Z = CommutingGroup(name="Z", basis=LocalBasis("ZZZ"), masks=(1, 2, 4, 3, 7))
X = CommutingGroup(name="X", basis=LocalBasis("XXX"), masks=(1, 2, 4))


def measurement(group, states, shots):
    return GroupMeasurement(group=group, states=np.asarray(states), shots=shots)


def draw(vectors, measurements, step=0, seed=0):
    return sample_vectors(vectors, measurements, Seeds(seed), ("sampling", step)).outcomes


def as_bits(vectors, measurements, monkeypatch, **options):
    monkeypatch.setattr("qep_qiskit.outcomes.drawing._COUNTS_UP_TO_QUBITS", 0)
    found = draw(vectors, measurements, **options)
    monkeypatch.undo()
    return found


def test_exact_probabilities(rng):
    vectors = random_states(rng, 3, 8)
    found = draw(vectors, (measurement(Z, [2, 0], None),))[0]
    assert np.allclose(found.weights, np.abs(vectors[[2, 0]]) ** 2, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["counts", "bits"])
def test_shots_follow_the_probabilities(kind, rng, monkeypatch):
    vectors = random_states(rng, 2, 8)
    measurements = (measurement(Z, [0, 1], 20_000),)
    found = draw(vectors, measurements)[0] if kind == "counts" else as_bits(vectors, measurements, monkeypatch)[0]
    assert isinstance(found, Distribution if kind == "counts" else BitMemory)
    for row in range(2):
        counts = found.weights[row] if kind == "counts" else np.bincount(found.bits[row, :, 0], minlength=8)
        assert counts.sum() == 20_000
        assert counts_p_value(counts, np.abs(vectors[row]) ** 2) > LIMIT


def test_counts_and_bits_of_the_same_shots_agree(rng, monkeypatch):
    bits = as_bits(random_states(rng, 2, 8), (measurement(Z, [0, 1], 300),), monkeypatch)[0]
    weights = np.array([np.bincount(row[:, 0], minlength=8) for row in bits.bits])
    from_counts = Distribution(weights=weights, shots=300).moments(Z)
    from_bits = bits.moments(Z)
    assert np.allclose(from_counts.means, from_bits.means, rtol=0, atol=1e-12)
    assert np.allclose(from_counts.covariance, from_bits.covariance, rtol=0, atol=1e-12)


def test_wide_registers_are_bits_in_qiskit_order():
    vectors = np.zeros((1, 1 << 14))
    vectors[0, 0b10_0000_0100_0001] = 1.0
    group = CommutingGroup(name="Z", basis=LocalBasis("Z" * 14), masks=(1, 2))
    found = draw(vectors, (measurement(group, [0], 3),))[0]
    assert found.bits.shape == (1, 3, 2)
    assert found.bits[0, 0].tolist() == [0b10_0000, 0b0100_0001]
    assert found.num_qubits == 14


def test_outcomes_of_zero_probability_never_come(monkeypatch):
    vectors = np.zeros((1, 8))
    vectors[0, [1, 6]] = np.sqrt(0.5)
    bits = as_bits(vectors, (measurement(Z, [0], 5000),), monkeypatch)[0]
    assert set(bits.bits.ravel().tolist()) == {1, 6}


def test_one_shot(rng, monkeypatch):
    vectors = random_states(rng, 2, 8)
    assert draw(vectors, (measurement(Z, [0, 1], 1),))[0].weights.sum(axis=1).tolist() == [1, 1]
    assert as_bits(vectors, (measurement(Z, [0, 1], 1),), monkeypatch)[0].bits.shape == (2, 1, 1)


def test_nearly_normalised_vectors_are_sampled(rng):
    vectors = random_states(rng, 2, 8) * (1 + 1e-9)
    assert draw(vectors, (measurement(Z, [0, 1], 100),))[0].weights.sum(axis=1).tolist() == [100, 100]


def test_one_seed_and_key_give_one_result(rng):
    vectors, measurements = random_states(rng, 2, 8), (measurement(Z, [0, 1], 200), measurement(X, [1], 200))
    results = [
        [outcomes.weights.tolist() for outcomes in draw(vectors, measurements, **options)]
        for options in ({}, {}, {"step": 1}, {"seed": 1})
    ]
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert results[0] != results[3]


@pytest.mark.parametrize("kind", ["counts", "bits"])
def test_states_groups_and_steps_are_independent(kind, rng, monkeypatch):
    vectors = np.repeat(random_states(rng, 1, 8), 2, axis=0)
    twin = CommutingGroup(name="twin", basis=Z.basis, masks=Z.masks)
    measurements = (measurement(Z, [0, 1], 40), measurement(twin, [0], 40))
    sample = draw if kind == "counts" else lambda *args, **options: as_bits(*args, monkeypatch, **options)
    found = [sample(vectors, measurements, step=step) for step in range(300)]
    first, second = (np.array([outcomes[i].moments(Z).means for outcomes in found]) for i in (0, 1))
    variance = 2 * (1 - Z.expectations(vectors[0]) ** 2) / 40
    assert variance_p_value(first[:, 0] - first[:, 1], variance) > LIMIT
    assert variance_p_value(first[:, 0] - second[:, 0], variance) > LIMIT
    assert variance_p_value(first[::2, 0] - first[1::2, 0], variance) > LIMIT


def test_pieces_of_a_batch_have_random_streams_of_their_own(rng, monkeypatch):
    """The first piece is drawn as if it were alone, and equal states of different pieces independently."""
    monkeypatch.setattr("qep_qiskit.execution.sampling.states_in_piece", lambda num_qubits: 2)
    vectors = np.repeat(random_states(rng, 1, 8), 6, axis=0)
    order = [5, 0, 4, 1, 3, 2]
    found = [draw(vectors, (measurement(Z, order, 40),), step=step)[0] for step in range(300)]
    first = draw(vectors[:2], (measurement(Z, [0, 1], 40),), step=299)[0]
    assert np.array_equal(found[-1].weights[[1, 3]], first.weights)
    means = np.array([outcomes.moments(Z).means for outcomes in found])
    variance = 2 * (1 - Z.expectations(vectors[0]) ** 2) / 40
    for one, other in [(1, 4), (3, 5), (2, 5)]:  # equal places in their pieces
        assert variance_p_value(means[:, one] - means[:, other], variance) > LIMIT


def test_vector_executor_measures_what_it_is_handed(rng):
    vectors = random_states(rng, 2, 8)
    states = VectorStates(vectors=vectors, energies=np.zeros(2), gaps=np.ones(2))
    request = Request(
        key=RequestKey("test", 3), prepared=states, measurements=(measurement(X, [1], 100), measurement(Z, [0], None))
    )
    executor = VectorExecutor(Seeds(0))
    x, z = executor.collect(executor.submit(request)).outcomes
    assert (request.num_circuits, request.num_shots) == (2, 100)
    expected = sample_vectors(vectors, request.measurements, Seeds(0), request.key.seed_words).outcomes
    assert np.array_equal(x.weights, expected[0].weights)
    assert np.array_equal(z.weights, expected[1].weights)


class Tossed(PreparedStates):
    """Another kind of states, fair coins: nothing but this class knows of it."""

    num_states, num_qubits = 2, 3

    def measured(self, group, rows, shots, generator):
        return Distribution(weights=generator.multinomial(shots, np.full((len(rows), 8), 0.125)), shots=shots)


@pytest.mark.parametrize("certain", [False, True])
def test_a_new_kind_of_states_is_one_class(certain, monkeypatch):
    monkeypatch.setattr(Tossed, "is_certain", certain)
    request = Request(key=RequestKey("test", 3), prepared=Tossed(), measurements=(measurement(X, [1], 100),))
    assert (request.num_circuits, request.num_shots) == ((0, 0) if certain else (1, 100))
    assert answered(VectorExecutor(Seeds(0)), request).outcomes[0].weights.sum() == 100
    with pytest.raises(ConfigError, match="a device runs circuits"):
        request.prepared.as_circuits()


@pytest.mark.parametrize(("num_qubits", "states", "shots"), [(1, 1, 3), (4, 65, 300), (14, 9, 40)])
def test_outcomes_are_the_places_of_random_numbers_in_cumulative_sums(num_qubits, states, shots, rng):
    probabilities = rng.dirichlet(np.full(1 << num_qubits, 0.3), size=states)
    probabilities[:, -1] = 0.0  # an outcome that never comes, also not at the end
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    shape, stream = probabilities.shape, np.random.default_rng(3)
    drawn = draw_indices(lambda part: probabilities[part].copy(), shape, shots, stream, "")
    uniform, sums = np.random.default_rng(3).random((states, shots)), np.cumsum(probabilities, axis=1)
    expected = [np.searchsorted(own, u * own[-1], side="right") for own, u in zip(sums, uniform, strict=True)]
    assert np.array_equal(drawn, expected)


class Wandering(Tossed):
    """States whose exact outcomes are drawn as well."""

    always_draws = True

    def measured(self, group, rows, shots, generator):
        return ExactMeans(means=generator.random((len(rows), group.num_terms)))


def test_random_numbers_are_there_for_exact_outcomes_that_are_drawn():
    request = Request(key=RequestKey("test", 3), prepared=Wandering(), measurements=(measurement(X, [1], None),))
    first, again = (answered(VectorExecutor(Seeds(0)), request).outcomes[0].means for _ in range(2))
    assert np.array_equal(first, again)
