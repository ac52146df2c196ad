"""What a split-operator ramp of oscillators gets wrong, against its time, its steps and its start.

    python benchmarks/oscillator_ramp.py [--qubits 4] [--box 9] [--stiffness 2]

The three-oscillator network of the tests (k = 1, 2, 0.5, anchors 0.5, a force 1 on atom 0, C = (r_2 - 0.6)^2, symmetric
contrast at beta = 0.1), states without shot noise. Errors are against the exact ground states on the same grid, so they
are those of the ramp alone.

    energy      <H> above the ground state's energy
    position    largest error of <r_i>
    variance    largest error of Var(r_i), relative
    gradient    |g - g_exact| / |g_exact| over the three springs
    CX          CX gates of one circuit: rzz, cp and swap are 2, 2 and 3
"""

from __future__ import annotations

from itertools import product

import numpy as np
from shown import parser_of, show

import qep_qiskit as qep
from qep_qiskit.continuous.grid_energies import GridEnergies
from qep_qiskit.continuous.grid_network import GridNetwork
from qep_qiskit.continuous.oscillator_layers import OscillatorProduct
from qep_qiskit.continuous.position_grid import PositionGrid
from qep_qiskit.continuous.split_operator import SplitOperatorPreparation
from qep_qiskit.continuous.springs import SpringNetwork
from qep_qiskit.core.program import lower
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, from_edges
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.outcomes.states import CircuitStates
from qep_qiskit.preparation import ExactPreparation, HamiltonianFamily
from qep_qiskit.preparation import WarmStart as Known

BETAS = np.array([-0.1, 0.0, 0.1])
PAIRS = ((0, 1), (1, 2), (0, 2))
WEIGHTS = {"k[0,1]": 1.0, "k[1,2]": 2.0, "k[0,2]": 0.5, "f[0]": 1.0}
TIMES = ((2.5, 10), (5.0, 20), (5.0, 40), (10.0, 40), (20.0, 160))
IN_CX = {"rzz": 2, "cp": 2, "cx": 1, "swap": 3}


def problem(num_qubits, box):
    """The Hamiltonian on a grid, and the family of its nudged ones."""
    atoms = SpringNetwork(graph=from_edges(3, PAIRS), outputs=(2,), anchored=(0, 1, 2), forces=WeightInitialisation())
    network = GridNetwork(atoms=atoms, grid=PositionGrid.uniform(num_qubits, box, 3))
    hamiltonian = NudgedHamiltonian(network, qep.OperatorCost.squared_error_of(network))
    family = HamiltonianFamily(
        groups=hamiltonian.groups,
        free=hamiltonian.free_coefficients(network.weights_from(WEIGHTS), np.zeros((1, 0))),
        nudge=hamiltonian.operator_nudge(np.array([[0.6]]))[0],
        betas=BETAS,
        key=RequestKey("ramp", 0),
    )
    return network, family


def seen(network, family, vectors):
    """Energy, means and variances of the free state, and the contrast of the springs."""
    grid = network.grid
    probabilities = np.abs(vectors.reshape(-1, *(grid.num_points,) * 3)) ** 2
    r = np.meshgrid(*(grid.positions(i) for i in (2, 1, 0)), indexing="ij")[::-1]
    means = np.array([(probabilities[1] * x).sum() for x in r])
    variances = np.array([(probabilities[1] * x**2).sum() for x in r]) - means**2
    stretched = np.array([[(p * (r[i] - r[j]) ** 2).sum() / 2 for i, j in PAIRS] for p in probabilities])
    terms = np.concatenate([group.expectations(vectors[1:2])[0] for group in family.groups])
    return terms @ family.free[0], means, variances, (stretched[2] - stretched[0]) / (BETAS[2] - BETAS[0])


def prepared(preparation, family):
    """State vectors of all phases, and two-qubit gates of their circuit."""
    states = run_measurements(preparation.prepare(family, Known()), None)[0].states
    if not isinstance(states, CircuitStates):
        return states.vectors, 0
    gates = lower(states.program).count_ops()
    return evolve(states.program, states.parameters), sum(IN_CX[name] * gates.get(name, 0) for name in IN_CX)


def main():
    """Print the table."""
    parser = parser_of(__doc__)
    parser.add_argument("--qubits", type=int, default=4)
    parser.add_argument("--box", type=float, default=9.0)
    parser.add_argument("--stiffness", type=float, help="of the driver; by default as wide as the ground state")
    options = parser.parse_args()
    network, family = problem(options.qubits, options.box)
    energy, means, variances, gradient = seen(network, family, prepared(ExactPreparation(), family)[0])
    driver = OscillatorProduct.like(GridEnergies.of(network.grid, family.groups, family.free))
    if options.stiffness is not None:
        driver = OscillatorProduct(grid=network.grid, stiffness=(options.stiffness,) * 3, kinetic=(1.0,) * 3)
    table = [["start", "ramp", "T", "steps", "energy", "position", "variance", "gradient", "CX"]]
    for start, ramp, (time, steps) in product(("equilibrium", "origin"), ("cosine", "linear"), TIMES):
        ramped = SplitOperatorPreparation(driver=driver, total_time=time, steps=steps, ramp=ramp, start=start)
        vectors, gates = prepared(ramped, family)
        found = seen(network, family, vectors)
        off = np.linalg.norm(found[3] - gradient) / np.linalg.norm(gradient)
        errors = (found[0] - energy, abs(found[1] - means).max())
        relative = (abs(found[2] / variances - 1).max(), off)
        cells = [
            *(f"{error:.1e}" for error in errors),
            *(f"{100 * part:.2g} %" if part < 1 else f"{100 * part:.0f} %" for part in relative),
        ]
        table.append([start, ramp, f"{time:g}", str(steps), *cells, str(gates)])
    show(table, as_json=options.json)


if __name__ == "__main__":
    main()
