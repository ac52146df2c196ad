"""Networks of springs: coefficients, derivatives, and what they refuse."""

import numpy as np
import pytest
from oscillators import three_oscillators

from qep_qiskit.continuous.coordinate_terms import CoordinateLayout, CoordinateTerm
from qep_qiskit.continuous.coordinates import CoordinateGroup, add_coordinate_terms
from qep_qiskit.continuous.gaussian import quadratic_energies
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network import WeightInitialisation, chain, complete, from_edges

TRAINED = WeightInitialisation(mean=2.0, minimum=1e-3)


def elastic(dims, rng, **changes):
    keys = {
        "graph": complete(4),
        "outputs": (3,),
        "rest_positions": rng.normal(size=(4, dims)),
        "clamped": (0,),
        "inputs": tuple((0, axis) for axis in range(dims)),
        "springs": WeightInitialisation(distribution="uniform", low=0.5, high=2.0, minimum=1e-3),
        "rest_lengths": WeightInitialisation(distribution="uniform", low=0.5, high=1.5, minimum=0.0),
        "anchored": (1, 2, 3),
        "forces": WeightInitialisation(distribution="normal"),
        "masses": TRAINED,
    }
    return SpringNetwork(**(keys | changes))


def energy(network, weights, x, points):
    """H by its formula, momenta zero; constants of the rest lengths left out."""
    named = dict(zip(network.layout.names, weights, strict=True))
    total = 0.0
    for i, j in network.edges:
        distance = np.linalg.norm(points[i] - points[j])
        rest = named.get(f"l[{i},{j}]", 0.0)
        total += named[f"k[{i},{j}]"] * ((distance - rest) ** 2 - rest**2) / 2
    for i in network.anchored:
        total += named[f"a[{i}]"] * np.sum((points[i] - network.rest_positions[i]) ** 2) / 2
    for name, value in named.items():
        if name.startswith("f["):
            atom, _, axis = name[2:-1].partition(",")
            total -= value * points[int(atom)]["xyz".index(axis) if axis else 0]
    return total


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_coefficients_times_words_are_the_energy(dims, rng):
    network = elastic(dims, rng)
    weights, x = network.layout.initial(Seeds(1)), rng.normal(size=(1, dims))
    points = rng.normal(size=(4, dims))
    points[0] = network.rest_positions[0] + x[0]
    coefficients = network.coefficients(weights, x)[0]
    positions = network.groups[0]
    held = [place for place, word in enumerate(positions.terms) if word.kind == "component" and word.atoms == (0,)]
    assert coefficients[held] == pytest.approx(points[0])
    values = positions.values(points)
    values[held] = 0.0
    found = coefficients[: positions.num_terms] @ values
    assert found == pytest.approx(energy(network, weights, x, points))
    assert coefficients[positions.num_terms :] == pytest.approx(0.5 / weights[-3:])


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_jacobian_is_the_derivative_of_the_coefficients(dims, rng):
    network = elastic(dims, rng)
    weights, inputs = network.layout.initial(Seeds(2)), rng.normal(size=(3, dims))
    jacobian = network.jacobian(weights, inputs)
    step = 1e-6
    for number, shift in enumerate(step * np.eye(len(weights))):
        change = network.coefficients(weights + shift, inputs) - network.coefficients(weights - shift, inputs)
        expected = np.zeros_like(change)
        chosen = jacobian.weight == number
        expected[:, jacobian.term[chosen]] = jacobian.values[:, chosen]
        assert change / (2 * step) == pytest.approx(expected, abs=1e-8)


def test_slopes_and_contractions_of_words(rng):
    frame = CoordinateLayout(num_atoms=3, dims=2)
    words = (
        CoordinateTerm.component(1, 1),
        CoordinateTerm.product((0, 1), (2, 0)),
        CoordinateTerm.product((0, 1), (0, 1)),
        CoordinateTerm.square(0, 2),
        CoordinateTerm.square(1, (0.3, -0.2)),
    )
    group = CoordinateGroup(name="r", coordinate_layout=frame, terms=(*words, CoordinateTerm.distance(0, 1)))
    points, along, step = rng.normal(size=(3, 2)), rng.normal(size=(3, 2)), 1e-6
    change = group.values(points + step * along) - group.values(points - step * along)
    assert group.slopes(points, along) == pytest.approx(change / (2 * step), abs=1e-8)
    root = rng.normal(size=(6, 6))
    drawn = rng.normal(size=(6, 6)) @ root  # six points whose second moments are exact
    quadratic = CoordinateGroup(name="r", coordinate_layout=frame, terms=words)
    centred = np.concatenate([drawn, -drawn]).reshape(12, 3, 2)
    exact = quadratic.values(points + centred).mean(axis=0)
    spread = np.einsum("na,nb->ab", centred.reshape(12, 6), centred.reshape(12, 6)) / 12
    assert quadratic.values(points) + quadratic.contracted(spread) == pytest.approx(exact)


