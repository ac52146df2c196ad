"""An executor of ideal circuits by matrix product states, for registers too wide for vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.operators import LocalBasis
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.evolution.evolving_state import BondLimits
from qep_qiskit.evolution.matrix_products import evolve_as_matrix_products, in_basis, require_matrix_products
from qep_qiskit.execution.interface import GroupMeasurement, Request, ShotData
from qep_qiskit.execution.sampling import LocalExecutor
from qep_qiskit.execution.truncation import warn_of_truncation
from qep_qiskit.outcomes.interface import ExactMeans, Outcomes
from qep_qiskit.outcomes.matrix_product_states import MatrixProductStates
from qep_qiskit.outcomes.states import ProgramStates

_FINER_TRUNCATION = 0.01


class MatrixProductExecutor(LocalExecutor):
    """Evolves every state once as a matrix product and measures it in all groups, exactly or with shots.

    Args:
        seeds: Root of the random streams.
        limits: Limits of the bonds of the states.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.heavy_hex(3), outputs=(0,))  # 19 spins
        >>> program = qep.AdiabaticPreparation(total_time=1.0, steps=2).program(network.groups)
        >>> states = qep.CircuitStates(program=program, parameters=-0.5 * np.ones((1, program.num_parameters)))
        >>> group = qep.CommutingGroup(name="Z", basis=qep.LocalBasis("Z" * 19), masks=(1, 1 << 18))
        >>> measurement = qep.GroupMeasurement(group=group, states=np.array([0]), shots=None)
        >>> request = qep.Request(key=qep.RequestKey("demo", 0), prepared=states, measurements=(measurement,))
        >>> executor = qep.MatrixProductExecutor(qep.Seeds(0), qep.BondLimits(max_bond_dimension=16))
        >>> data = executor.collect(executor.submit(request))
        >>> data.moments(0, group).means.shape, data.discarded < 1e-6
        ((1, 2), True)
    """

    def __init__(self, seeds: Seeds, limits: BondLimits | None = None) -> None:
        super().__init__(seeds)
        self.limits = limits or BondLimits()

    @property
    def finer(self) -> MatrixProductExecutor:
        """Return an executor with twice the bond dimension, which shows what truncation costs."""
        limits = self.limits
        finer = replace(
            limits,
            max_bond_dimension=2 * limits.max_bond_dimension,
            truncation=_FINER_TRUNCATION * limits.truncation,
        )
        return MatrixProductExecutor(self._seeds, finer)

    def check_memory(self, num_qubits: int, states: int = 1) -> None:
        """Check that states fit in memory.

        Args:
            num_qubits: Number of qubits.
            states: Number of states.

        Raises:
            ResourceError: They do not.
        """
        require_matrix_products(num_qubits, self.limits, states)

    def states(self, program_states: ProgramStates, chosen: NDArray[np.int64]) -> MatrixProductStates:
        """Evolve some states; equal ones once.

        Args:
            program_states: Circuits.
            chosen: Shape (chosen,), which of them.

        Raises:
            ConfigError: A basis couples qubits by gates that are not Clifford gates, or the circuits calibrate.
            ResourceError: The states do not fit in memory.
        """
        circuits = program_states.as_circuits()
        rows, places = np.unique(circuits.parameters[chosen], axis=0, return_inverse=True)
        found = evolve_as_matrix_products(circuits.program, rows, self.limits)
        return MatrixProductStates(states=tuple(found), energies=np.full(len(found), np.nan)).rows(places.ravel())

    def _run(self, request: Request, circuits: ProgramStates) -> ShotData:
        """Measure states of circuits in all groups. Readout twirls change nothing here."""
        chosen, places = np.unique(np.concatenate([own.states for own in request.measurements]), return_inverse=True)
        states = self.states(circuits, chosen)
        ends = np.cumsum([len(own.states) for own in request.measurements])[:-1]
        outcomes = tuple(
            self._measured(states.rows(rows), own, request)
            for rows, own in zip(np.split(places, ends), request.measurements, strict=True)
        )
        warn_of_truncation([state.discarded for state in states.states])
        return ShotData(outcomes=outcomes, discarded=states.discarded)

    def _measured(self, states: MatrixProductStates, own: GroupMeasurement, request: Request) -> Outcomes:
        """Return outcomes of all states in the group of a measurement."""
        group, every = own.paulis, np.arange(states.num_states)
        generator = self._seeds.generator(*request.key.seed_words, *own.seed_words)
        if isinstance(group.basis, LocalBasis):
            return states.measured(group, every, own.shots, generator)
        turned = tuple(in_basis(state, group.basis, self.limits) for state in states.states)
        along_z = replace(group, basis=LocalBasis("Z" * group.num_qubits))
        found = replace(states, states=turned).measured(along_z, every, own.shots, generator)
        return ExactMeans(means=group.in_frame(found.means)) if isinstance(found, ExactMeans) else found
