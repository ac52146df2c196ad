"""What is imported is declared, and the lowest versions that are declared are those that are tested."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OPTIONAL = {
    "distributed",
    "dwave-networkx",
    "jax",
    "joblib",
    "mlflow",
    "netket",
    "pandas",
    "physics-tenpy",
    "pyarrow",
    "qiskit-ibm-runtime",
    "requests",
    "scikit-learn",
    "shtab",
    "tensorboardx",
    "threadpoolctl",
    "torch",
    "urllib3",
}
DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "dwave_networkx": "dwave-networkx",
    "tenpy": "physics-tenpy",
    "tensorcircuit": "tensorcircuit-ng",
}
OWN = {"qep_qiskit", "loopback", "benchmarks"} | {
    path.stem for folder in ("tests", "benchmarks") for path in (ROOT / folder).glob("*.py")
}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def bounds(requirements):
    """Lowest versions by name, those of extras that are named included; "" for any version."""
    found = {}
    for requirement in requirements:
        name, extras, rest = re.fullmatch(r"([\w.-]+)(?:\[([\w,]+)\])?(.*)", requirement).groups()
        if canonical(name) == "qep-qiskit":
            for extra in extras.split(","):
                found |= bounds(EXTRAS[extra])
        else:
            found[canonical(name)] = rest.removeprefix(">=").split(",")[0]
    return found


def imported(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                names = [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names | OWN:
                    yield canonical(DISTRIBUTIONS.get(top, top))


def test_all_that_the_package_imports_is_declared():
    # The others must be had by a plain install; an extra may raise their versions, which declares nothing.
    assert set(imported("qep_qiskit")) - bounds(PROJECT["dependencies"]).keys() == OPTIONAL
    assert (
        bounds(
            [
                "qep_qiskit[ibm,cluster,parquet,completion,pandas,sklearn,jax,torch,tensorboard,mlflow,neural,tensor,ocean,cores]"
            ]
        ).keys()
        >= OPTIONAL
    )


@pytest.mark.parametrize("folder", ["tests", "benchmarks"])
def test_all_that_tests_and_benchmarks_import_is_declared(folder):
    compared = (ROOT / "benchmarks" / "peers" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    compared = [line for line in compared if folder == "benchmarks" and not line.startswith("#")]
    assert set(imported(folder)) - bounds([*PROJECT["dependencies"], "qep_qiskit[dev]", *compared]).keys() == set()


@pytest.mark.parametrize(
    ("file", "extras"),
    [("constraints-minimum.txt", "test,cluster,parquet"), ("constraints-minimum-ibm.txt", "test,ibm")],
)
def test_the_constraints_are_the_lower_bounds(file, extras):
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    pinned = {canonical(name): version for name, version in (line.split("==") for line in lines if "==" in line)}
    declared = bounds([*PROJECT["dependencies"], f"qep_qiskit[{extras}]"])
    assert pinned == {name: version for name, version in declared.items() if version}