def test_clamped_atoms_are_boundary_conditions(rng):
    network = three_oscillators(clamped=(0,), inputs=((0, 0),), anchored=(1, 2), forces=None)
    weights = np.array([1.0, 0.5, 2.0, 0.7, 0.3])
    assert network.layout.names == ("k[0,1]", "k[0,2]", "k[1,2]", "a[1]", "a[2]")
    x = rng.normal(size=(4, 1))
    energies = quadratic_energies(network.groups, network.coefficients(weights, x))
    assert energies.which.tolist() == [0] * 4  # inputs are forces: one stiffness serves all samples
    assert energies.stiffness[0] == pytest.approx(np.array([[1.0 + 2.0 + 0.7, -2.0], [-2.0, 0.5 + 2.0 + 0.3]]))
    assert energies.forces == pytest.approx(x * np.array([1.0, 0.5]))


def test_variances_pull_back_with_several_terms_a_weight(rng):
    network = elastic(2, rng)
    weights, inputs = network.layout.initial(Seeds(2)), rng.normal(size=(2, 2))
    jacobian = network.jacobian(weights, inputs)
    size = sum(group.num_terms for group in network.groups)
    root = rng.normal(size=(2, size, size))
    covariance = root @ root.transpose(0, 2, 1)
    dense = np.zeros((2, len(weights), size))
    dense[:, jacobian.weight, jacobian.term] = jacobian.values
    expected = np.einsum("swt,stu,swu->sw", dense, covariance, dense)
    assert jacobian.pull_back_variance(covariance) == pytest.approx(expected)


BAD = [
    ({"anchored": ()}, "atom 0 is free to drift"),
    ({"graph": from_edges(4, [(0, 1), (2, 3)]), "anchored": (0,), "outputs": (1,)}, "atom 2 is free to drift"),
    ({"anchored": (0, 5)}, "anchored: atom 5 is out of range; there are 3 atoms, 0 to 2"),
    ({"clamped": (3,)}, "clamped: atom 3 is out of range"),
    ({"clamped": (1, 1)}, "clamped: an atom is named twice"),
    ({"clamped": (2,), "anchored": (0,)}, "outputs: atom 2 is clamped"),
    ({"inputs": ((0, 0),)}, "inputs: atom 0 is not clamped"),
    ({"clamped": (0, 1, 2), "outputs": (), "anchored": ()}, "expected an atom that moves"),
    ({"masses": WeightInitialisation(mean=-1.0)}, "masses.minimum: masses must stay positive"),
    ({"springs": WeightInitialisation(mean=1.0, minimum=0.0)}, "springs.minimum: springs must stay positive"),
    ({"output_axes": (1,)}, "output_axes: expected some of the axes 0 to 0, got [1]"),
    ({"hbar": 0.0}, "hbar: expected more than 0, got 0.0"),
    ({"rest_positions": np.zeros((2, 1))}, "rest_positions: expected a point for each of 3 atoms"),
    ({"rest_positions": np.zeros((3, 4))}, "dims: expected 1, 2 or 3"),
]


@pytest.mark.parametrize(("changes", "message"), BAD, ids=[message[:40] for _, message in BAD])
def test_bad_networks_are_refused(changes, message):
    with pytest.raises(NetworkError) as caught:
        three_oscillators(**changes)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_are_checked_against_the_atoms():
    groups = three_oscillators().groups
    with pytest.raises(NetworkError, match="atom 7 is out of range; there are 3 atoms"):
        add_coordinate_terms(groups, [CoordinateTerm.component(7)])
    with pytest.raises(NetworkError, match="expected axes and points of 1 dimensions"):
        add_coordinate_terms(groups, [CoordinateTerm.component(0, 1)])


def test_outputs_behind_clamped_atoms_are_unreached():
    network = SpringNetwork(graph=chain(5), outputs=(1, 3), clamped=(0, 2), inputs=((0, 0),), anchored=(4,))
    assert network.unreached_outputs() == (3,)


def test_masses_that_do_not_train_are_no_weights():
    fixed, trained = three_oscillators(), three_oscillators(masses=TRAINED)
    assert not any(name.startswith("m") for name in fixed.layout.names)
    assert trained.layout.names[-3:] == ("m[0]", "m[1]", "m[2]")
    assert fixed.coefficients(fixed.layout.initial(Seeds(0)), np.zeros((1, 0)))[0, -3:] == pytest.approx([0.5] * 3)


def test_some_axes_of_the_outputs_are_read(rng):
    network = elastic(3, rng, outputs=(2, 3), output_axes=(2, 0))
    assert [str(word) for form in network.output_observables for word, _ in form.terms] == ["r2z", "r2x", "r3z", "r3x"]
    assert [form.constant for form in network.output_observables] == pytest.approx(
        -network.rest_positions[[2, 2, 3, 3], [2, 0, 2, 0]]
    )
