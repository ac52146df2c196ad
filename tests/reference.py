"""Slow, independent references, made of SparsePauliOp matrices, np.kron and expm: no kernel of the package."""

from functools import reduce
from itertools import pairwise

import numpy as np
from qiskit.quantum_info import SparsePauliOp
from scipy.integrate import solve_ivp
from scipy.linalg import expm


def pauli_matrix(text, num_qubits):
    """Matrix of a word such as "X0 Z2"; the empty word is the identity."""
    letters = ["I"] * num_qubits
    for factor in str(text).split():
        if factor != "I":
            letters[num_qubits - 1 - int(factor[1:])] = factor[0]
    return SparsePauliOp("".join(letters)).to_matrix()


def sum_of_paulis(words, coefficients, num_qubits):
    """Matrix of sum_t c_t P_t."""
    total = np.zeros((1 << num_qubits, 1 << num_qubits), dtype=complex)
    for word, coefficient in zip(words, coefficients, strict=True):
        total += coefficient * pauli_matrix(word, num_qubits)
    return total


def ising_matrix(edges, J, h, b):
    """- sum J ZZ - sum h X - sum b Z as a matrix."""
    size = len(h)
    total = sum_of_paulis([f"Z{j} Z{k}" for j, k in edges], -np.asarray(J, dtype=float), size)
    total += sum_of_paulis([f"X{k}" for k in range(size)], -np.asarray(h, dtype=float), size)
    return total + sum_of_paulis([f"Z{k}" for k in range(size)], -np.asarray(b, dtype=float), size)


def kron_of_qubits(factors):
    """Kronecker product with entry 0 on qubit 0, the lowest index bit."""
    return reduce(lambda low, high: np.kron(high, low), factors)


def ground(matrix):
    """Energy, state and gap of a Hermitian matrix."""
    levels, vectors = np.linalg.eigh(matrix)
    return levels[0], vectors[:, 0], levels[1] - levels[0]


def expectation(matrix, state):
    """<psi|A|psi>."""
    return np.vdot(state, matrix @ state).real


def random_states(rng, *shape):
    """Normalised complex vectors."""
    vectors = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def without_phase(state):
    """The state with its largest amplitude made real and positive."""
    largest = state[np.argmax(np.abs(state))]
    return state * (abs(largest) / largest)


SCHEDULES = {
    "linear": lambda u: u,
    "cosine": lambda u: np.sin(np.pi * u / 2) ** 2,
    "smoothstep": lambda u: 3 * u**2 - 2 * u**3,
}


def trotter_ramp(parts, driver, *, total_time, steps, order=2, ramp="cosine"):
    """Trotterised ramp from the uniform superposition.

    parts: matrices of the groups of H; driver: matrices of the driver, group by group.
    """
    size = len(parts[0])
    dt, state = total_time / steps, np.full(size, size**-0.5, dtype=complex)
    for step in range(steps):
        s = SCHEDULES[ramp]((step + 0.5) / steps)
        mixed = [s * part + (1 - s) * run_measurements for part, run_measurements in zip(parts, driver, strict=True)]
        for matrix, share in _splitting(mixed, order):
            state = expm(-1j * dt * share * matrix) @ state
    return state


def lindblad(terms, coefficients, rates, *, total_time, shape="cosine", num_qubits=2):
    """Density matrix of the master equation for a ramp from -sum X, integrated as it stands.

    terms, coefficients: the Hamiltonian at the end; rates: with dephasing and relaxation.
    """
    size = 1 << num_qubits
    driver = -sum(pauli_matrix(f"X{k}", num_qubits) for k in range(num_qubits))
    target = sum(c * pauli_matrix(str(term), num_qubits) for c, term in zip(coefficients, terms, strict=True))
    jumps = []
    for k in range(num_qubits):
        X, Y, Z = (pauli_matrix(f"{letter}{k}", num_qubits) for letter in "XYZ")
        jumps += [np.sqrt(rates.dephasing / 2) * Z, np.sqrt(rates.relaxation) * (X + 1j * Y) / 2]

    def change(time, flat):
        rho = flat.reshape(size, size)
        s = SCHEDULES[shape](time / total_time)
        hamiltonian = (1 - s) * driver + s * target
        found = -1j * (hamiltonian @ rho - rho @ hamiltonian)
        for jump in jumps:
            norm = jump.conj().T @ jump
            found += jump @ rho @ jump.conj().T - (norm @ rho + rho @ norm) / 2
        return found.ravel()

    start = np.full(size * size, 1 / size, dtype=complex)
    return solve_ivp(change, (0, total_time), start, rtol=1e-11, atol=1e-12).y[:, -1].reshape(size, size)


def _splitting(matrices, order):
    if order == 1:
        return [(matrix, 1.0) for matrix in matrices]
    half = [(matrix, 0.5) for matrix in matrices[:-1]]
    return [*half, (matrices[-1], 1.0), *half[::-1]]


def derivative(function, step=0.04, levels=4):
    """d(function)/dx at zero by central differences, extrapolated (Richardson)."""
    table = [(function(h) - function(-h)) / (2 * h) for h in step / 2.0 ** np.arange(levels)]
    for power in range(1, levels):
        table = [fine + (fine - coarse) / (4**power - 1) for coarse, fine in pairwise(table)]
    return table[0]


def gradient(function, point, **options):
    """Gradient of a scalar function of a vector by extrapolated differences."""
    directions = np.eye(len(point))
    return np.array([derivative(lambda h, d=d: function(point + h * d), **options) for d in directions])


def fitted_slope(x, y):
    """Slope of log y against log x."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


def run_program(program, parameters):
    """Final state of a layer program by matrix exponentials of its Paulis, one rotation after the other."""
    num_qubits = program.num_qubits
    state = kron_of_qubits(program.initial)
    for _, word, source, scale, offset in program.rotations():
        angle = offset + (scale * parameters[source] if source >= 0 else 0.0)
        state = expm(-1j * angle * pauli_matrix(str(word), num_qubits)) @ state
    return state


def is_right_canonical(state):
    """Whether the tensors of a matrix product state are right-canonical, and it is normalised."""
    matrices = [tensor.reshape(len(tensor), -1) for tensor in state.tensors]
    return all(np.abs(one @ one.conj().T - np.eye(len(one))).max() < 1e-9 for one in matrices)
