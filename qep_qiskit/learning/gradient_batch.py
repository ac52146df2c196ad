"""A batch of samples whose gradient is measured."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from numpy.typing import NDArray

from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.replicates import Replication
from qep_qiskit.measurement import Calibrations
from qep_qiskit.preparation import WarmStartArrays


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GradientBatch:
    """Samples with weights, and what is known of their states.

    Args:
        weights: Shape (weights,).
        inputs: Shape (samples, inputs).
        targets: Shape (samples, targets).
        key: Key of the first request; later stages count up from it.
        warm_start: Warm-start arrays of these samples (`GradientEstimate.warm_start`).
        calibrations: Valid readout calibrations by name, to which new ones are added in place; or None.

    Example:
        >>> key = qep.RequestKey("demo", 0)
        >>> batch = qep.GradientBatch(weights=np.ones(2), inputs=np.zeros((3, 1)), targets=np.ones((3, 1)), key=key)
        >>> len(batch.inputs)
        3
    """

    weights: NDArray
    inputs: NDArray
    targets: NDArray
    key: RequestKey
    warm_start: WarmStartArrays = field(default_factory=dict)
    calibrations: Calibrations | None = None

    def tiled(self, replication: Replication) -> GradientBatch:
        """Return the replicates of the samples as further samples of one batch."""
        return replace(
            self,
            inputs=replication.tiled(self.inputs),
            targets=replication.tiled(self.targets),
            warm_start={name: replication.tiled(array) for name, array in self.warm_start.items()},
        )
