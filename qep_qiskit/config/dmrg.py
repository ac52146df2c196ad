"""Keys of the preparation of matrix product states by the density matrix renormalisation group."""

from __future__ import annotations

from typing import ClassVar, Literal

from qep_qiskit.config.preparation_section import PreparationScene, PreparationSection
from qep_qiskit.config.section import same_as
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.preparation import DmrgPreparation, Preparation
from qep_qiskit.preparation.tensor_solver import require_tenpy


class DmrgConfig(PreparationSection):
    """Eigenstates as matrix product states, for up to about 150 spins on sparse graphs (needs physics-tenpy)."""

    has_known_states: ClassVar[bool] = True

    kind: Literal["dmrg"]
    level: int = same_as(DmrgPreparation, "level")
    """Index of the eigenstate, 0 for the ground state; excited states are orthogonal to those below, at every nudge."""
    max_bond_dimension: int = same_as(DmrgPreparation, "max_bond_dimension")
    """Largest bond dimension of the states; the time of a sweep grows with its third power."""
    cutoff: float = same_as(DmrgPreparation, "cutoff")
    """Squared Schmidt coefficients below are dropped, also where the bond dimension allows more."""
    max_sweeps: int = same_as(DmrgPreparation, "max_sweeps")
    """Largest number of sweeps for a state, each to the last bond and back."""
    energy_tolerance: float | None = same_as(DmrgPreparation, "energy_tolerance")
    """Change of the energy by a sweep, over the largest coefficient, below which sweeps end; they also end where it is
    below the weight that truncation discards. By default 1e-8, or the square of 3e-4 of the nudge if that is
    smaller."""
    tolerance: float = same_as(DmrgPreparation, "tolerance")
    """Weight discarded by truncation, summed over bonds, above which a state is not converged."""
    order: Literal["reverse_cuthill_mckee"] | list[int] = same_as(DmrgPreparation, "order")
    """Spins in the order of the sites of the matrix products: all spins in a list, or by default the order of Cuthill
    and McKee, which places spins that share a term close to each other."""
    on_unconverged: Literal["warn", "stop", "go_on"] = same_as(DmrgPreparation, "on_unconverged")
    """Action if a state is not converged."""

    def build(self, scene: PreparationScene) -> Preparation:
        """Return the preparation for a network of qubits."""
        if scene.hamiltonian.is_classical:
            raise ConfigError(
                "kind: 'dmrg' is for quantum spins, and network and cost hold Z alone; use 'exact' or 'annealing'"
            )
        order = self.order if isinstance(self.order, str) else tuple(self.order)
        found = self.made(DmrgPreparation, seeds=scene.seeds, order=order)
        found.solver(scene.hamiltonian.groups)
        require_tenpy()
        return found
