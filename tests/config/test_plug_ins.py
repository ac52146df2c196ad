"""What other packages add by entry points is named in a configuration like what the package has."""

import json
import sys
from contextlib import nullcontext

import numpy as np
import pytest

from qep_qiskit.cli import main
from qep_qiskit.config import build, check_config
from qep_qiskit.config.backend import EXECUTORS
from qep_qiskit.config.cost import LOSSES
from qep_qiskit.config.preparation import PREPARATIONS
from qep_qiskit.config.schema import NETWORKS
from qep_qiskit.config.update import OPTIMIZERS
from qep_qiskit.config.variational import ANSATZES
from qep_qiskit.core.errors import ConfigError, NoLedgerWarning
from qep_qiskit.learning import STENCILS

_MODULE = """
from typing import Literal

from qiskit.providers.fake_provider import GenericBackendV2

from qep_qiskit.config.network_section import NetworkSection
from qep_qiskit.config.preparation_section import PreparationSection
from qep_qiskit.config.variational import AnsatzSection
from qep_qiskit.execution import StatevectorExecutor
from qep_qiskit.learning import GradientDescent, Stencil
from qep_qiskit.network.losses import SquaredError
from qep_qiskit.network import ClampedInputs, IsingNetwork, chain
from qep_qiskit.preparation import AdiabaticPreparation, HardwareEfficient


class Pair(NetworkSection):
    kind: Literal["pair"]

    def build(self, task, seeds, *, reads_spins):
        inputs = ClampedInputs.all_to(task.train.num_inputs, [0, 1])
        return IsingNetwork(graph=chain(2), outputs=(1,), inputs=inputs)


class Fast(PreparationSection):
    kind: Literal["fast"]
    time: float = 1.0

    def build(self, scene):
        return AdiabaticPreparation(total_time=self.time, steps=2)


class Product(AnsatzSection):
    kind: Literal["product"]

    def build(self, hamiltonian):
        return HardwareEfficient(0)


three_point = Stencil(weights={0: -1.5, 1: 2.0, 2: -0.5}, order=2)


def machine(num_qubits=2):
    return GenericBackendV2(num_qubits=num_qubits, seed=1, noise_info=False)


class Ideal:
    def __init__(self, seeds, num_qubits=4):
        self.inner = StatevectorExecutor(seeds)

    def submit(self, request):
        return self.inner.submit(request)

    def collect(self, job_handle):
        return self.inner.collect(job_handle)


def silent(seeds):
    return seeds


def plain(section):
    return GradientDescent()


loss = SquaredError
broken = 1
"""
_ENTRY_POINTS = """
[qep_qiskit.networks]
pair = extra_kinds:Pair
[qep_qiskit.preparations]
fast = extra_kinds:Fast
absent = extra_kinds:Absent
odd = extra_kinds:broken
[qep_qiskit.ansatzes]
product = extra_kinds:Product
[qep_qiskit.contrasts]
three_point = extra_kinds:three_point
[qep_qiskit.backends]
machine = extra_kinds:machine
[qep_qiskit.executors]
ideal = extra_kinds:Ideal
silent = extra_kinds:silent
[qep_qiskit.optimizers]
plain = extra_kinds:plain
[qep_qiskit.network.losses]
squares = extra_kinds:loss
"""
_CONFIG = """
task = {kind = "xor"}
network = {kind = "pair"}
preparation = {kind = "fast", time = 0.5}
contrast = {kind = "three_point", beta = 0.4}
execution = {backend = "machine"}
update = {kind = "plain"}
cost = {kind = "loss", loss = "squares"}
measurement = {shots = 20}
training = {epochs = 1, batch_size = 4}
budget = {samples = 1, shots = [20], betas = [0.4], contrasts = ["three_point", "three_point_negative"], \
repeats = 2, pilot_shots = 32, \
comparison_shots = [20]}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A configuration in a folder where a package with entry points is installed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "extra_kinds.py").write_text(_MODULE)
    installed = tmp_path / "extra_kinds-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: extra-kinds\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(_ENTRY_POINTS)
    path = tmp_path / "run.toml"
    path.write_text(_CONFIG)
    registries = (NETWORKS, PREPARATIONS, ANSATZES, STENCILS, EXECUTORS, OPTIMIZERS, LOSSES)
    before = [registry.entries for registry in registries]
    yield path
    sys.modules.pop("extra_kinds", None)
    for registry, entries in zip(registries, before, strict=True):
        registry._entries = entries


def test_train_and_gradient(config, capsys):
    assert main(["train", str(config), "--out", "run"]) == 0
    assert json.loads((config.parent / "run" / "config.json").read_text())["config"]["preparation"]["time"] == 0.5
    assert main(["gradient", str(config), "--sample", "1"]) == 0


def test_plan(config, capsys):
    pytest.importorskip("qiskit_ibm_runtime")
    assert main(["plan", str(config), "--backend", "fake_manila"]) == 0


@pytest.mark.deep
def test_budget(config, capsys, one_figure):
    assert main(["budget", str(config), "--study", "gradient", "--out", "study", "--jobs", "1"]) == 0
    page = (config.parent / "study" / "index.html").read_text()
    assert "three-point +" in page
    assert "three-point −" in page


def test_ansatz(config):
    content = {
        "task": {"kind": "xor"},
        "network": {"kind": "pair"},
        "preparation": {"kind": "variational", "ansatz": {"kind": "product"}},
    }
    assert build(check_config(content, "f")).estimator.preparation.ansatz.depth == 0


def test_executor(config):
    """The shots are those of the engine, which the executor of the plug-in asks."""
    base = {"task": {"kind": "xor"}, "network": {"num_spins": 3}, "preparation": {"kind": "fast", "time": 0.5}}
    found = []
    for execution in ({"backend": "ideal", "backend_options": {"num_qubits": 3}}, {"backend": "statevector"}):
        with pytest.warns(NoLedgerWarning) if execution["backend"] == "ideal" else nullcontext():
            trainer = build(check_config({**base, "training": {"epochs": 1}, "execution": execution}, "f")).trainer()
        trainer.run()
        found.append(trainer.weights)
    assert np.array_equal(*found)


@pytest.mark.parametrize(
    ("execution", "words"),
    [
        ({"backend": "ideal", "backend_options": {"spins": 1}}, "execution.backend: 'ideal' made no executor .TypeErr"),
        ({"backend": "silent"}, "execution.backend: expected 'silent' to make an executor, with submit and collect"),
    ],
)
def test_executors_that_are_none(config, execution, words):
    content = {"task": {"kind": "xor"}, "network": {"num_spins": 2}, "execution": execution}
    with pytest.raises(ConfigError, match=words):
        build(check_config(content, "f"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fasst", "preparation.kind: expected one of 'exact', .*'fast'.*, got 'fasst'"),
        ("absent", "preparation.kind: cannot load 'absent' from 'extra_kinds:Absent' .AttributeError"),
        ("odd", "preparation.kind: expected 'odd' of qep_qiskit.preparations to be a subclass of PreparationSection"),
    ],
)
def test_kinds_that_cannot_be_had(config, kind, words):
    with pytest.raises(ConfigError, match=words):
        check_config({"task": {"kind": "xor"}, "preparation": {"kind": kind}}, "f")


def test_unknown_key_of_a_plug_in(config):
    with pytest.raises(ConfigError, match=r"preparation\.tim: unknown key; did you mean 'time'\?"):
        check_config({"task": {"kind": "xor"}, "preparation": {"kind": "fast", "tim": 1.0}}, "f")


def test_stencil_of_a_plug_in_is_a_derivative(config):
    with pytest.warns(NoLedgerWarning):
        contrast = build(check_config({**_content(), "execution": {"backend": "machine"}}, "f")).estimator.contrast
    assert contrast.order == 2
    assert contrast.stencil @ np.exp(contrast.betas) == pytest.approx(1.0, abs=2e-4)


def _content():
    return {"task": {"kind": "xor"}, "network": {"num_spins": 2}, "contrast": {"kind": "three_point", "beta": 0.02}}
