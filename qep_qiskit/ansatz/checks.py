"""Checks of an ansatz: a program whose parameters are free angles only."""

from __future__ import annotations

from collections.abc import Iterable

from qep_qiskit.core.errors import AnsatzError
from qep_qiskit.core.program import LayerProgram


def check_ansatz(program: LayerProgram, reserved_names: Iterable[str]) -> None:
    """Refuse programs that cannot serve as an ansatz.

    The state may depend on the weights only through the minimisation of the energy. If a gate contains a weight, the
    contrast is not the gradient of the cost: it can be wrong by 100 %. The check compares names; constants that happen
    to equal weights are not detected.

    Args:
        program: The program.
        reserved_names: Names of the network's weights and the Pauli strings of its Hamiltonian, such as ``J[0,1]``,
            ``Z0 Z1``.

    Raises:
        AnsatzError: The program has no parameters.
        AnsatzError: A parameter has the name of a weight or of a coefficient, whatever the punctuation.
    """
    check_names("ansatz", program.parameter_names, reserved_names)


def check_names(where: str, names: Iterable[str], reserved_names: Iterable[str]) -> None:
    """Refuse parameter names that cannot be free angles; see `check_ansatz`.

    Args:
        where: Beginning of the message.
        names: Names of the parameters.
        reserved_names: Names that no parameter may have.

    Raises:
        AnsatzError: There are no names, or one is reserved.
    """
    names = tuple(names)
    if not names:
        raise AnsatzError(f"{where}: expected at least one free angle, got none; give the gates parameters to minimise")
    reserved = {_bare(name): name for name in reserved_names}
    for name in names:
        if _bare(name) in reserved:
            raise AnsatzError(
                f"{where}: expected free angles only, got the parameter '{name}' named as '{reserved[_bare(name)]}' of "
                "the network; gates that contain weights make the gradient wrong, so let every angle be free, and if "
                "this one is, rename it"
            )


def _bare(name: str) -> str:
    """Letters and digits of a name: an identifier ``J_0_1`` means the weight ``J[0,1]``."""
    return "".join(character for character in name if character.isalnum())
