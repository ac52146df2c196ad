"""Providers whose transpilers take no free angles: every circuit is bound first, and transpiled on its own."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

_HOOKS = ("get_translation_stage_plugin", "get_scheduling_stage_plugin")


def takes_free_angles(backend: BackendV2, optimization_level: int) -> bool:
    """Whether the transpiler of a backend takes circuits whose angles are not bound yet.

    Qiskit's own does; a provider can add stages of its own, and some of these compute with the angles.

    Args:
        backend: The backend.
        optimization_level: Of the transpiler.
    """
    if not any(hasattr(backend, hook) for hook in _HOOKS):
        return True
    circuit, angle = QuantumCircuit(2), Parameter("angle")
    circuit.rx(angle, 0)
    circuit.rz(angle, 0)
    circuit.rzz(angle, 0, 1)
    try:
        generate_preset_pass_manager(optimization_level=optimization_level, backend=backend).run(circuit)
    except Exception:  # a provider's transpiler may raise anything
        return False
    return True


def transpiled(
    circuits: list[QuantumCircuit], *, backend: BackendV2, optimization_level: int, seed: int
) -> list[QuantumCircuit]:
    """Bound circuits as a backend runs them.

    Args:
        circuits: The circuits, all angles bound.
        backend: The backend.
        optimization_level: Of the transpiler.
        seed: Of the transpiler.
    """
    made = generate_preset_pass_manager(optimization_level=optimization_level, backend=backend, seed_transpiler=seed)
    return list(made.run(circuits))
