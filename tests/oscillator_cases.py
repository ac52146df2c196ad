"""The three-oscillator anchor, its grids, and slow references in numpy: outer products and dense transforms."""

import numpy as np

from qep_qiskit.continuous.position_grid import GaussianWidths, PositionGrid
from qep_qiskit.continuous.z_polynomials import ZPolynomial
from qep_qiskit.core.operators import CommutingGroup

PAIRS = [(0, 1), (1, 2), (0, 2)]
SPRINGS = (1.0, 2.0, 0.5)
ANCHOR = 0.5
TARGET = 0.6
MEANS = (0.9122807, 0.5614035, 0.5263158)
VARIANCES = (0.4377954, 0.3874116, 0.4042062)
ENERGY = 1.869077
GRADIENT = (-0.0087385, -0.0248281, -0.0614191)
CONTRAST = (-0.0089515, -0.0251082, -0.0624761)
"""Symmetric, at beta = 0.1."""


def anchor(beta=0.0):
    """Stiffness and forces of the anchor, with beta (r_2 - 0.6)^2 in them but for its constant."""
    stiffness = ANCHOR * np.eye(3)
    for (i, j), k in zip(PAIRS, SPRINGS, strict=True):
        stiffness[[i, j], [i, j]] += k
        stiffness[[i, j], [j, i]] -= k
    stiffness[2, 2] += 2 * beta
    return stiffness, np.array([1.0, 0.0, 2 * beta * TARGET])


def gaussian(stiffness, forces):
    """Means, covariance and energy of the ground state, unit masses, hbar = 1."""
    squares, modes = np.linalg.eigh(stiffness)
    covariance = (modes / np.sqrt(squares) / 2) @ modes.T
    rest = np.linalg.solve(stiffness, forces)
    return rest, covariance, np.sqrt(squares).sum() / 2 - forces @ rest / 2


def on_grid(grid, stiffness, forces, kinetic=None):
    """Groups, coefficients and the constant of r.K r / 2 - f.r + sum G k^2 / 2."""
    size = range(len(forces))
    kinetic = np.ones(len(forces)) if kinetic is None else kinetic
    potential, moving = ZPolynomial({}), ZPolynomial({})
    for i in size:
        potential = potential + grid.position(i) * -forces[i]
        moving = moving + grid.wave_number(i) * grid.wave_number(i) * (kinetic[i] / 2)
        for j in size:
            potential = potential + grid.position(i) * grid.position(j) * (stiffness[i, j] / 2)
    parts = [(grid.position_basis, "r", potential), (grid.momentum_basis, "p", moving)]
    groups = tuple(CommutingGroup(name=name, basis=basis, masks=part.masks) for basis, name, part in parts)
    row = [part.terms[mask] for _, _, part in parts for mask in part.masks]
    return groups, np.array(row), potential.constant + moving.constant


def axes(values):
    """One array per coordinate that varies along the coordinate's own axis; the last axis is coordinate 0."""
    size = len(values)
    return [np.reshape(v, [-1 if axis == size - 1 - i else 1 for axis in range(size)]) for i, v in enumerate(values)]


def transformed(state, grid, *, back=False):
    """The centred Fourier transform of every register, by a dense matrix."""
    for i in range(grid.num_coordinates):
        offsets = grid.positions(i) - grid.centres[i]
        matrix = np.exp(-1j * np.outer(grid.wave_numbers(i), offsets)) / np.sqrt(grid.num_points)
        axis = grid.num_coordinates - 1 - i
        state = np.moveaxis(np.tensordot(matrix.conj().T if back else matrix, state, axes=(1, axis)), 0, axis)
    return state


def energy_grids(grid, stiffness, forces, kinetic):
    """Potential energy at all positions, kinetic energy at all momenta, and the wave numbers."""
    size = range(grid.num_coordinates)
    r, k = axes([grid.positions(i) for i in size]), axes([grid.wave_numbers(i) for i in size])
    potential = sum(stiffness[i, j] * r[i] * r[j] / 2 for i in size for j in size) - sum(forces[i] * r[i] for i in size)
    return potential, sum(kinetic[i] * k[i] ** 2 / 2 for i in size), k


def split_operator_ramp(grid, stiffness, forces, driver, *, total_time, steps, schedule, order=2, displaced=True):
    """The ramp as products of phases and dense Fourier matrices, from Gaussians moved to the classical equilibrium."""
    size = range(grid.num_coordinates)
    kinetic, own = np.array(driver.kinetic), np.array(driver.stiffness)
    rest = np.linalg.solve(stiffness, forces) if displaced else np.array(grid.centres)
    potential, moving, k = energy_grids(grid, stiffness, forces, kinetic)
    begin = energy_grids(grid, np.diag(own), own * rest, kinetic)[0]
    r = axes([grid.positions(i) - grid.centres[i] for i in size])
    state = np.ones((1,) * len(r), dtype=complex)
    for i in size:
        state = state * np.exp(-np.sqrt(own[i] / kinetic[i]) * r[i] ** 2 / 2)
    state = state / np.linalg.norm(state)

    def in_momenta(state, phases):
        return transformed(phases * transformed(state, grid), grid, back=True)

    state = in_momenta(state, np.exp(-1j * sum((rest[i] - grid.centres[i]) * k[i] for i in size)))
    dt = total_time / steps
    for step in range(steps):
        s = schedule((step + 0.5) / steps)
        state = in_momenta(state, np.exp(-1j * dt * moving / order))
        state = state * np.exp(-1j * dt * ((1 - s) * begin + s * potential))
        if order == 2:
            state = in_momenta(state, np.exp(-1j * dt * moving / 2))
    return state.ravel()


def half_squares(state, grid):
    """<(r_i - r_j)^2>/2 of the anchor's pairs: dE/dk."""
    shape = (grid.num_points,) * grid.num_coordinates
    probabilities = np.abs(state.reshape(shape)) ** 2
    r = axes([grid.positions(i) for i in range(grid.num_coordinates)])
    return np.array([(probabilities * (r[i] - r[j]) ** 2).sum() / 2 for i, j in PAIRS])


def anchor_grid(num_qubits=4, box=9.0):
    """Three registers around the origin."""
    return PositionGrid.uniform(num_qubits, box, 3)


def anchor_spread(beta=0.0):
    """Means and widths of the anchor's ground state."""
    means, covariance, _ = gaussian(*anchor(beta))
    squares, modes = np.linalg.eigh(anchor(beta)[0])
    momenta = ((modes * np.sqrt(squares) / 2) @ modes.T).diagonal()
    return GaussianWidths(
        means=means[None], widths=np.sqrt(covariance.diagonal())[None], wave_widths=np.sqrt(momenta)[None]
    )


def values_of(polynomial, num_qubits):
    """A polynomial at every bit string, by the signs of the bits."""
    bits = 1 - 2 * (np.arange(1 << num_qubits)[:, None] >> np.arange(num_qubits) & 1)
    total = np.zeros(1 << num_qubits)
    for mask, value in polynomial.terms.items():
        total += value * bits[:, [k for k in range(num_qubits) if mask >> k & 1]].prod(axis=1)
    return total
