"""Outcomes that the update of each weight needs: the locality of the learning rule.

The gradient of a weight is a contrast of <dH/dw>, so of every shot it needs only the bits of the qubits that dH/dw acts
on, in the free and the nudged phases. Beside these bits it depends on the nudge, which is the same for all weights.
With a loss on expectations the nudge is made of the error signals of the outputs, measured in the free phase.
Normalised updates depend on the length of the whole gradient as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qep_qiskit.measurement import MeasurementPlan, shared_plan
from qep_qiskit.network.nudge import NudgedHamiltonian


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMeasurement:
    """Outcomes of one group that the update of one weight needs.

    Args:
        weight: Name of the weight.
        group: Name of the measured group.
        products: Qubits of every measured term; the value of the term in a shot is the product of their signs.
    """

    weight: str
    group: str
    products: tuple[tuple[int, ...], ...]

    @property
    def qubits(self) -> tuple[int, ...]:
        """All qubits whose outcomes are needed, ascending."""
        return tuple(sorted({qubit for product in self.products for qubit in product}))


def locality(hamiltonian: NudgedHamiltonian, plan: MeasurementPlan | None = None) -> list[LocalMeasurement]:
    """Return the outcomes that the update of every weight needs, ordered by weight and then by group.

    Args:
        hamiltonian: Network and cost.
        plan: Measurement plan; by default one shared batch for every group of the Hamiltonian.
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
