"""Convolutional networks against scipy's correlation, tied weights, copies of outputs, and the task of two patterns."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import correlate2d

from qep_qiskit.config import build, check_config, from_file
from qep_qiskit.core.errors import NetworkError, QepError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.learning import evaluate
from qep_qiskit.network import ClampedInputs, IsingNetwork, WeightInitialisation, chain
from qep_qiskit.network.convolution import Convolution

FALLING = [1, -1, -1, -1, 1, -1, -1, -1, 1]
RISING = [-1, -1, 1, -1, 1, -1, 1, -1, -1]


def task_file(folder, image=9):
    rows = [(FALLING[:image], 1, -1), (RISING[:image], -1, 1)]
    lines = [",".join([*(f"p{k}" for k in range(image)), "falling", "rising"])]
    lines += [",".join(map(str, [*pixels, *targets])) for pixels, *targets in rows]
    (folder / "patterns.csv").write_text("\n".join(lines) + "\n")
    return {
        "kind": "csv",
        "file": str(folder / "patterns.csv"),
        "inputs": [f"p{k}" for k in range(image)],
        "targets": ["falling", "rising"],
        "scaling": "none",
        "target_scaling": "none",
        "test_fraction": 0.0,
    }


def experiment(folder, image=9, **sections):
    network = {"kind": "classical_ising", "graph": "convolution", "image": [3, image // 3], "copies": 2}
    content = {
        "seed": 2,
        "task": task_file(folder, image),
        "network": network | sections.pop("network", {}),
        "preparation": {"kind": "annealing", "sweeps": 30, "restarts": 4},
        "cost": {"kind": "loss"},
        "contrast": {"kind": "symmetric", "beta": 1.0},
        "update": {"kind": "gradient_descent", "learning_rate": 0.1},
        "training": {"epochs": 20, "batch_size": 1},
    }
    return build(check_config(content | sections, "run.toml"))


@pytest.mark.parametrize(
    ("image", "size", "stride", "pooling"), [((3, 3), 2, 1, 2), ((4, 3), 2, 1, 1), ((5, 7), 3, 2, 1), ((6, 4), 3, 1, 2)]
)
def test_energy_is_that_of_a_correlation(image, size, stride, pooling, rng):
    plan = Convolution(image=image, filters=3, filter_size=size, stride=stride, pooling=pooling, outputs=2)
    network = plan.network(fields=None)
    pixels = rng.normal(size=image)
    weights = rng.normal(size=network.layout.num_weights)
    named = dict(zip(network.layout.names, weights.tolist(), strict=True))
    spins = rng.choice([-1.0, 1.0], network.num_qubits)
    rows, columns = plan.map_shape
    maps = spins[: plan.num_map_spins].reshape(3, rows, columns)
    energy = 0.0
    for number, one in enumerate(maps):
        kernel = np.array([[named[f"K[{number},{i},{j}]"] for j in range(size)] for i in range(size)])
        drive = correlate2d(pixels, kernel, mode="valid")[::stride, ::stride] + named[f"b[map {number}]"]
        energy -= (one * drive).sum()
    for spin in range(plan.num_map_spins, network.num_qubits):
        energy -= named[f"b[{spin}]"] * spins[spin]
    energy -= sum(named[f"J[{j},{k}]"] * spins[j] * spins[k] for j, k in plan.graph.edges)
    signs = [np.prod([spins[qubit] for qubit, _ in string.factors]) for string in network.terms]
    assert network.coefficients(weights, pixels.reshape(1, -1))[0] @ signs == pytest.approx(energy, abs=1e-10)
    if pooling > 1:
        taken = np.zeros((plan.num_pooling_spins, plan.num_map_spins))
        for j, k in plan.pooling_edges:
            taken[k - plan.num_map_spins, j] = plan.pooling_coupling
        windows = maps.reshape(3, rows // pooling, pooling, columns // pooling, pooling).mean(axis=(2, 4))
        assert taken @ spins[: plan.num_map_spins] == pytest.approx(windows.ravel(), abs=1e-12)


def test_tied_weights_have_the_summed_derivative(rng):
    ties = {"J[0,1]": "J", "J[1,2]": "J", "W[0,0]": "K", "W[1,2]": "K", "h[0]": "h", "h[2]": "h"}
    inputs = ClampedInputs(count=2, links=((0, 0), (1, 2), (1, 1)))
    network = IsingNetwork(graph=chain(3), outputs=(2,), inputs=inputs, ties=ties)
    assert network.layout.names == ("J", "h", "h[1]", "b[0]", "b[1]", "b[2]", "K", "W[1,1]")
    weights, x = rng.normal(size=8), rng.normal(size=(1, 2))
    probe = rng.normal(size=(1, len(network.terms)))
    by_hand = [
        float((probe * (network.coefficients(weights + step, x) - network.coefficients(weights, x))).sum())
        for step in np.eye(8)
    ]
    assert network.jacobian(weights, x).pull_back(probe)[0] == pytest.approx(by_hand, abs=1e-12)
    for index in range(8):
        step = network.hamiltonian(weights + np.eye(8)[index], x[0]) - network.hamiltonian(weights, x[0])
        assert np.abs((step - network.interaction(index, x[0])).to_matrix()).max() < 1e-12
    eps = np.array([[0.3, -0.2]])
    moved = network.coefficients(weights, x + eps) - network.coefficients(weights, x)
    entries = network.input_jacobian(weights, x)
    assert entries.pull_back(probe)[0] @ eps[0] == pytest.approx(float((probe * moved).sum()), abs=1e-12)


def test_outputs_are_means_of_copies():
    network = IsingNetwork(graph=chain(5), outputs=(4, 1, 2, 3), copies=2)
    matrices = []
    for part in (*network.output_observables, *network.output_squares):
        diagonal = np.full(32, part.constant)
        for string, value in part.terms:
            diagonal += value * np.prod([1 - 2 * (np.arange(32) >> qubit & 1) for qubit, _ in string.factors], axis=0)
        matrices.append(diagonal)
    z = [1 - 2 * (np.arange(32) >> qubit & 1) for qubit in range(5)]
    assert np.array_equal(matrices[0], (z[4] + z[1]) / 2)
    assert np.array_equal(matrices[1], (z[2] + z[3]) / 2)
    assert np.array_equal(matrices[2:], [matrices[0] ** 2, matrices[1] ** 2])


@pytest.mark.deep
def test_two_patterns_are_learned(tmp_path):
    """Laydevant's task: 3x3 pixels, four filters of 2x2, pooling with couplings of 1/4, two outputs twice."""
    made = experiment(tmp_path)
    names = made.network.layout.names
    assert (made.network.num_qubits, made.network.outputs) == (24, (20, 21, 22, 23))
    held = [name for name, trains in zip(names, made.network.layout.trainable(), strict=True) if not trains]
    assert held == [
        *(f"J[{4 * k + i},{16 + k}]" for k in range(4) for i in range(4)),
        *(f"b[{k}]" for k in range(16, 20)),
    ]
    trainer = made.trainer()
    trainer.run()
    by_name = dict(zip(names, trainer.weights.tolist(), strict=True))
    assert {by_name[name] for name in held} == {0.25, 0.0}
    data = made.task.train
    found = evaluate(made.estimator, made.executor, trainer.weights, data, purpose="test", index=0)
    assert np.array_equal(found.outputs, data.targets)


