"""Terms of operator costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qep_qiskit.core.amounts import there_are
from qep_qiskit.core.checks import finite_number, whole_number
from qep_qiskit.core.errors import NetworkError
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.short_repr import short_repr
from qep_qiskit.network.linear_observables import Term


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True)
class CostTerm:
    """One term of an operator cost: coefficient * (y[target] or 1) * Pauli string.

    Args:
        string: The Pauli string; the identity gives a constant.
        coefficient: Real factor.
        target: Index of the target that multiplies the term, or None.

    Raises:
        NetworkError: The coefficient is not finite, or the target is not a whole number.

    Example:
        >>> term = qep.CostTerm(string=qep.PauliString.parse("Z0 Z1"), coefficient=-1.0)
        >>> qep.OperatorCost.from_terms([term], num_qubits=2).operator()
        SparsePauliOp(['ZZ'],
                      coeffs=[-1.+0.j])
    """

    string: Term
    coefficient: float
    target: int | None = None

    def __post_init__(self) -> None:
        finite_number(f"cost: coefficient of '{self.string}'", self.coefficient)
        if self.target is not None:
            whole_number(f"cost: target of '{self.string}'", self.target, 0, error=NetworkError)


def check_terms(terms: Sequence[Term], num_qubits: int) -> None:
    """Check the terms of a cost.

    Args:
        terms: Terms that are not the identity.
        num_qubits: Number of qubits of the network.

    Raises:
        NetworkError: There is none, or one acts on a qubit out of range.
    """
    if not terms:
        raise NetworkError("cost: expected at least one Pauli term that is not the identity")
    outside = [string for string in terms if isinstance(string, PauliString) and string.max_qubit >= num_qubits]
    if outside:
        raise NetworkError(
            f"cost: '{outside[0]}' acts on spin {outside[0].max_qubit}, out of range; {there_are(num_qubits, 'spin')}"
        )
