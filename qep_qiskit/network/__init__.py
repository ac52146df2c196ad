"""What learns: Hamiltonians with trainable weights."""

from qep_qiskit.network.covering import covering_groups
from qep_qiskit.network.forms import LinearForm, Word, all_words
from qep_qiskit.network.graphs import (
    Graph,
    chain,
    check_distance,
    complete,
    from_edges,
    heavy_hex,
    lattice,
    layered,
    ring,
)
from qep_qiskit.network.grid_energies import GridEnergies, check_grid
from qep_qiskit.network.grid_network import GridNetwork
from qep_qiskit.network.grouping import commuting_groups
from qep_qiskit.network.interface import Network, TermJacobian
from qep_qiskit.network.ising import ISING_STARTS, ClampedInputs, IsingNetwork
from qep_qiskit.network.patches import heavy_hex_patch, square_patch
from qep_qiskit.network.pauli import PAULI_START, Interaction, PauliNetwork
from qep_qiskit.network.position_grid import PositionGrid, Spread
from qep_qiskit.network.spreads import spread_of
from qep_qiskit.network.springs import SPRING_STARTS, SpringNetwork
from qep_qiskit.network.weights import Start, WeightBlock, WeightLayout
from qep_qiskit.network.z_polynomials import ZPolynomial

__all__ = [
    "ISING_STARTS",
    "PAULI_START",
    "SPRING_STARTS",
    "ClampedInputs",
    "Graph",
    "GridEnergies",
    "GridNetwork",
    "Interaction",
    "IsingNetwork",
    "LinearForm",
    "Network",
    "PauliNetwork",
    "PositionGrid",
    "Spread",
    "SpringNetwork",
    "Start",
    "TermJacobian",
    "WeightBlock",
    "WeightLayout",
    "Word",
    "ZPolynomial",
    "all_words",
    "chain",
    "check_distance",
    "check_grid",
    "commuting_groups",
    "complete",
    "covering_groups",
    "from_edges",
    "heavy_hex",
    "heavy_hex_patch",
    "lattice",
    "layered",
    "ring",
    "spread_of",
    "square_patch",
]
