"""Which outcomes the update of each weight needs: the learning rule seen as local.

The gradient of a weight is a contrast of <dH/dw>, so of every shot it needs the bits of the qubits that dH/dw acts on,
free and nudged, and of no others. What else reaches it is one number for all: the nudge, with a loss on expectations
through the error signals of the outputs, which the free phase gives once a sample. (Normalised updates add the length
of the whole gradient.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qep_qiskit.measurement import MeasurementPlan, shared_plan
from qep_qiskit.network.nudge import NudgedHamiltonian


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMeasurement:
    """What one weight needs of the shots of one group.

    Args:
        weight: Name of the weight.
        group: Name of the shared batch.
        products: Qubits of every term that is read: its value in a shot is the product of their signs.
    """

    weight: str
    group: str
    products: tuple[tuple[int, ...], ...]

    @property
    def qubits(self) -> tuple[int, ...]:
        """All qubits whose outcomes are needed, in order."""
        return tuple(sorted({qubit for product in self.products for qubit in product}))


def locality(hamiltonian: NudgedHamiltonian, plan: MeasurementPlan | None = None) -> list[LocalMeasurement]:
    """What the update of every weight needs, weight by weight and within a weight group by group.

    Args:
        hamiltonian: Network and cost.
        plan: Which shared batches are measured; one for every group of the Hamiltonian by default.
    """
    network = hamiltonian.network
    plan = shared_plan(hamiltonian.groups) if plan is None else plan
    inputs = np.ones((1, network.num_inputs))
    jacobian = plan.jacobian(hamiltonian.jacobian(np.ones(network.layout.num_weights), inputs))
    place = {
        estimate: (g, row)
        for g, estimates in enumerate(plan.estimates)
        for row, estimate in enumerate(estimates.tolist())
    }
    found: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for weight, estimate in sorted(zip(jacobian.weight.tolist(), jacobian.term.tolist(), strict=True)):
        g, row = place[estimate]
        found.setdefault((weight, g), []).append(plan.groups[g].sites[row])
    return [
        LocalMeasurement(weight=network.layout.names[weight], group=plan.groups[g].name, products=tuple(products))
        for (weight, g), products in found.items()
    ]
