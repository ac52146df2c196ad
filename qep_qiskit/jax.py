"""A network as a differentiable JAX function (extra ``jax``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from qep_qiskit.learning.layer import QEPLayer


def jax_function(layer: QEPLayer) -> Callable[[Any, Any], Any]:
    """Return the outputs of a layer as a JAX function of weights and inputs, with the gradient by nudges.

    The function works under `jax.jit` and `jax.grad`, through a callback to the host. Samples are a batch axis of the
    function itself, so `jax.vmap` is not needed and not supported.

    Args:
        layer: The layer.

    Returns:
        Function from weights, shape (weights,), and inputs, shape (samples, inputs), to outputs, shape (samples,
        outputs).

    Example:
        >>> import jax
        >>> from qep_qiskit.jax import jax_function
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(1, [0, 1]))
        >>> layer = qep.QEPLayer(network)
        >>> outputs, weights = jax_function(layer), layer.initial_weights()
        >>> jax.grad(lambda w: outputs(w, np.array([[0.5]])).sum())(weights).shape
        (7,)
    """

    @jax.custom_vjp
    def outputs(weights: Any, inputs: Any) -> Any:
        weights, inputs = jnp.asarray(weights), jnp.asarray(inputs)
        shape = jax.ShapeDtypeStruct((inputs.shape[0], layer.num_outputs), inputs.dtype)
        return jax.pure_callback(lambda w, x: layer.value(w, x).astype(x.dtype), shape, weights, inputs)

    def forward(weights: Any, inputs: Any) -> tuple[Any, tuple[Any, Any]]:
        return outputs(weights, inputs), (weights, inputs)

    def backward(kept: tuple[Any, Any], upstream: Any) -> tuple[Any, Any]:
        weights, inputs = map(jnp.asarray, kept)
        shapes = tuple(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (weights, inputs))

        def measured(w: Any, x: Any, g: Any) -> tuple[np.ndarray, np.ndarray]:
            found = layer.vjp(w, x, g)
            return found.weights.astype(w.dtype), found.inputs.astype(x.dtype)

        return jax.pure_callback(measured, shapes, weights, inputs, upstream)

    outputs.defvjp(forward, backward)
    return outputs
