"""A network as a layer: its gradients by nudges against numerical ones, their error bars, and its adapters."""

import re
from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp
from watched import Watched

import qep_qiskit as qep

ISING = qep.IsingNetwork(graph=qep.complete(3), outputs=(1, 2), inputs=qep.ClampedInputs.all_to(2, range(3)))
FIELDS = qep.IsingNetwork(graph=qep.chain(3), outputs=(2,), inputs=qep.ClampedInputs.as_fields([0, 1]))
PAULI = qep.PauliNetwork(
    interactions=(
        qep.Interaction(operator=SparsePauliOp(["IZZ", "ZZI"]), weight="J"),
        qep.Interaction(operator=SparsePauliOp(["IIX", "IXI", "XII"], [-1.0, -0.8, -1.2])),
        qep.Interaction(operator=SparsePauliOp(["IIZ"]), weight="a", input=0),
        qep.Interaction(operator=SparsePauliOp(["IYI", "ZII"], [0.5, -0.3]), input=1),
    ),
    outputs=(0, 2),
    num_inputs=2,
)


def problem(network, samples=4, seed=0):
    rng = np.random.default_rng(seed)
    weights = 0.3 + 0.4 * rng.normal(size=network.layout.num_weights)
    return weights, rng.normal(size=(samples, network.num_inputs)), rng.normal(size=(samples, len(network.outputs)))


def central(function, array, step=1e-5):
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        shift = np.zeros_like(array)
        shift[place] = step
        found[place] = (function(array + shift) - function(array - shift)) / (2 * step)
    return found


@pytest.mark.parametrize("network", [ISING, FIELDS, PAULI], ids=["clamped", "as_fields", "pauli"])
def test_exact_gradients_are_numerical_ones(network):
    weights, inputs, upstream = problem(network)
    upstream[0] = 0.0  # a sample without upstream gradient
    upstream[1] *= 1e-6
    layer = qep.QEPLayer(network)
    found = layer.vjp(weights, inputs, upstream)
    assert np.allclose(found.weights, central(lambda w: (layer.value(w, inputs) * upstream).sum(), weights), atol=1e-5)
    by_inputs = central(lambda x: (layer.value(weights, x) * upstream).sum(), inputs)
    assert np.allclose(found.inputs, by_inputs, atol=1e-5)
    assert np.allclose(found.inputs[1], by_inputs[1], rtol=1e-3)
    assert not found.inputs[0].any()
    assert not found.weight_errors.any()


def test_observables_in_place_of_outputs():
    weights, inputs, _ = problem(ISING)
    layer = qep.QEPLayer(ISING, observables=[SparsePauliOp(["IZZ", "III"], [1.0, 0.5])])
    upstream = np.ones((4, 1))
    assert layer.num_outputs == 1
    found = layer.vjp(weights, inputs, upstream)
    assert np.allclose(found.weights, central(lambda w: layer.value(w, inputs).sum(), weights), atol=1e-5)


@pytest.mark.deep
def test_sampled_gradients_have_the_exact_mean_and_the_claimed_variance():
    weights, inputs, upstream = problem(ISING)
    upstream *= np.array([[5.0], [0.2], [1.0], [0.5]])  # variances go with the square of the upstream gradient
    layer, repeats = qep.QEPLayer(ISING, shots=100, beta=0.1), 400
    reference = qep.QEPLayer(ISING, beta=0.1).vjp(weights, inputs, upstream)
    found = [layer.vjp(weights, inputs, upstream) for _ in range(repeats)]
    for part, errors in (("weights", "weight_errors"), ("inputs", "input_errors")):
        values = np.array([getattr(gradient, part) for gradient in found])
        claimed = np.mean([getattr(gradient, errors) ** 2 for gradient in found], axis=0)
        deviations = (values.mean(axis=0) - getattr(reference, part)) / np.sqrt(claimed / repeats)
        assert np.abs(deviations).max() < 4.5
        assert np.abs(values.var(axis=0, ddof=1) / claimed - 1.0).max() < 5.0 * np.sqrt(2.0 / repeats)


def test_requests_do_not_depend_on_the_number_of_weights_and_inputs():
    watched = Watched(qep.VectorExecutor(qep.Seeds(0)))
    layer = qep.QEPLayer(ISING, shots=10, beta=0.05, executor=watched)
    weights, inputs, upstream = problem(ISING, samples=5)
    layer.value(weights, inputs)
    layer.vjp(weights, inputs, upstream)
    # the Z batch of five samples; then the Z and the X batch of five samples at two nudges
    assert watched.circuits == [5, 20]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": np.zeros(3)}, "weights: expected shape"),
        ({"inputs": np.zeros((4, 3))}, "inputs: expected shape"),
        ({"upstream": np.zeros((3, 2))}, "upstream: expected finite numbers of shape"),
        ({"upstream": np.full((4, 2), np.nan)}, "upstream: expected finite numbers of shape"),
    ],
    ids=["weights", "inputs", "shape", "nan"],
)
def test_arrays_of_another_shape_are_refused(change, message):
    weights, inputs, upstream = problem(ISING)
    with pytest.raises(qep.QepError, match=message):
        qep.QEPLayer(ISING).vjp(**({"weights": weights, "inputs": inputs, "upstream": upstream} | change))


def test_jax_differentiates_a_layer_and_compiles_it():
    jax = pytest.importorskip("jax")
    from jax.test_util import check_grads

    from qep_qiskit.jax import jax_function

    weights, inputs, _ = problem(ISING)
    with jax.enable_x64(True):
        outputs = jax_function(qep.QEPLayer(ISING))
        check_grads(outputs, (weights, inputs), order=1, modes=["rev"], atol=1e-5, rtol=1e-5)

        def loss(scale, x):
            return (outputs(weights, jax.numpy.tanh(scale * x)) ** 2).sum()

        compiled = jax.jit(jax.grad(loss))(1.5, inputs)
        assert np.isclose(compiled, central(lambda s: float(loss(s, inputs)), np.array(1.5)), atol=1e-5)


def test_torch_differentiates_a_module():
    torch = pytest.importorskip("torch")
    from qep_qiskit.torch import QEPModule

    torch.set_default_dtype(torch.float64)
    module, inputs = QEPModule(qep.QEPLayer(ISING), seed=1), torch.tensor(problem(ISING)[1], requires_grad=True)
    assert torch.autograd.gradcheck(module, (inputs,), atol=1e-5)
    module(inputs).square().sum().backward()
    weights = module.weights.detach().numpy()
    rows, layer = inputs.detach().numpy(), module.layer
    expected = central(lambda w: (layer.value(w, rows) ** 2).sum(), weights)
    assert np.allclose(module.weights.grad.numpy(), expected, atol=1e-5)


def test_the_torch_model_of_the_tutorial_has_a_gradient(capsys):
    pytest.importorskip("torch")
    page = (Path(__file__).parents[2] / "docs" / "tutorials" / "sklearn_and_jax.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```\n(import torch\n.*?)```", page, flags=re.DOTALL)
    inputs = qep.ClampedInputs.all_to(4, range(3))
    layer = qep.QEPLayer(qep.IsingNetwork(graph=qep.complete(3), outputs=(0, 1, 2), inputs=inputs))
    found = {"layer": layer}
    exec(code, found)
    assert found["model"][1].weights.grad.abs().max() > 0
    assert capsys.readouterr().out.startswith("tensor([")
