"""A loss of one's own lies beside the configuration, and the run keeps it."""

import json
import shutil
import sys

import pytest

_LOSS = """
import numpy as np
from dataclasses import dataclass
from __HELPER__ import power
from qep_qiskit import CustomLoss
loss = CustomLoss(lambda o, y: SCALE * (np.abs(o - y) ** power).sum(axis=1))
"""


@pytest.fixture
def beside(here):
    """Writes the configuration with a loss of its own into a folder that is not the working directory."""

    def write(name, scale=1.0, helper="power_of_loss"):
        folder = here / name
        folder.mkdir()
        (folder / "my_loss.py").write_text(_LOSS.replace("SCALE", str(scale)).replace("__HELPER__", helper))
        (folder / "power_of_loss.py").write_text("power = 2\n")
        text = (here / "exact.toml").read_text()
        (folder / "own.toml").write_text(text + '\n[cost]\nkind = "loss"\nloss = "my_loss:loss"\n')
        return folder

    return write


def losses(folder):
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [record["train_loss"] for record in map(json.loads, lines) if record["event"] == "epoch"]


def ends(folder):
    return {name: value["end"] for name, value in json.loads((folder / "weights.json").read_text()).items()}


def test_found_beside_the_configuration(qep, here, beside):
    folder, path = beside("elsewhere"), sys.path.copy()
    result = qep("train", folder / "own.toml", "--out", "run")
    assert (result.code, result.err) == (0, "")
    assert sys.path == path
    assert "my_loss" not in sys.modules
    assert qep("train", "exact.toml", "--out", "shipped").code == 0
    assert losses(here / "run") == pytest.approx(losses(here / "shipped"))


def test_modules_of_the_same_name_stay_apart(qep, here, beside):
    """In one process: the second configuration is trained with its own loss, not with that of the first."""
    for name, scale in (("one", 1.0), ("two", 3.0)):
        assert qep("train", beside(name, scale) / "own.toml", "--out", f"run-{name}").code == 0
    assert losses(here / "run-two")[0] == pytest.approx(3 * losses(here / "run-one")[0])


def test_a_run_keeps_its_loss(qep, here, beside, stopped, monkeypatch):
    folder = beside("elsewhere")
    assert qep("train", folder / "own.toml", "--out", "whole").code == 0
    halted = stopped(folder / "own.toml", here / "halted", 3)
    changed = shutil.copytree(halted, here / "changed")
    source = folder / "my_loss.py"
    source.write_text(source.read_text().replace("1.0 *", "5.0 *"))
    result = qep("resume", changed)
    lines = [line for line in result.err.splitlines() if "has changed since the run began" in line]
    assert (result.code, len(lines)) == (0, 1)
    assert str(source) in lines[0]
    assert ends(changed) == ends(here / "whole")
    source.unlink()
    moved = here / "far" / "away"
    moved.parent.mkdir()
    halted.rename(moved)
    monkeypatch.chdir(moved.parent)
    result = qep("resume", moved)
    assert (result.code, result.err) == (0, "")
    assert ends(moved) == ends(here / "whole")


def test_what_it_imports_must_be_there(refused, beside):
    said = refused("train", beside("elsewhere", helper="lost_module") / "own.toml")
    assert "cost.loss: cannot import 'my_loss:loss' (ModuleNotFoundError: No module named 'lost_module')" in said
