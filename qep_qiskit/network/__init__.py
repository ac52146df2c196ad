"""Networks, the Hamiltonians with trainable weights, and the costs that nudge them."""

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
from qep_qiskit.network.interface import Network, TermJacobian
from qep_qiskit.network.ising import ISING_INITIALISATIONS, ClampedInputs, IsingNetwork
from qep_qiskit.network.linear_observables import LinearObservable, Term, all_terms
from qep_qiskit.network.patches import heavy_hex_patch, square_patch
from qep_qiskit.network.pauli import PAULI_INITIALISATION, Interaction, PauliNetwork
from qep_qiskit.network.weights import WeightBlock, WeightInitialisation, WeightLayout

__all__ = [
    "ISING_INITIALISATIONS",
    "PAULI_INITIALISATION",
    "ClampedInputs",
    "Graph",
    "Interaction",
    "IsingNetwork",
    "LinearObservable",
    "Network",
    "PauliNetwork",
    "Term",
    "TermJacobian",
    "WeightBlock",
    "WeightInitialisation",
    "WeightLayout",
    "all_terms",
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
