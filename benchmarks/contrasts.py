"""Error of a gradient against shots for every contrast, each at its best nudge.

Random transverse-field networks of three to five spins, operator cost -Z of the last one. Means are exact, and shot
noise follows from them, because every weight multiplies one Pauli string. Shots are those of a batch of the symmetric
contrast; other contrasts have equal shots in total.

    python benchmarks/contrasts.py [--networks 18]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from shown import parser_of, show

from qep_qiskit.core.pauli_strings import PauliString
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import IsingNetwork, chain, complete, ring
from qep_qiskit.network.cost import OperatorCost
from qep_qiskit.network.cost_terms import CostTerm
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation

_NAMES = ("symmetric", "four_point", "chebyshev_4", "chebyshev_6", "chebyshev_8")
_SHOTS = np.array([1e2, 1e3, 1e4, 1e5, 1e6])
_NUDGES = np.geomspace(0.03, 6.0, 40)  # in units of gap / range(C)
_INPUTS, _TARGETS = np.zeros((1, 0)), np.zeros((1, 0))


def _problem(seed: int) -> tuple[NudgedHamiltonian, NDArray[np.float64]]:
    rng, size = np.random.default_rng(seed), 3 + seed % 3
    network = IsingNetwork(graph=(chain, ring, complete)[seed // 3 % 3](size), outputs=(size - 1,))
    draws = {"J": lambda: 0.5 * rng.normal(), "h": lambda: rng.uniform(0.8, 1.3), "b": lambda: 0.4 * rng.normal()}
    weights = np.array([draws[name[0]]() for name in network.layout.names])
    term = CostTerm(string=PauliString.of("Z", size - 1), coefficient=-1.0)
    return NudgedHamiltonian(network, OperatorCost.from_terms([term], size)), weights


def _errors(seed: int) -> NDArray[np.float64]:
    """Return the smallest relative errors, shape (contrasts, numbers of shots)."""
    hamiltonian, weights = _problem(seed)
    exact = exact_gradient(hamiltonian, weights, _INPUTS, _TARGETS).gradient
    levels = np.linalg.eigvalsh(hamiltonian.network.hamiltonian(weights).to_matrix())
    unit = (levels[1] - levels[0]) / 2.0
    nudges = {name: [Contrast.named(name, beta * unit) for beta in _NUDGES] for name in _NAMES}
    return np.array([_best(hamiltonian, weights, exact, contrasts) for contrasts in nudges.values()]) / np.linalg.norm(
        exact
    )


def _best(
    hamiltonian: NudgedHamiltonian, weights: NDArray, exact: NDArray, contrasts: list[Contrast]
) -> NDArray[np.float64]:
    estimator = GradientEstimator(
        hamiltonian=hamiltonian, preparation=ExactPreparation(), contrast=contrasts[0], shots=None
    )
    squares = []
    for contrast in contrasts:
        key = RequestKey("contrasts", 0)
        work = estimator.phases(weights, _INPUTS, _TARGETS, key, contrast.betas, quiet=True)
        measured = run_measurements(work, VectorExecutor(Seeds(0)))[0]
        means = measured.moments.means[0][:, measured.jacobian.term]
        bias = ((measured.derivative(contrast.stencil).values - exact) ** 2).sum()
        single = (contrast.stencil**2 / contrast.shot_fractions) @ (1.0 - means**2)
        squares.append(bias + single.sum() * len(contrast.betas) / (2.0 * _SHOTS))
    return np.sqrt(np.min(squares, axis=0))


def main() -> None:
    """Print medians over networks."""
    parser = parser_of(__doc__)
    parser.add_argument("--networks", type=int, default=18)
    arguments = parser.parse_args()
    errors = np.array([_errors(seed) for seed in range(arguments.networks)])
    medians, ratios = np.median(errors, axis=0), np.median(errors / errors[:, :1], axis=0)
    table = [["contrast", *(f"{shots:,.0f} shots" for shots in _SHOTS)]]
    for name, own, over in zip(_NAMES, medians, ratios, strict=True):
        cells = [f"{error:.4f} ({ratio:.2f})" for error, ratio in zip(own, over, strict=True)]
        table.append([name.replace("_", " "), *cells])
    show(table, title="relative error, and error over that of the symmetric contrast", as_json=arguments.json)


if __name__ == "__main__":
    main()
