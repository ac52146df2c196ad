"""Changes of basis that act on several qubits at once: Clifford circuits, and Fourier transforms of registers.

Groups of single-qubit letters are `qep_qiskit.operators.LocalBasis`. What is here is measured by circuits with
two-qubit gates of their own, which are routed after the program's.
"""

from qep_qiskit.bases.clifford import CliffordBasis
from qep_qiskit.bases.fourier import FourierBasis, Register

__all__ = ["CliffordBasis", "FourierBasis", "Register"]
