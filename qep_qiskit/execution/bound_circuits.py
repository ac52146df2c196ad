"""Providers whose transpilers accept no free angles: every circuit is bound first, and transpiled separately."""

from __future__ import annotations

from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.providers import BackendV2
from qiskit.transpiler import generate_preset_pass_manager

_HOOKS = ("get_translation_stage_plugin", "get_scheduling_stage_plugin")


def takes_free_angles(backend: BackendV2, optimization_level: int) -> bool:
    """Whether the transpiler of a backend accepts circuits with unbound angles.

    Qiskit's own does; a provider can add stages of its own, and some of these compute with the angles.

    Args:
        backend: The backend.
        optimization_level: Optimisation level of the transpiler, 0 to 3.
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
    """Transpile bound circuits for a backend.

    Args:
        circuits: The circuits, all angles bound.
        backend: The backend.
        optimization_level: Optimisation level of the transpiler, 0 to 3.
        seed: Seed of the transpiler.
    """
    made = generate_preset_pass_manager(optimization_level=optimization_level, backend=backend, seed_transpiler=seed)
    return list(made.run(circuits))
