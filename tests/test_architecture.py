"""Imports run one way, Aer and the IBM runtime stay behind one module, and public names are there."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import qep_qiskit

PACKAGE = Path(qep_qiskit.__file__).parent

# A module imports only from packages above its own in this list.
PACKAGES = [
    "core",
    "outcomes",
    "evolution",
    "ansatz",
    "tasks",
    "network",
    "execution",
    "measurement",
    "preparation",
    "continuous",
    "device",
    "learning",
    "report",
    "config",
    "runs",
    "sklearn",
    "jax",
    "torch",
    "budget",
    "plan",
    "cli",
    "__main__",
]
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.relative_to(PACKAGE).parts != ("__init__.py",)]


def package_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported_modules(path):
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    return found


def test_imports_run_one_way():
    upward = [
        f"{path.relative_to(PACKAGE)} imports {module}"
        for path in FILES
        for module in imported_modules(path)
        if module.startswith("qep_qiskit.") and PACKAGES.index(module.split(".")[1]) > PACKAGES.index(package_of(path))
    ]
    assert upward == []


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def submodules(path):
    """Names that a file imports from packages; some of them are modules."""
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{alias.name}" for node in nodes for alias in node.names}


def test_no_files_import_each_other_in_a_circle():
    """Also not for annotations alone."""
    files = {module_of(path): path for path in FILES}
    imports = {module: files.keys() & {*imported_modules(path), *submodules(path)} for module, path in files.items()}
    circles = []
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        circles.append(error.args[1])
    assert circles == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [
        ("qiskit_aer", {"aer.py"}),
        (
            "qiskit_ibm_runtime",
            {"aer.py", "ibm.py", "ibm_client.py", "ibm_local.py", "ibm_login.py", "ibm_modes.py", "ibm_payload.py"},
        ),  # the snapshots of devices, the service and its sampler
        ("distributed", {"cluster.py"}),
        ("pyarrow", {"table.py"}),
        ("openqasm3", {"qasm_file.py"}),
        ("qiskit_qasm3_import", {"qasm_file.py"}),
    ],
)
def test_simulators_services_and_parsers_stay_behind_one_module(library, homes):
    users = {path.name for path in FILES if any(m.split(".")[0] == library for m in imported_modules(path))}
    assert users == homes


def test_every_package_is_in_the_list():
    found = {package_of(path) for path in FILES}
    assert found == set(PACKAGES)


def test_public_names_are_there_and_import_is_lazy():
    assert all(hasattr(qep_qiskit, name) for name in qep_qiskit.__all__)
    code = "import sys, qep_qiskit, qep_qiskit.cli; print('qiskit' in sys.modules or 'matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
