"""How an eigenstate is reached: the seam where a user plugs in a preparation of his own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from numpy.typing import NDArray

from qep_qiskit.measurement import Measuring
from qep_qiskit.operators import CommutingGroup
from qep_qiskit.prepared import Prepared

__all__ = ["Preparation"]


class Preparation(Protocol):
    """Turns coefficients into prepared states.

    Direct preparations answer at once; iterative ones yield requests for measurements on the way. Both are
    written as measuring work, so both stop, resume and run on any executor, and every shot is counted.
    """

    def prepare(self, groups: Sequence[CommutingGroup], coefficients: NDArray) -> Measuring[Prepared]:
        """Prepare one state per row.

        Args:
            groups: The commuting groups of the Hamiltonian.
            coefficients: Shape (states, terms), terms numbered group after group.
        """
        ...
