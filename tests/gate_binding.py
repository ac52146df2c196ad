"""Values for the gates of a lowered program, in the order of a circuit's parameters."""

from qep_qiskit.execution.circuits import filled


def bind_gates(circuit, values):
    """Shape (states, parameters), from rotations of shape (states, rotations)."""
    return filled(circuit, {f"g[{index}]": column for index, column in enumerate(values.T)}, (len(values),))
