"""What learns: Hamiltonians with trainable weights."""

from qep_qiskit.network.covering import covering_groups
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
from qep_qiskit.network.grouping import commuting_groups
from qep_qiskit.network.interface import Group, Network, TermJacobian, Word
from qep_qiskit.network.ising import ClampedInputs, IsingNetwork
from qep_qiskit.network.patches import heavy_hex_patch, square_patch
from qep_qiskit.network.pauli import Interaction, PauliNetwork
from qep_qiskit.network.springs import SpringNetwork
from qep_qiskit.network.weights import Start, WeightBlock, WeightLayout

__all__ = [
    "ClampedInputs",
    "Graph",
    "Group",
    "Interaction",
    "IsingNetwork",
    "Network",
    "PauliNetwork",
    "SpringNetwork",
    "Start",
    "TermJacobian",
    "WeightBlock",
    "WeightLayout",
    "Word",
    "chain",
    "check_distance",
    "commuting_groups",
    "complete",
    "covering_groups",
    "from_edges",
    "heavy_hex",
    "heavy_hex_patch",
    "lattice",
    "layered",
    "ring",
    "square_patch",
]
