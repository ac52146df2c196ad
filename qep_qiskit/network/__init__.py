"""Networks, the Hamiltonians with trainable weights, and the costs that nudge them."""

from qep_qiskit.network.covering import covering_groups as covering_groups
from qep_qiskit.network.graphs import Graph as Graph
from qep_qiskit.network.graphs import chain as chain
from qep_qiskit.network.graphs import check_distance as check_distance
from qep_qiskit.network.graphs import complete as complete
from qep_qiskit.network.graphs import from_edges as from_edges
from qep_qiskit.network.graphs import heavy_hex as heavy_hex
from qep_qiskit.network.graphs import lattice as lattice
from qep_qiskit.network.graphs import layered as layered
from qep_qiskit.network.graphs import ring as ring
from qep_qiskit.network.grouping import commuting_groups as commuting_groups
from qep_qiskit.network.interface import Network as Network
from qep_qiskit.network.interface import TermJacobian as TermJacobian
from qep_qiskit.network.ising import ISING_INITIALISATIONS as ISING_INITIALISATIONS
from qep_qiskit.network.ising import ClampedInputs as ClampedInputs
from qep_qiskit.network.ising import IsingNetwork as IsingNetwork
from qep_qiskit.network.linear_observables import LinearObservable as LinearObservable
from qep_qiskit.network.patches import heavy_hex_patch as heavy_hex_patch
from qep_qiskit.network.patches import square_patch as square_patch
from qep_qiskit.network.pauli import PAULI_INITIALISATION as PAULI_INITIALISATION
from qep_qiskit.network.pauli import Interaction as Interaction
from qep_qiskit.network.pauli import PauliNetwork as PauliNetwork
from qep_qiskit.network.weights import WeightBlock as WeightBlock
from qep_qiskit.network.weights import WeightInitialisation as WeightInitialisation
from qep_qiskit.network.weights import WeightLayout as WeightLayout
