"""Networks in notebooks."""

from __future__ import annotations

from typing import Any

from qep_qiskit.core.amounts import amount
from qep_qiskit.core.html_table import html_table


def network_html(network: Any) -> str:
    """Return a short table of a network: its size, weights and groups; the ``_repr_html_`` of networks.

    Args:
        network: A `Network`.
    """
    layout = network.layout
    trained = f"{layout.num_weights}, {int(layout.trainable().sum())} of them trained"
    counts = {"qubits": network.num_qubits, "inputs": network.num_inputs, "outputs": _listed(network.outputs)}
    blocks = {f"weights {block.symbol}": _listed(block.names) for block in layout.blocks if block.names}
    groups = {f"group {group.name}": amount(len(group.terms), "term") for group in network.groups}
    return html_table(type(network).__name__, (), [*(counts | {"weights": trained} | blocks | groups).items()])


def _listed(names: tuple[Any, ...]) -> str:
    return ", ".join(map(str, names if len(names) <= 4 else (*names[:3], "...", names[-1]))) or "none"
