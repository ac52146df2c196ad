"""Costs on spins and atoms.

* `OperatorCost`: the nudge is known before any measurement; beta C(y) is added to H (Scellier 2024, equation of the
  nudged Hamiltonian).
* `LossOnExpectations`: the nudge consists of error signals eps_o = dL/d<O_o> measured in the free phase;
  beta sum_o eps_o O_o is added to H (Wanjura & Marquardt 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.observables import OperatorLike, hermitian, pauli_strings
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.batch_losses import BatchLoss
from qep_qiskit.network.checked_loss import CheckedLoss, check_derivatives, loss_name
from qep_qiskit.network.checks import check_copies
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.cost_terms import CostTerm, check_terms
from qep_qiskit.network.interface import Network
from qep_qiskit.network.linear_observables import LinearObservable, Term, all_terms, matrix_of
from qep_qiskit.network.loss_of_copies import LossOfCopies
from qep_qiskit.network.losses import Loss, SquaredError

_IDENTITY = PauliString(())


@short_repr
@dataclass(frozen=True, slots=True, eq=False)
class OperatorCost(Cost):
    """An observable C(y) whose coefficients depend on y; beta C(y) is added to H (Scellier 2024, arXiv:2406.00879).

    Args:
        terms: The Pauli strings that C may contain, without constants.
        num_qubits: Number of qubits; zero where the terms are functions of positions, which their network checks.
        expand: Function from targets (samples, targets) to (coefficients (samples, terms), constants (samples,)).
        num_targets: Number of targets where each is the value that an output should take; otherwise None.

    Example:
        >>> qep.OperatorCost.squared_error([0], num_qubits=1).operator(y=[0.5])
        SparsePauliOp(['Z', 'I'],
                      coeffs=[-1.  +0.j,  1.25+0.j])
    """

    has_signals: ClassVar[bool] = False
    terms: tuple[Term, ...]
    num_qubits: int
    expand: Callable[[NDArray], tuple[NDArray, NDArray]]
    num_targets: int | None = None

    @property
    def compares_outputs(self) -> bool:
        """Whether targets are values that the outputs should take."""
        return self.num_targets is not None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of qubits that the cost is defined for."""
        return (self.num_qubits,)

    @classmethod
    def from_terms(cls, terms: Sequence[CostTerm], num_qubits: int) -> OperatorCost:
        """Return a cost that is affine in y, from its terms.

        Args:
            terms: The terms.
            num_qubits: Number of qubits.

        Raises:
            NetworkError: There is no term, or a term acts on a qubit out of range.
        """
        strings = tuple(dict.fromkeys(term.string for term in terms if not term.string.is_identity))
        check_terms(strings, num_qubits)
        index = {string: position for position, string in enumerate(strings)}

        def expand(targets: NDArray) -> tuple[NDArray, NDArray]:
            coefficients = np.zeros((targets.shape[0], len(strings)))
            constants = np.zeros(targets.shape[0])
            for term in terms:
                factor = 1.0 if term.target is None else targets[:, term.target]
                if term.string.is_identity:
                    constants += term.coefficient * factor
                else:
                    coefficients[:, index[term.string]] += term.coefficient * factor
            return coefficients, constants

        return cls(strings, num_qubits, expand)

    @classmethod
    def from_operator(cls, operator: OperatorLike) -> OperatorCost:
        """Return a cost that is a fixed observable, without targets."""
        pairs = pauli_strings(operator, "cost")
        terms = [CostTerm(string=string, coefficient=value) for string, value in pairs]
        return cls.from_terms(terms, int(operator.num_qubits))

    @classmethod
    def from_function(
        cls, function: Callable[[NDArray], OperatorLike], targets: NDArray, num_qubits: int
    ) -> OperatorCost:
        """Return a cost from an observable given as a function of one target vector.

        Args:
            function: Function from a target vector (targets,) to C(y).
            targets: Shape (samples, targets): all targets of the data, which determine the Pauli strings.
            num_qubits: Number of qubits.
        """
        found = dict.fromkeys(
            string for y in targets for string, _ in pauli_strings(function(y), "cost") if string.factors
        )
        terms = tuple(found)
        check_terms(terms, num_qubits)

        def expand(batch: NDArray) -> tuple[NDArray, NDArray]:
            rows = [dict(pauli_strings(function(y), "cost")) for y in batch]
            if any(string.factors and string not in found for row in rows for string in row):
                raise NetworkError("operator cost: a target gives a Pauli string that no known target gave")
            table = [[row.get(string, 0.0) for string in (*terms, _IDENTITY)] for row in rows]
            full = np.array(table).reshape(len(rows), len(terms) + 1)
            return full[:, :-1], full[:, -1]

        return cls(terms, num_qubits, expand)

    @classmethod
    def squared_error(cls, outputs: Sequence[int], num_qubits: int) -> OperatorCost:
        """Return C = sum_o (Z_o - y_o)^2 = sum_o (1 + y_o^2 - 2 y_o Z_o), which is linear in Z_o.

        Args:
            outputs: Output spins.
            num_qubits: Number of qubits.
        """
        terms = tuple(PauliString.of("Z", spin) for spin in outputs)
        check_terms(terms, num_qubits)

        def expand(targets: NDArray) -> tuple[NDArray, NDArray]:
            return -2.0 * targets, np.sum(1.0 + targets**2, axis=1)

        return cls(terms, num_qubits, expand, len(terms))

    @classmethod
    def squared_error_of(cls, network: Network) -> OperatorCost:
        """Return C = sum_o (O_o - y_o)^2 over the outputs O_o of a network: spins, with O_o^2 = 1, or positions."""
        outputs, squares = network.output_observables, network.output_squares
        if not outputs:
            raise NetworkError("outputs: expected at least one output spin or atom")
        terms = all_terms([*squares, *outputs])
        linear, constants = matrix_of(outputs, terms)
        curved, constant = (part.sum(axis=0) for part in matrix_of(squares, terms))

        def expand(targets: NDArray) -> tuple[NDArray, NDArray]:
            return curved - 2.0 * targets @ linear, constant + np.sum(targets * (targets - 2.0 * constants), axis=1)

        return cls(terms, network.num_qubits, expand, len(outputs))

    def observable(self, targets: NDArray) -> tuple[NDArray, NDArray]:
        """Return coefficients (samples, terms) and constants (samples,) of C(y)."""
        return self.expand(targets)

    def operator(self, y: NDArray | Sequence[float] = ()) -> SparsePauliOp:
        """Return C(y) as a SparsePauliOp."""
        coefficients, constants = self.expand(np.asarray(y, dtype=float)[None, :])
        pairs: list[tuple[Any, float]] = [*zip(self.terms, coefficients[0], strict=True), (_IDENTITY, constants[0])]
        return sparse_pauli_op([pair for pair in pairs if pair[1] != 0.0], self.num_qubits)


