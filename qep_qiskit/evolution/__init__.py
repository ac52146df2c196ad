"""The statevector engine: layer programs on batches of state vectors, one commuting group at a time.

A layer is diagonal in the basis of its group, so it is a multiplication by phases there; a fast transform changes from
one group to the next. Four things keep it fast in numpy:

* angles, phases and small matrices are computed for all layers at once, not layer by layer;
* phases that the whole batch shares (couplings) are computed once for all states;
* phases that differ from state to state but act on single qubits (inputs, biases, nudges of outputs) are built as
  products of two tables, without a sine for every amplitude;
* a layer of single-qubit rotations that the batch shares (transverse fields) is a product of small matrices, applied
  without a change of basis.

A batch is stored in columns, shape (2^N, states), so that every kernel runs along contiguous numbers; wide registers
are processed one state after the other. Wide programs that fall into unconnected parts are evolved part by part.
Energies of final states have exact gradients with respect to all parameters by
the adjoint method: one backward sweep.
"""

from qep_qiskit.evolution.adjoint import energy_and_gradient as energy_and_gradient
from qep_qiskit.evolution.states import evolve as evolve
from qep_qiskit.evolution.states import evolve_part as evolve_part
from qep_qiskit.evolution.states import evolve_parts as evolve_parts
from qep_qiskit.evolution.states import packed_batch as packed_batch
from qep_qiskit.evolution.states import parts_for_jobs as parts_for_jobs
from qep_qiskit.evolution.states import require_states as require_states
from qep_qiskit.evolution.states import states_in_piece as states_in_piece
