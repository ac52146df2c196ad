"""Reference gradients of ``qep gradient --compare``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.config import Experiment
from qep_qiskit.core.components import widest_component
from qep_qiskit.core.errors import ConfigError, ResourceError
from qep_qiskit.core.memory import require_memory
from qep_qiskit.execution import Executor, RequestKey
from qep_qiskit.execution.matrix_products import MatrixProductExecutor
from qep_qiskit.learning import GradientEstimate, GradientEstimator
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.learning.finite_differences import finite_differences, idle_names
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import DmrgPreparation, ExactPreparation
from qep_qiskit.tasks import Dataset

_EXACT_UP_TO_SPINS = 20
_BYTES_OF_LANCZOS = 16 * 26  # for every amplitude
_BYTES_OF_SEARCH = 8 * 6
_FAR = 0.1
_SIGMAS = 4.0


def compare_exact(
    experiment: Experiment,
    weights: NDArray,
    sample: Dataset,
    estimate: GradientEstimate,
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    """Add the exact gradient (beta to 0) and the exact contrast (same beta) to the rows.

    Matrix product states of more spins than can be diagonalised are compared with those of twice the bond dimension.

    Args:
        experiment: The run.
        weights: Shape (weights,).
        sample: The training sample.
        estimate: The measured gradient.
        rows: One row per weight; changed in place.

    Returns:
        Facts about the comparison, for the printed result.
    """
    hamiltonian = experiment.estimator.hamiltonian
    config, finer = experiment.config, _finer(experiment)
    if finer is not None:
        return _compare_finer(finer, weights, sample, estimate, rows)
    states: dict[str, Any] = {
        "level": config.preparation.target_level,
        "temperature": config.preparation.state_temperature,
        "reference": experiment.reference,
    }
    exact = exact_gradient(hamiltonian, weights, sample.inputs, sample.targets, **states)
    ideal, executor = experiment.ideal
    work = ideal.estimate(weights, sample.inputs, sample.targets, RequestKey("compare", 0))
    contrast = run_measurements(work, executor)[0].gradient
    for row, true, finite_beta in zip(rows, exact.gradient, contrast, strict=True):
        error = row["standard_error"]
        row["exact"] = float(true)
        row["exact_contrast"] = float(finite_beta)
        row["pull"] = (row["gradient"] - row["exact"]) / error if error else None
    return {"exact_cost": exact.cost, **_distance(estimate.gradient, exact.gradient)}


def _can_be_exact(experiment: Experiment) -> bool:
    if experiment.config.network.is_in_space:
        return True
    hamiltonian, preparation = experiment.estimator.hamiltonian, experiment.config.preparation
    size = hamiltonian.num_qubits
    by_parts = preparation.state_temperature is not None
    if not by_parts and not hamiltonian.is_classical:
        by_parts = ExactPreparation(level=preparation.target_level).splits(hamiltonian.groups)
    size = widest_component(hamiltonian.groups) if by_parts else size
    return size <= _EXACT_UP_TO_SPINS


def _finer(experiment: Experiment) -> tuple[GradientEstimator, Executor, int] | None:
    """Return what states that are too wide to diagonalise are compared with; None where they are not, or no products.

    These are the same states with twice the bond dimension, which comes last: ground states, or those of circuits.
    """
    if _can_be_exact(experiment):
        return None
    estimator, executor = replace(experiment.estimator, shots=None), experiment.executor
    if isinstance(estimator.preparation, DmrgPreparation):
        states = estimator.preparation.finer
        return replace(estimator, preparation=states), executor, states.max_bond_dimension
    if isinstance(executor, MatrixProductExecutor):
        finer = executor.finer
        return estimator, finer, finer.limits.max_bond_dimension
    return None


def require_exact(experiment: Experiment) -> None:
    """Check that there is something to compare with, before anything is measured.

    Raises:
        ResourceError: States are too many to diagonalise the Hamiltonian, and are no matrix product states.
    """
    if _can_be_exact(experiment) or _finer(experiment) is not None:
        return
    is_classical = experiment.estimator.hamiltonian.is_classical
    matrices = experiment.config.preparation.state_temperature is not None and not is_classical
    try:
        require_memory(
            experiment.network.num_qubits,
            _BYTES_OF_SEARCH if is_classical else _BYTES_OF_LANCZOS,
            "--compare exact: diagonalisation",
            bits_per_qubit=2 if matrices else 1,
        )
    except ResourceError as error:
        raise ResourceError(
            f"{error}; preparation.kind = 'dmrg' and execution.backend = 'mps' are compared with twice their bond "
            "dimension instead"
        ) from None


def _compare_finer(
    finer: tuple[GradientEstimator, Executor, int],
    weights: NDArray,
    sample: Dataset,
    estimate: GradientEstimate,
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    """Add the contrast of matrix product states of a larger bond dimension, without shot noise, to the rows."""
    estimator, executor, bond_dimension = finer
    work = estimator.estimate(weights, sample.inputs, sample.targets, RequestKey("compare", 0))
    contrast = run_measurements(work, executor)[0]
    for row, value in zip(rows, contrast.gradient, strict=True):
        error = row["standard_error"]
        row["finer_contrast"] = float(value)
        row["pull"] = (row["gradient"] - float(value)) / error if error else None
    return {
        "finer_bond_dimension": bond_dimension,
        "finer_discarded_weight": contrast.diagnostics.discarded,
        **_distance(estimate.gradient, contrast.gradient),
    }


def require_differences(experiment: Experiment) -> None:
    """Check that finite differences are meaningful and free of charge.

    Raises:
        ConfigError: States are found from shots, or jobs would be submitted to a device.
    """
    if experiment.config.preparation.measures_energies:
        raise ConfigError(
            "--compare finite-difference: states that are found from shots scatter by more than a difference shows; "
            "set preparation.energies = 'simulated'"
        )
    if experiment.config.execution.is_remote:
        raise ConfigError(
            "--compare finite-difference: takes four circuits a weight with 20 000 shots each, too many for a device; "
            "use a configuration with a simulator, such as execution.backend = 'statevector'"
        )


def compare_finite_difference(
    experiment: Experiment,
    weights: NDArray,
    sample: Dataset,
    estimate: GradientEstimate,
    rows: list[dict[str, Any]],
) -> dict[str, Any]:
    """Add the derivative of the reported cost by finite differences to the rows.

    Args:
        experiment: The run.
        weights: Shape (weights,).
        sample: The training sample.
        estimate: The measured gradient.
        rows: One row per weight; changed in place.

    Returns:
        Facts about the comparison, for the printed result.
    """
    found = finite_differences(experiment.estimator, experiment.executor, weights, sample.inputs, sample.targets)
    errors = np.hypot(np.nan_to_num(estimate.standard_error), np.nan_to_num(found.error))
    for row, value, left, error in zip(rows, found.gradient, found.error, errors, strict=True):
        row["finite_difference"], row["finite_difference_error"] = float(value), float(left)
        row["pull"] = (row["gradient"] - float(value)) / float(error) if row["standard_error"] and error else None
    distance = _distance(estimate.gradient, found.gradient)
    deviation = float(np.linalg.norm(estimate.gradient - found.gradient))
    length = float(np.linalg.norm(found.gradient))
    return {
        "finite_difference_shots": found.shots,
        "finite_difference_circuits": found.usage.circuits,
        "finite_difference_agrees": deviation <= max(_FAR * length, _SIGMAS * float(np.linalg.norm(errors))),
        "idle": idle_names(experiment.network, weights, sample.inputs, sample.input_names),
        **distance,
    }


def _distance(gradient: NDArray, reference: NDArray) -> dict[str, float | None]:
    deviation = float(np.linalg.norm(gradient - reference))
    lengths = float(np.linalg.norm(reference)), float(np.linalg.norm(gradient))
    return {
        "relative_error": deviation / lengths[0] if lengths[0] else None,
        "cosine": float(gradient @ reference) / (lengths[0] * lengths[1]) if all(lengths) else None,
    }
