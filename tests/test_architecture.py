"""The house: imports run one way, Aer and the IBM runtime stay behind one file, and public names are there."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import qep_qiskit

PACKAGE = Path(qep_qiskit.__file__).parent

# A file imports only rooms above its own; rooms on one line do not know each other's insides in a circle.
ROOMS = [
    "errors",
    "short_repr",
    "checks",
    "registry",
    "warning_log",
    "files",
    "seeds",
    "memory",
    "transforms",
    "operators",
    "observables",
    "groups",
    "merging",
    "bases",
    "expressions",
    "program",
    "outcomes",
    "prepared",
    "coordinates",
    "points",
    "gaussian",
    "elastic",
    "ansatz",
    "evolution",
    "tasks",
    "network",
    "losses",
    "checked_loss",
    "cost",
    "nudge",
    "execution",
    "measurement",
    "preparation",
    "learning",
    "budget",
    "report",
    "config",
    "studies",
    "cli",
    "__main__",
]
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts != ("__init__.py",)]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_imports_run_one_way():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in FILES
        for module in imported_modules(path)
        if module.startswith("qep_qiskit.") and ROOMS.index(module.split(".")[1]) > ROOMS.index(room_of(path))
    ]
    assert upward == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("qiskit_aer", {"aer.py"}),
        (
            "qiskit_ibm_runtime",
            {"aer.py", "ibm.py", "ibm_client.py", "ibm_local.py", "ibm_modes.py"},
        ),  # the snapshots of devices, the service and its sampler
        ("distributed", {"cluster.py"}),
        ("pyarrow", {"table.py"}),
        ("openqasm3", {"qasm_file.py"}),
        ("qiskit_qasm3_import", {"qasm_file.py"}),
    ],
)
def test_simulators_services_and_parsers_stay_behind_one_file(library, homes):
    users = {path.name for path in FILES if any(m.split(".")[0] == library for m in imported_modules(path))}
    assert users == homes


def test_every_room_is_in_the_plan():
    rooms = {room_of(path) for path in FILES}
    assert rooms == set(ROOMS)


def test_public_names_are_there_and_import_is_lazy():
    assert all(hasattr(qep_qiskit, name) for name in qep_qiskit.__all__)
    code = "import sys, qep_qiskit, qep_qiskit.cli; print('qiskit' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