def test_a_quantum_network_with_equal_weights_in_place_of_ties_is_the_same(tmp_path):
    network = {"kind": "ising", "filters": 1, "pooling": 1, "copies": 1}
    made = experiment(tmp_path, image=6, network=network, preparation={"kind": "exact"}, contrast={"beta": 1e-3})
    tied = made.network
    assert tied.num_qubits == 4
    free = replace(tied, ties={}, biases=replace(tied.biases, frozen=False))
    weights = tied.layout.initial(Seeds(3))
    at = dict(zip(tied.layout.names, weights.tolist(), strict=True))
    plain = np.array([at[tied.ties.get(name, name)] for name in free.layout.names])
    x = made.task.train.inputs
    assert tied.coefficients(weights, x) == pytest.approx(free.coefficients(plain, x), abs=1e-12)


def test_a_pauli_network_has_the_convolution_of_the_ising_network(tmp_path):
    """The same weights by name give the same Hamiltonian, once the fields of the spins are terms of its own."""
    keys = {"graph": "convolution", "filters": 2, "image": [3, 3], "copies": 2}
    states = {"preparation": {"kind": "exact"}, "contrast": {"beta": 0.1}}
    fields = [{"pauli": f"-X{spin}", "weight": "h"} for spin in range(14)]
    pauli = experiment(tmp_path, network=keys | {"kind": "pauli", "terms": fields}, **states).network
    ising = experiment(tmp_path, network=keys | {"kind": "ising", "biases": {"enabled": False}}, **states).network
    assert (pauli.num_qubits, pauli.outputs, pauli.copies) == (14, ising.outputs, 2)
    weights = pauli.layout.initial(Seeds(5))
    at = dict(zip(pauli.layout.names, weights.tolist(), strict=True))
    same = [
        at["h"] if name[0] == "h" else at.get(name, plain)
        for name, plain in zip(ising.layout.names, ising.layout.initial(Seeds(5)), strict=True)
    ]
    x = np.array(FALLING) * 0.3
    difference = pauli.hamiltonian(weights, x) - ising.hamiltonian(np.array(same), x)
    assert np.abs(difference.simplify().coeffs).max() < 1e-12
    assert pauli.interaction("K[1,0,1]", x).equiv(ising.interaction("K[1,0,1]", x))


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({"graph": "convolution"}, "network.image: this key is missing; graph = 'convolution' needs it"),
        ({"graph": "convolution", "image": [3, 3], "num_spins": 14}, "network.num_spins: does not go with graph"),
        ({}, "network.num_spins: this key is missing"),
        ({"num_spins": 2, "stride": 1}, "network.stride: goes with graph = 'convolution'"),
    ],
)
def test_keys_of_pauli_networks_with_filters(tmp_path, network, message):
    content = {
        "task": task_file(tmp_path),
        "network": {"kind": "pauli", "terms": [{"pauli": "X0", "weight": "h"}]} | network,
    }
    with pytest.raises(QepError, match=message):
        build(check_config(content, "run.toml"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"filter_size": 4}, "filter_size: expected at most the image, 3; got 4"),
        ({"pooling": 3}, "pooling: expected a divisor of the map, 2 x 2 spins; got 3"),
        ({"stride": 0}, "stride: expected at least 1, got 0"),
    ],
)
def test_plans_that_do_not_fit(options, message):
    with pytest.raises(NetworkError, match=message):
        Convolution(image=(3, 3), outputs=2, **options)


