"""A gradient in one call, without a training around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qep_qiskit.core.errors import ConfigError, DataError, NetworkError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import Executor, RequestKey, StatevectorExecutor
from qep_qiskit.learning.contrast import Contrast
from qep_qiskit.learning.fluctuations import FluctuationEstimator
from qep_qiskit.learning.gradient import GradientEstimator
from qep_qiskit.learning.gradient_estimate import GradientEstimate
from qep_qiskit.learning.gradient_monitor import check_estimate
from qep_qiskit.learning.holomorphic import HolomorphicEstimator
from qep_qiskit.learning.linear_response import LinearResponseEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import Network
from qep_qiskit.network.cost_interface import Cost
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation, ExactSearch, Preparation


def gradient(
    network: Network,
    cost: Cost,
    weights: ArrayLike | Mapping[str, float],
    x: ArrayLike = (),
    y: ArrayLike = (),
    *,
    preparation: Preparation | None = None,
    contrast: Contrast | None = None,
    shots: int | None = None,
    executor: Executor | None = None,
    seed: int = 0,
) -> GradientEstimate:
    """Measure the gradient of the cost at one sample, or of the mean cost of a batch.

    Args:
        network: The network.
        cost: Cost of one sample.
        weights: Shape (weights,), or all weights by name.
        x: Inputs, shape (inputs,) for one sample or (samples, inputs).
        y: Targets, shape (targets,) for one sample or (samples, targets).
        preparation: Method that prepares the states; exact ground states by default.
        contrast: Nudges and finite-difference weights; symmetric by default, with beta = 1e-3 for exact expectations
            and 0.1 for shots.
        shots: Shots of each batch; None for exact expectations.
        executor: Runs the circuits; an ideal simulation by default.
        seed: Seed of that simulation.

    Returns:
        The gradient with its standard errors; `by_name` has them by the names of the weights.

    Raises:
        NetworkError: The weights do not fit the network.
        DataError: Inputs or targets do not fit the network and the cost.
        ConfigError: The number of shots, the preparation or the contrast cannot be used.

    Example:
        >>> network = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(1, [0]))
        >>> cost = qep.LossOnExpectations.on_outputs(network)
        >>> estimate = qep.gradient(network, cost, np.full(6, 0.5), x=[1.0], y=[-1.0], shots=1000)
        >>> value, standard_error = estimate.by_name["h[1]"]
        >>> exact, _ = qep.gradient(network, cost, np.full(6, 0.5), x=[1.0], y=[-1.0]).by_name["h[1]"]
        >>> abs(value - exact) < 3 * standard_error
        True
    """
    hamiltonian = NudgedHamiltonian(network, cost)
    contrast = contrast or Contrast(beta=1e-3 if shots is None else 0.1)
    if preparation is None:
        if not network.num_qubits:
            raise ConfigError("preparation: a network of atoms needs a GaussianPreparation or EquilibriumPreparation")
        preparation = ExactSearch() if hamiltonian.is_classical else ExactPreparation()
    estimator = estimator_of(contrast.kind)(
        hamiltonian=hamiltonian,
        preparation=preparation,
        contrast=contrast,
        shots=shots,
        measures_free_cost=True,
    )
    inputs, targets = _rows("x", x), _rows("y", y)
    work = estimator.estimate(_vector(network, weights), inputs, targets, RequestKey("gradient", 0))
    estimate, _ = run_measurements(work, StatevectorExecutor(Seeds(seed)) if executor is None else executor)
    check_estimate(estimate, network.layout.trainable())
    return replace(estimate, names=network.layout.names)


def _vector(network: Network, weights: ArrayLike | Mapping[str, float]) -> NDArray[np.float64]:
    if not isinstance(weights, Mapping):
        return np.asarray(weights, dtype=np.float64)
    missing = [name for name in network.layout.names if name not in weights]
    if missing:
        raise NetworkError(f"weights: expected every weight by name; missing: {', '.join(missing)}")
    return network.layout.vector_of(weights)


def _rows(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return one sample or a batch as rows."""
    try:
        rows = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name}: expected numbers, one row for each sample") from None
    if rows.ndim > 2:
        raise DataError(f"{name}: expected one sample or one row for each sample, got shape {rows.shape}")
    return rows if rows.ndim == 2 else rows.reshape(1, -1)


_NUDGELESS = {kind.nudgeless: kind for kind in (FluctuationEstimator, LinearResponseEstimator, HolomorphicEstimator)}


def estimator_of(contrast_kind: str) -> type[GradientEstimator]:
    """Return the class of estimators for a kind of contrast.

    Args:
        contrast_kind: Kind of a `Contrast`.
    """
    return _NUDGELESS.get(contrast_kind, GradientEstimator)
