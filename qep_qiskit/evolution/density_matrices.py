"""Evolve density matrices of layer programs under dephasing and relaxation of every qubit.

The channel of the time dt that passes in a layer acts in the middle of its rotations, so a symmetric Trotter step of a
ramp stays symmetric,

    half a step of all groups but the last, half of the last, channel of dt, the same backwards,

and approximates the master equation

    d rho / dt = -i [H(t), rho] + sum_k ( (gamma_phi / 2) (Z_k rho Z_k - rho)
                                          + gamma_1 (s_k rho s_k^+ - {s_k^+ s_k, rho} / 2) ),     s = |0><1| ,

with an error of dt^2. Alone, the channel multiplies coherences of a qubit by exp(-(gamma_phi + gamma_1 / 2) t) and the
population of |1> by exp(-gamma_1 t): 1/T1 = gamma_1 and 1/T2 = gamma_phi + gamma_1 / 2. Both parts commute, so a
channel of any duration is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.arithmetic import DOUBLE
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.jobs import current_jobs, in_threads
from qep_qiskit.core.limits import NotNegative, check_limits
from qep_qiskit.core.memory import require_memory
from qep_qiskit.core.operators import Basis
from qep_qiskit.core.program import CxLayer, LayerProgram
from qep_qiskit.evolution.batch import Batch, Move, moves_between
from qep_qiskit.evolution.compiled import Permute, compiled_program
from qep_qiskit.evolution.operations import engine_initial_state
from qep_qiskit.evolution.phase_factors import diagonals

_NUMBERS_TOGETHER = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoherenceRates:
    """Rates at which every qubit loses coherence and energy, per unit of the time of a ramp.

    Args:
        dephasing: Rate gamma_phi, in energy: coherences of a qubit decay as exp(-gamma_phi t).
        relaxation: Rate gamma_1 = 1/T1, in energy: the population of |1> decays to |0> as exp(-gamma_1 t), and with it
            coherences as exp(-gamma_1 t / 2).

    Raises:
        ConfigError: A rate is negative.

    Example:
        >>> rates = qep.DecoherenceRates(dephasing=0.01)
        >>> rates.relaxation, rates.any
        (0.0, True)
    """

    dephasing: NotNegative = 0.0
    relaxation: NotNegative = 0.0

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def any(self) -> bool:
        """Return whether a rate is above zero."""
        return self.dephasing > 0 or self.relaxation > 0


def evolve_densities(program: LayerProgram, parameters: NDArray, rates: DecoherenceRates) -> NDArray[np.complex128]:
    """Compute the final density matrices of a program.

    Args:
        program: The layers; decoherence acts where time passes in them.
        parameters: Shape (states, parameters).
        rates: The rates.

    Returns:
        Shape (states, 2^N, 2^N), index bit k = qubit k.

    Raises:
        ConfigError: No time passes in the program, so the rates have no meaning.
        ResourceError: The matrices do not fit in memory.
    """
    if rates.any and not program.duration > 0:
        raise ConfigError(
            "execution.noise: rates of dephasing and relaxation are per unit of the time of a ramp, and no time passes "
            "in these circuits; use preparation.kind = 'adiabatic', or one_qubit and two_qubit"
        )
    size = 1 << program.num_qubits
    arrays = len(parameters) + 4 * current_jobs()
    require_memory(program.num_qubits, 16 * arrays, "a batch of density matrices", bits_per_qubit=2)
    found = np.empty((len(parameters), size, size), dtype=complex)
    together = max(1, _NUMBERS_TOGETHER // size**2)

    def write(start: int) -> None:
        rows = slice(start, start + together)
        found[rows] = _evolved(program, parameters[rows], rates)

    in_threads(write, range(0, len(parameters), together))
    return found


def _evolved(program: LayerProgram, parameters: NDArray, rates: DecoherenceRates) -> NDArray[np.complex128]:
    """Return density matrices, shape (states, 2^N, 2^N)."""
    compiled = compiled_program(program)
    start = engine_initial_state(program, compiled)
    matrices = np.repeat(np.multiply.outer(start, start.conj())[:, :, None], len(parameters), axis=2)
    angles = [stack.angles(parameters) for stack in compiled.stacks]
    channel = _Channel(program.num_qubits, rates)
    basis: Basis = compiled.first_basis
    for step, layer in zip(compiled.steps, program.layers, strict=True):
        wanted = compiled.basis_of(step)
        matrices = _in_basis(matrices, basis, wanted)
        basis = wanted
        if isinstance(step, Permute) or isinstance(layer, CxLayer):
            assert isinstance(step, Permute)
            matrices = _on_both_sides(matrices, step)
            continue
        stack = compiled.stacks[step.stack]
        phases = diagonals(stack.masks, angles[step.stack][step.layer], program.num_qubits)
        if not (layer.duration and rates.any):
            matrices *= _conjugation(phases)
            continue
        half = _conjugation(0.5 * phases)
        matrices = _in_basis(matrices * half, basis, compiled.computational)
        matrices = _in_basis(channel.applied(matrices, layer.duration), compiled.computational, basis) * half
    return np.ascontiguousarray(np.moveaxis(_in_basis(matrices, basis, compiled.computational), 2, 0))


def _conjugation(phases: NDArray) -> NDArray[np.complex128]:
    """Return factors of the elements of matrices between which diagonal gates stand.

    Args:
        phases: Shape (2^N, states), in radians.
    """
    gates = np.exp(-1j * phases)
    return gates[:, None] * gates.conj()


def _in_basis(matrices: NDArray, before: Basis, after: Basis) -> NDArray[np.complex128]:
    """Return density matrices in another basis, shape (2^N, 2^N, states)."""
    for move in moves_between(before, after, DOUBLE):
        matrices = _on_both_sides(matrices, move)
    return matrices


def _on_both_sides(matrices: NDArray, move: Move) -> NDArray[np.complex128]:
    """Return V rho V^+ = V (V rho)^+, with the operation V on columns.

    Args:
        matrices: The Hermitian matrices rho, shape (2^N, 2^N, states).
        move: The operation.
    """
    for _ in range(2):
        columns = np.ascontiguousarray(matrices.conj().swapaxes(0, 1)).reshape(len(matrices), -1)
        batch = Batch(columns, np.empty_like(columns))
        batch.move(move)
        matrices = batch.states.reshape(matrices.shape)
    return matrices


class _Channel:
    """Dephasing and relaxation of all qubits, in the computational basis."""

    def __init__(self, num_qubits: int, rates: DecoherenceRates) -> None:
        self._num_qubits, self._rates = num_qubits, rates
        index = np.arange(1 << num_qubits)
        self._differing = np.bitwise_count(index[:, None] ^ index)[:, :, None]

    def applied(self, matrices: NDArray, time: float) -> NDArray[np.complex128]:
        """Return density matrices after some time, shape (2^N, 2^N, states); the given ones may change."""
        relaxation = self._rates.relaxation
        matrices *= np.exp(-(self._rates.dephasing + 0.5 * relaxation) * time * self._differing)
        if relaxation:
            kept = np.exp(-relaxation * time)
            for qubit in range(self._num_qubits):
                by_bit = matrices.reshape(
                    -1, 2, 1 << qubit, len(matrices) >> (qubit + 1), 2, 1 << qubit, matrices.shape[2]
                )
                excited = by_bit[:, 1, :, :, 1]
                by_bit[:, 0, :, :, 0] += (1.0 - kept) * excited
                excited *= kept
        return matrices
