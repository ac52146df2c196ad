"""A network as a PyTorch module (needs torch)."""

from __future__ import annotations

from typing import Any

import torch

from qep_qiskit.learning.layer import QEPLayer


class _Outputs(torch.autograd.Function):
    """Outputs of a layer, whose gradient is measured with nudged states."""

    @staticmethod
    def forward(context: Any, weights: Any, inputs: Any, layer: QEPLayer) -> Any:
        context.save_for_backward(weights, inputs)
        context.layer = layer
        found = layer.value(weights.detach().cpu().numpy(), inputs.detach().cpu().numpy())
        return torch.as_tensor(found, dtype=inputs.dtype, device=inputs.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, upstream: Any) -> Any:
        weights, inputs = context.saved_tensors
        arrays = (array.detach().cpu().numpy() for array in (weights, inputs, upstream))
        found = context.layer.vjp(*arrays)
        by_weight = torch.as_tensor(found.weights, dtype=weights.dtype, device=weights.device)
        return by_weight, torch.as_tensor(found.inputs, dtype=inputs.dtype, device=inputs.device), None


class QEPModule(torch.nn.Module):
    """A layer as a PyTorch module: its weights are the parameter ``weights``.

    Args:
        layer: The layer.
        seed: Seed of the initial weights.

    Example: with torch installed,
        ``model = torch.nn.Sequential(torch.nn.Linear(64, 6), QEPModule(layer), torch.nn.Linear(6, 10))``.
    """

    def __init__(self, layer: QEPLayer, seed: int = 0) -> None:
        super().__init__()
        self.layer = layer
        self.weights = torch.nn.Parameter(torch.as_tensor(layer.initial_weights(seed), dtype=torch.get_default_dtype()))

    def forward(self, inputs: Any) -> Any:
        """Return the outputs, shape (samples, outputs).

        Args:
            inputs: Shape (samples, inputs).
        """
        return _Outputs.apply(self.weights, inputs, self.layer)
