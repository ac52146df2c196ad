"""Tables of a cost estimate: cost of a run on a device, its breakdown, and possible savings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qep_qiskit.core.amounts import amount, percent
from qep_qiskit.device.usage import QPU_SECONDS
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.tables import training_summary

_SHOWN_GATES = 4
_OF_IBM = ("qpu_seconds", "payload_bytes")
_COSTS = {
    "jobs": "jobs",
    "circuits": "circuits",
    "executions": "executions",
    "payload_bytes": "payload",
    "qpu_seconds": "QPU seconds",
}


def cost_table(plan: Mapping[str, Any], *, title: str | None = None) -> FittedTable:
    """Return a table of the cost of one step and of the whole run.

    Args:
        plan: Record of the estimate: `step` and `run` with their costs, and `steps`.
        title: Line above the table.
    """
    columns = ("", "one step", f"the run ({amount(plan['steps'], 'step')})")
    costs = _COSTS | ({} if plan["unit"] in ("", QPU_SECONDS) else {"price": plan["unit"]})
    rows = [
        (name, *(_cost(key, plan[part][key]) for part in ("step", "run")))
        for key, name in costs.items()
        if key not in _OF_IBM or plan["unit"] == QPU_SECONDS
    ]
    return FittedTable.of(columns, rows, title, right=columns[1:])


def _cost(key: str, value: float) -> str:
    if key == "payload_bytes":
        return _bytes(int(value))
    return _seconds(value) if key in ("qpu_seconds", "price") else f"{value:,}"


def allocation_table(plan: Mapping[str, Any]) -> FittedTable:
    """Return a table of the QPU seconds of every phase and group.

    Args:
        plan: Record of the estimate: `shot_fractions` and `run`.
    """
    numbers, rows, total = ("executions", "one step", "the run", "share"), [], plan["run"]["qpu_seconds"]
    for share in plan["shot_fractions"]:
        overhead = share["group"] is None
        place = ("2 s a job", "", "") if overhead else (share["phase"], share["group"], f"{share['executions']:,}")
        step = _seconds(share["step_seconds"]) if share["step_seconds"] else ""
        rows.append((*place, step, _seconds(share["qpu_seconds"]), f"{100 * share['qpu_seconds'] / total:.1f} %"))
    return FittedTable.of(("phase", "group", *numbers), rows, "QPU seconds by phase and group", right=numbers)


def transpilation_table(program: Mapping[str, Any]) -> FittedTable:
    """Return a table of the physical qubits and gates of a program, and the fraction of the signal that survives."""
    helpers = program["helpers"]
    rows = [
        ("physical qubits", ", ".join(map(str, program["qubits"]))),
        *([("and to route", ", ".join(map(str, helpers)))] if helpers else []),
        ("two-qubit gates", f"{program['two_qubit_gates']:,} in {program['two_qubit_depth']:,} layers"),
        ("depth", f"{program['depth']:,}"),
        ("circuit", f"{1e6 * program['circuit_seconds']:.1f} us"),
        ("template", f"{_bytes(program['template_bytes'])}, {amount(program['parameters'], 'parameter')}"),
        (
            "signal that survives",
            f"about {percent(program['signal'])}: gates {percent(program['gate_signal'])}, readout "
            f"{percent(program['readout_signal'])} (a crude estimate: every error is taken to destroy it)",
        ),
        *([("do not work", _broken(program["broken"]))] if program.get("broken") else []),
    ]
    return training_summary(rows, title="circuits after transpilation")


def _broken(gates: Sequence[str]) -> str:
    more = f" and {len(gates) - _SHOWN_GATES} more" if len(gates) > _SHOWN_GATES else ""
    return "; ".join(gates[:_SHOWN_GATES]) + more


def savings_table(savings: Sequence[Mapping[str, Any]]) -> FittedTable:
    """Return a table of changes and the QPU seconds that each saves in the run."""
    rows = [(f"{_seconds(saving['qpu_seconds'])} s", saving["change"], saving["price"]) for saving in savings]
    title = "what would make it cheaper, each alone"
    return FittedTable.of(("saves", "change", "price"), rows, title, right=("saves",))


def _seconds(value: float) -> str:
    return f"{value:,.1f}" if value >= 0.995 else f"{value:.2g}"


def _bytes(value: int) -> str:
    if value < 1_000:
        return f"{value} B"
    return f"{value / 1e3:,.0f} kB" if value < 1_000_000 else f"{value / 1e6:,.1f} MB"
