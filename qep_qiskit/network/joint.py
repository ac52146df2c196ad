"""A network whose inputs count as weights, so that one contrast gives both gradients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.groups import Group
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.interface import TermJacobian
from qep_qiskit.network.linear_observables import LinearObservable
from qep_qiskit.network.weights import WeightBlock, WeightInitialisation, WeightLayout


@short_repr
@dataclass(frozen=True, kw_only=True, eq=False)
class InputsAsWeights:
    """A network with the derivatives by its inputs after those by its weights; all else is that of the network.

    Args:
        network: The network; its coefficients have derivatives by the inputs (`input_jacobian`).

    Raises:
        NetworkError: The network has no derivatives by the inputs.
    """

    network: Any

    def __post_init__(self) -> None:
        if not hasattr(self.network, "input_jacobian"):
            raise NetworkError(
                f"network: a {type(self.network).__name__} has no derivatives by its inputs; expected an Ising or a "
                "Pauli network, or one with a method input_jacobian"
            )

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return int(self.network.num_qubits)

    @property
    def num_inputs(self) -> int:
        """Length of the input vector x."""
        return int(self.network.num_inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Output spins."""
        return tuple(self.network.outputs)

    @property
    def output_observables(self) -> tuple[LinearObservable, ...]:
        """Observables of the outputs."""
        return tuple(self.network.output_observables)

    @property
    def output_squares(self) -> tuple[LinearObservable, ...]:
        """Squares of the output observables."""
        return tuple(self.network.output_squares)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Groups of H."""
        return tuple(self.network.groups)

    def groups_with(self, terms: Iterable[Any]) -> tuple[Group, ...]:
        """Return the groups, extended by the terms that a cost needs."""
        return tuple(self.network.groups_with(terms))

    @cached_property
    def layout(self) -> WeightLayout:
        """Weights of the network, then the inputs ``x[a]``."""
        names = tuple(f"x[{index}]" for index in range(self.num_inputs))
        inputs = WeightBlock(symbol="x", key="inputs", names=names, start=WeightInitialisation())
        return WeightLayout((*self.network.layout.blocks, inputs) if names else self.network.layout.blocks)

    def coefficients(self, weights: NDArray, inputs: NDArray) -> NDArray:
        """Return the coefficients of all terms, shape (samples, terms), in energy.

        Args:
            weights: Weights of the network, then numbers in the place of inputs, which are ignored; shape of `layout`.
            inputs: Shape (samples, inputs).
        """
        return np.asarray(self.network.coefficients(self._own(weights), inputs))

    def jacobian(self, weights: NDArray, inputs: NDArray) -> TermJacobian:
        """Return the derivatives of the coefficients by the weights and then by the inputs.

        Args:
            weights: Weights of the network, then numbers in the place of inputs, which are ignored; shape of `layout`.
            inputs: Shape (samples, inputs).
        """
        own: TermJacobian = self.network.jacobian(self._own(weights), inputs)
        by_input: TermJacobian = self.network.input_jacobian(self._own(weights), inputs)
        return TermJacobian(
            weight=np.concatenate([own.weight, own.num_weights + by_input.weight]),
            term=np.concatenate([own.term, by_input.term]),
            values=np.concatenate([own.values, by_input.values], axis=1),
            num_weights=own.num_weights + by_input.num_weights,
        )

    def _own(self, weights: NDArray) -> NDArray:
        return weights[: self.network.layout.num_weights]

    def unreached_outputs(self) -> tuple[int, ...]:
        """Return the outputs that no path of terms connects to any input."""
        return tuple(self.network.unreached_outputs())
