"""Grids of settings of other methods, so that each method is compared at its best setting and at equal shots."""

from __future__ import annotations

from collections.abc import Sequence

from qep_qiskit.budget.baselines import SPSA, FiniteDifferences
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.network.nudge import NudgedHamiltonian

SHIFTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Candidate shifts of weights of order one, which include the best ones for some hundred to a million shots."""


def finite_difference_candidates(
    hamiltonian: NudgedHamiltonian, *, total_shots: int, num_samples: int = 1, shifts: Sequence[float] = SHIFTS
) -> tuple[FiniteDifferences, ...]:
    """Return finite differences that distribute the given shots evenly over their evaluations.

    Args:
        hamiltonian: Network and cost, which give the number of trained weights and of groups of the cost.
        total_shots: Shots of one gradient, summed over all samples.
        num_samples: Number of samples of a batch.
        shifts: Candidate shifts.

    Returns:
        One candidate per shift; none where the shots are too few for one shot per evaluation.

    Raises:
        ConfigError: No shots, samples or shifts are given.
    """
    _check(total_shots, num_samples, shifts)
    batches = 2 * int(hamiltonian.network.layout.trainable().sum()) * _batches(hamiltonian, num_samples)
    shots = total_shots // batches if batches else 0
    if shots < hamiltonian.cost.fewest_shots:
        return ()
    return tuple(FiniteDifferences(delta=delta, shots=shots) for delta in shifts)


def spsa_candidates(
    hamiltonian: NudgedHamiltonian,
    *,
    total_shots: int,
    seeds: Seeds,
    num_samples: int = 1,
    shifts: Sequence[float] = SHIFTS,
    circuits: int | None = None,
) -> tuple[SPSA, ...]:
    """Return SPSA with the given shots distributed over about 1, 2, 4, ... random sign vectors, for every shift.

    Numbers of sign vectors are increased where that leaves fewer shots unused; the last one is the largest that the
    shots allow. A loss on expectations needs at least two shots per evaluation, because with one shot it is biased for
    every shift; a squared error is then replaced by the operator cost.

    Args:
        hamiltonian: Network and cost.
        total_shots: Shots of one gradient, summed over all samples.
        seeds: Root of the random signs.
        num_samples: Number of samples of a batch.
        shifts: Candidate shifts.
        circuits: Limit on the bound circuits of one sample, such as the 4 of a symmetric contrast in two groups; None
            for no limit.

    Returns:
        Every number of sign vectors with every shift; none where the shots or circuits are too few for one.

    Raises:
        ConfigError: No shots, samples or shifts are given.
    """
    _check(total_shots, num_samples, shifts)
    batches = 2 * _batches(hamiltonian, num_samples)
    most = total_shots // (batches * hamiltonian.cost.fewest_shots)
    if circuits is not None:
        most = min(most, circuits // (2 * len(hamiltonian.cost_groups)))
    splits: dict[int, int] = {}
    for power in range(most.bit_length()):
        shots = total_shots // (batches << power)
        splits[shots] = min(most, total_shots // (batches * shots))
    if most:
        splits[total_shots // (batches * most)] = most
    return tuple(
        SPSA(perturbation=shift, perturbations=count, shots=shots, seeds=seeds)
        for shots, count in splits.items()
        for shift in shifts
    )


def _batches(hamiltonian: NudgedHamiltonian, num_samples: int) -> int:
    """Return the number of shot batches of one evaluation."""
    return len(hamiltonian.cost_groups) * num_samples


def _check(total_shots: int, num_samples: int, shifts: Sequence[float]) -> None:
    if total_shots < 1 or num_samples < 1:
        raise ConfigError(f"budget: expected at least 1 shot and 1 sample, got {total_shots} and {num_samples}")
    if not shifts:
        raise ConfigError("budget: expected at least one shift of the weights to choose from, got none")