@short_repr
@dataclass(frozen=True, eq=False)
class LossOnExpectations(Cost):
    """A loss of the expectations of output observables.

    Args:
        observables: One per output: an operator (stored as a SparsePauliOp), or a linear observable of any terms.
        loss: The loss of a sample, or of a batch; the squared error by default.
        name: Name of the loss in messages; by default the name of its function or class.
        batch_size: With a loss of a batch, the samples of each of several batches that follow each other; None where
            all samples are one batch.
        copies: Number of successive observables that are copies of one output, see `LossOfCopies`.

    Attributes:
        terms: All Pauli strings of the observables, without constants.

    Raises:
        NetworkError: An operator is not Hermitian or not finite, or copies do not go with observables or loss.

    Example:
        >>> cost = qep.LossOnExpectations.on_spins([1], num_qubits=2)
        >>> cost.operator(y=[1.0], expectations=[0.25])
        SparsePauliOp(['ZI'],
                      coeffs=[-1.5+0.j])
    """

    has_signals: ClassVar[bool] = True
    observables: tuple[OperatorLike | LinearObservable, ...]
    loss: Loss | BatchLoss = field(default_factory=SquaredError)
    name: str | None = None
    batch_size: int | None = None
    copies: int = 1
    terms: tuple[Term, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_copies(self.copies, len(self.observables))
        if self.copies > 1 and self.couples_samples:
            raise NetworkError("copies: a loss of a batch is that of the means over copies; leave copies out")
        read = (
            given if isinstance(given, LinearObservable) else hermitian(given, f"observable {number}")
            for number, given in enumerate(self.observables)
        )
        object.__setattr__(self, "observables", tuple(read))
        object.__setattr__(self, "terms", all_terms(self._linear_observables))

    @classmethod
    def on_spins(
        cls, outputs: Sequence[int], num_qubits: int, loss: Loss | BatchLoss | None = None, name: str | None = None
    ) -> LossOnExpectations:
        """Return a loss of the outputs <Z_o> of the given spins.

        Args:
            outputs: Output spins.
            num_qubits: Number of qubits.
            loss: The loss; the squared error by default.
            name: Name of the loss in messages.

        Raises:
            NetworkError: There is no output, or one is out of range.
        """
        if not outputs:
            raise NetworkError("outputs: expected at least one output spin")
        terms = [PauliString.of("Z", spin) for spin in outputs]
        check_terms(terms, num_qubits)
        observables = tuple(sparse_pauli_op([(string, 1.0)], num_qubits) for string in terms)
        return cls(observables, loss or SquaredError(), name)

    @classmethod
    def on_outputs(
        cls, network: Network, loss: Loss | BatchLoss | None = None, name: str | None = None
    ) -> LossOnExpectations:
        """Return a loss of the outputs of a network: Z of spins, or displacements of atoms.

        Args:
            network: The network.
            loss: The loss; the squared error by default.
            name: Name of the loss in messages.

        Raises:
            NetworkError: The network has no output.
        """
        if not network.output_observables:
            raise NetworkError("outputs: expected at least one output spin or atom")
        return cls(network.output_observables, loss or SquaredError(), name)

    @cached_property
    def checked_loss(self) -> CheckedLoss:
        """The loss with checks of its results, used for all evaluations."""
        return CheckedLoss(self.loss, self.name or loss_name(self.loss))

    @cached_property
    def _whole(self) -> CheckedLoss | LossOfCopies:
        """The loss of all observables."""
        checked = self.checked_loss
        return checked if self.copies == 1 else LossOfCopies(loss=checked, copies=self.copies)

    @property
    def compares_outputs(self) -> bool:
        """Whether targets are values that the outputs should take."""
        return isinstance(self.loss, SquaredError)

    def check(self, targets: NDArray, reach: NDArray) -> None:
        """Check that the derivatives belong to the loss, and that the loss accepts the targets.

        Raises:
            DataError: The loss does not accept the targets.
            NetworkError: The loss cannot be used, see `check_derivatives`.
        """
        check_derivatives(self.checked_loss, targets, reach[:: self.copies])

    @property
    def couples_samples(self) -> bool:
        """Whether the loss is that of a batch."""
        return isinstance(self.loss, BatchLoss)

    @property
    def reads_inputs(self) -> bool:
        """Whether the loss takes the inputs of the samples in the place of targets."""
        return isinstance(self.loss, BatchLoss) and self.loss.reads_inputs

    @property
    def decodes_classes(self) -> bool:
        """Whether outputs decode to classes; a loss of a batch says so."""
        return not isinstance(self.loss, BatchLoss) or self.loss.names_classes

    def in_batches_of(self, size: int) -> LossOnExpectations:
        """Return the loss of several batches of equal size that follow each other."""
        return replace(self, batch_size=size) if self.couples_samples else self

    def _by_batch(self, function: Callable[[NDArray, NDArray], NDArray], outputs: NDArray, targets: NDArray) -> NDArray:
        """Evaluate a function of the samples of a batch for all batches."""
        size = self.batch_size
        if size is None or not self.couples_samples or size == len(outputs):
            return function(outputs, targets)
        if len(outputs) % size:
            raise ValueError(f"expected a multiple of {size} samples, those of a batch, got {len(outputs)}")
        parts = [slice(start, start + size) for start in range(0, len(outputs), size)]
        return np.concatenate([function(outputs[part], targets[part]) for part in parts])

    def value(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the loss of every sample, or that of its batch, shape (samples,)."""
        return self._by_batch(self._whole.value, outputs, targets)

    def signals(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the error signals dL/d<O_o>, shape (samples, outputs); times the samples for a loss of a batch."""
        return self._by_batch(self._whole.gradient, outputs, targets)

    def curvature(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives of the loss, shape (samples, outputs, outputs)."""
        return self._by_batch(self._whole.curvature, outputs, targets)

    def coupling(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the derivatives of the error signals of a loss of a batch by the outputs of all its samples.

        Returns:
            Shape (samples, outputs, samples of a batch, outputs).
        """
        return self._by_batch(self.checked_loss.coupling, outputs, targets)

    def curvature_near(self, outputs: NDArray, targets: NDArray) -> NDArray:
        """Return the second derivatives without a check of the result; not finite outside the domain of the loss."""
        if self.copies > 1 and not isinstance(self.loss, BatchLoss):
            return LossOfCopies(loss=self.loss, copies=self.copies).curvature(outputs, targets)
        return self.loss.curvature(outputs, targets)

    @property
    def num_outputs(self) -> int:
        """Number of outputs."""
        return len(self.observables)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of qubits that the observables are defined for."""
        return tuple(observable.num_qubits for observable in self._linear_observables)

    @cached_property
    def _linear_observables(self) -> tuple[LinearObservable, ...]:
        return tuple(LinearObservable.of(observable) for observable in self.observables)

    def output_map(self) -> tuple[NDArray, NDArray]:
        """Return the outputs as linear functions of the terms: matrix (outputs, terms) and constants (outputs,)."""
        return matrix_of(self._linear_observables, self.terms)

    def operator(self, y: NDArray | Sequence[float], expectations: NDArray | Sequence[float]) -> SparsePauliOp:
        """Return the nudging operator sum_o eps_o O_o of observables on qubits.

        Args:
            y: Shape (targets,).
            expectations: Shape (outputs,), output expectations.
        """
        means = np.asarray(expectations, dtype=float)[None, :]
        signals = self.signals(means, np.asarray(y, dtype=float)[None, :])[0]
        return hermitian(sum(eps * observable for eps, observable in zip(signals, self.observables, strict=True)))