def test_a_list_of_values_is_refused_where_some_are_held():
    plan = Convolution(image=(3, 3), outputs=2)
    with pytest.raises(NetworkError, match=r"couplings\.values: a convolution holds some of them"):
        plan.network(couplings=WeightInitialisation(values=[0.1] * 24))


def test_a_value_of_a_held_weight_is_refused():
    plan = Convolution(image=(3, 3), outputs=2)
    with pytest.raises(NetworkError, match=r"couplings\.values: J\[0,16\] is held at 0\.25 by the pooling"):
        plan.network(couplings=WeightInitialisation(values={"J[0,16]": 0.9}))
    with pytest.raises(NetworkError, match=r"biases\.values: b\[16\] is held at 0 by the pooling"):
        plan.network(biases=WeightInitialisation(values={"b[16]": 0.9}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"copies": 2}, "copies: expected a divisor of the number of outputs, 1; got 2"),
        ({"ties": {"J[0,2]": "J"}}, r"ties: no weight J\[0,2\]"),
    ],
)
def test_bad_ties_and_copies(options, message):
    with pytest.raises(NetworkError, match=message):
        IsingNetwork(graph=chain(3), outputs=(2,), **options)


@pytest.mark.deep
def test_shipped_settings_learn_two_patterns():
    """Each copy held at its target by a fixed field, one-sided nudges, filters that start at random."""
    run = from_file("configs/patterns.toml", ["seed=3", "preparation.restarts=16"])
    trainer, data = run.trainer(callbacks=()), run.task.train
    trainer.run()
    found = evaluate(run.estimator, run.executor, trainer.weights, data, purpose="test", index=0)
    assert np.array_equal(found.outputs, data.targets)
