"""CONTRIBUTING: the package of its how-tos is installed, tested and trained with; its table names every package."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from test_architecture import PACKAGE

from qep_qiskit.config import build, check_config
from qep_qiskit.config.backend import EXECUTORS
from qep_qiskit.config.cost import COSTS, LOSSES
from qep_qiskit.config.preparation import PREPARATIONS
from qep_qiskit.config.schema import NETWORKS
from qep_qiskit.config.update import OPTIMIZERS
from qep_qiskit.config.variational import ANSATZES
from qep_qiskit.learning import STENCILS

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", TEXT, flags=re.DOTALL)
MODULES = {name: text for name, text in BLOCKS if name.startswith("my_package/")}
TESTS = {name: text for name, text in BLOCKS if name.startswith("tests/")}
RUNS = [text for name, text in BLOCKS if name == "run.toml"]
REGISTRIES = (ANSATZES, COSTS, EXECUTORS, LOSSES, NETWORKS, OPTIMIZERS, PREPARATIONS, STENCILS)
TINY = """
task = {kind = "xor"}
network = {num_spins = 2}
preparation = {kind = "adiabatic", total_time = 0.5, steps = 2}
measurement = {shots = 20}
training = {epochs = 1, batch_size = 4}
"""
QUIET = pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.QepWarning")  # tiny runs are no good ones


@pytest.fixture
def my_package(tmp_path, monkeypatch):
    """The package of the how-tos, installed."""
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    installed = tmp_path / "my_package-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    groups = tomllib.loads(dict(BLOCKS)["pyproject.toml"])["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "\n".join(f"{kind} = {where}" for kind, where in found.items())
        for group, found in groups.items()
    ]
    (installed / "entry_points.txt").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "_entries", registry.entries)
    yield groups
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", TESTS)
def test_tests_of_the_package(name, my_package):
    found = {}
    exec(compile(TESTS[name], name, "exec"), found)
    tests = [value for key, value in found.items() if key.startswith("test_")]
    assert tests
    for test in tests:
        test()


@QUIET
@pytest.mark.parametrize("text", RUNS)
def test_kinds_train(text, my_package):
    experiment = build(check_config(tomllib.loads(TINY) | tomllib.loads(text), "run.toml"))
    assert experiment.trainer(experiment.callbacks()).run() == "finished"


def test_every_kind_of_the_package_is_tried(my_package):
    kinds = {kind for found in my_package.values() for kind in found}
    assert {kind for kind in kinds if not re.search(rf'"{kind}"', "\n".join(RUNS))} == set()
    assert {f"my_package/{Path(name).stem.removeprefix('test_')}.py" for name in TESTS} == set(MODULES)


def test_the_table_names_every_package():
    named = set(re.findall(r"^\| `(\w+)/` \|", TEXT, flags=re.MULTILINE))
    assert named == {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
