"""Ground states as matrix products by the density matrix renormalisation group (needs physics-tenpy).

Two-site sweeps of TeNPy minimise the energy of a Hamiltonian that is given as a matrix product operator, made of its
Pauli strings. White, Phys. Rev. Lett. 69, 2863 (1992); Schollwoeck, Ann. Phys. 326, 96 (2011).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.nearby_order import nearby_order
from qep_qiskit.core.operators import CommutingGroup
from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.outcomes.matrix_product import MatrixProductState

_FEWEST_SITES = 3  # of two-site sweeps
_KRYLOV_VECTORS = 20
_MOST_LEFT, _LEAST_LEFT = 1e-6, 1e-20  # weight of other states that Lanczos may leave at a bond
_OF_TRUNCATION = 0.05  # the same as a part of what truncation discards
_ROUNDING = 1e-14  # of the sum of all coefficients
_NO_WEIGHT = 1e-15  # Schmidt coefficients below are rounding
_IDENTITY, _REAL_Y = "Id", "iY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimum:
    """A state that minimises an energy, and how it was reached.

    Args:
        state: The state; its discarded weight is the sum over bonds in the last sweep.
        energy: Its energy before the last truncation.
        sweeps: Sweeps that were run.
        change: Change of the energy in the last sweep.
        is_settled: Whether the energy changed by less than the tolerance, or than truncation accounts for.
    """

    state: MatrixProductState
    energy: float
    sweeps: int
    change: float
    is_settled: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorSolver:
    """Minimise energies of sums of Pauli strings over matrix product states.

    Args:
        strings: The Pauli strings of all Hamiltonians.
        order: The spin of every site.
        max_bond_dimension: Largest bond dimension.
        cutoff: Squared Schmidt coefficients below are dropped.
        max_sweeps: Largest number of sweeps, each to the last bond and back.
    """

    strings: tuple[PauliString, ...]
    order: tuple[int, ...]
    max_bond_dimension: int
    cutoff: float
    max_sweeps: int

    def minimum(
        self,
        coefficients: NDArray,
        start: MatrixProductState,
        energy_tolerance: float,
        lower: Sequence[MatrixProductState] = (),
    ) -> Minimum:
        """Return the state of lowest energy that sweeps find from a start, orthogonal to lower states.

        Args:
            coefficients: Shape (strings,), in energy.
            start: The first state.
            energy_tolerance: Change of the energy by a sweep, over the largest coefficient, below which sweeps end.
            lower: States to be orthogonal to.
        """
        site = self._site()
        scale = float(np.abs(coefficients).sum())
        unit = float(np.abs(coefficients).max(initial=0.0)) or 1.0
        shift = scale + unit if lower else 0.0  # projected states have energy zero: below it is what is wanted
        psi, below = self._to_tenpy(start, site), [self._to_tenpy(state, site) for state in lower]
        engine = self._engine(psi, self._operator(coefficients, shift, site), below)
        energy, change, sweeps = np.inf, np.inf, 0
        discarded = enough = 0.0
        with require_tenpy().tools.optimization.temporary_level("skip_arg_checks"):
            while sweeps < self.max_sweeps and not abs(change) <= enough:
                largest = float(engine.sweep())
                found, sweeps = float(engine.update_stats["E_total"][-1]), sweeps + 1
                change, energy = energy - found, found
                discarded = _discarded_by(engine)
                enough = max(energy_tolerance, discarded) * unit + _ROUNDING * scale
                left = max(_OF_TRUNCATION * largest, (change / unit) ** 2)
                engine.lanczos_params["P_tol"] = min(max(left, _LEAST_LEFT), _MOST_LEFT)
        return Minimum(
            state=self._from_tenpy(psi, discarded),
            energy=energy + shift,
            sweeps=sweeps,
            change=change,
            is_settled=bool(abs(change) <= enough),
        )

    @property
    def _has_real_states(self) -> bool:
        """Whether every Pauli string is a real matrix: then eigenstates are real too."""
        return all(sum(letter == "Y" for _, letter in string.factors) % 2 == 0 for string in self.strings)

    def _site(self) -> Any:
        """Return a site of TeNPy with the Pauli matrices; where all terms are real, i Y stands for Y."""
        tenpy = require_tenpy()
        y = np.array([[0.0, 1.0], [-1.0, 0.0]]) if self._has_real_states else np.array([[0.0, -1.0j], [1.0j, 0.0]])
        return tenpy.networks.site.Site(
            tenpy.linalg.np_conserved.LegCharge.from_trivial(2),
            ["0", "1"],
            X=np.array([[0.0, 1.0], [1.0, 0.0]]),
            Z=np.diag([1.0, -1.0]),
            **{_REAL_Y: y},
        )

    def _operator(self, coefficients: NDArray, shift: float, site: Any) -> Any:
        """Return the Hamiltonian minus a constant as a matrix product operator."""
        tenpy = require_tenpy()
        size, places = len(self.order), np.argsort(self.order)
        terms, strengths = [[(_IDENTITY, 0)]], [-shift]
        for string, coefficient in zip(self.strings, coefficients.tolist(), strict=True):
            if coefficient == 0.0:
                continue
            ys = sum(letter == "Y" for _, letter in string.factors)
            sign = -1.0 if self._has_real_states and ys % 4 == 2 else 1.0  # (-i)^ys of i Y
            letters = sorted((int(places[qubit]), letter) for qubit, letter in string.factors)
            terms.append([(_REAL_Y if letter == "Y" else letter, place) for place, letter in letters])
            strengths.append(sign * coefficient)
        listed = tenpy.networks.terms.TermList(terms, strengths)
        graph = tenpy.networks.mpo.MPOGraph.from_term_list(listed, [site] * size, "finite", unit_cell_width=size)
        return graph.build_MPO()

    def _engine(self, psi: Any, operator: Any, lower: Sequence[Any]) -> Any:
        options = {
            "trunc_params": {
                "chi_max": self.max_bond_dimension,
                "svd_min": max(float(np.sqrt(self.cutoff)), _NO_WEIGHT),
            },
            "combine": True,
            "diag_method": "lanczos",
            "lanczos_params": {"N_max": _KRYLOV_VECTORS, "P_tol": _MOST_LEFT},
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return require_tenpy().algorithms.dmrg.TwoSiteDMRGEngine(
                psi, SimpleNamespace(H_MPO=operator), options, orthogonal_to=list(lower) or None
            )

    def _to_tenpy(self, state: MatrixProductState, site: Any) -> Any:
        size = state.num_qubits
        dtype = float if self._has_real_states else complex
        tensors = [tensor.transpose(1, 0, 2) for tensor in state.tensors]
        psi = require_tenpy().networks.mps.MPS.from_Bflat(
            [site] * size, tensors, bc="finite", dtype=dtype, unit_cell_width=size
        )
        psi.canonical_form()
        return psi

    def _from_tenpy(self, psi: Any, discarded: float) -> MatrixProductState:
        tensors = [psi.get_B(i, "B").transpose(["vL", "p", "vR"]).to_ndarray() for i in range(psi.L)]
        return MatrixProductState.of(tensors, self.order, discarded)


def _discarded_by(engine: Any) -> float:
    """Return the weight that truncation discarded in the last sweep, summed over bonds, each at its last visit."""
    stats = engine.update_stats
    last = dict(zip(stats["i0"], (float(error.eps) for error in stats["err"]), strict=True))
    return min(sum(last.values()), 1.0)


def require_tenpy() -> ModuleType:
    """Return TeNPy.

    Raises:
        ResourceError: It is not installed.
    """
    try:
        import tenpy
    except ImportError:
        raise ResourceError(
            "preparation.kind: 'dmrg' needs physics-tenpy; install with pip install 'qep_qiskit[tensor]'"
        ) from None
    logging.getLogger("tenpy").setLevel(logging.ERROR)  # it warns where Lanczos has nothing left to do
    module: ModuleType = tenpy
    return module


def site_order(groups: Sequence[CommutingGroup], order: Sequence[int] | str) -> tuple[int, ...]:
    """Return the spin of every site.

    Args:
        groups: The groups of the Hamiltonians.
        order: The spins in order, or ``"reverse_cuthill_mckee"``: spins that share a term are close to each other.

    Raises:
        ConfigError: The order is no permutation of the spins, or there are fewer than three.
    """
    size = groups[0].num_qubits
    if size < _FEWEST_SITES:
        raise ConfigError(
            f"kind: 'dmrg' sweeps over pairs of at least {_FEWEST_SITES} spins, got {size}; use kind = 'exact'"
        )
    if not isinstance(order, str):
        if sorted(order) != list(range(size)):
            raise ConfigError(f"order: expected each of the spins 0 to {size - 1} once, got {list(order)}")
        return tuple(order)
    pairs = [(sites[0], other) for group in groups for sites in group.sites for other in sites[1:]]
    return tuple(nearby_order(np.array(pairs, dtype=np.int64).reshape(-1, 2), size).tolist())
