"""A run starts from the trained weights of another one."""

import json
import shutil

import numpy as np
import pytest

import qep_qiskit as qep_package
from qep_qiskit.core.errors import NetworkError


def ends(folder, part="end"):
    return {name: value[part] for name, value in json.loads((folder / "weights.json").read_text()).items()}


@pytest.mark.parametrize(
    ("name", "source"), [("exact", "copy"), ("exact", "copy/weights.json"), ("aim", "copy"), ("flowers", "copy")]
)
def test_the_first_weights_are_the_last_of_the_source(qep, here, copied, settings, name, source):
    folder = copied(name)
    result = qep("train", f"{name}.toml", "--out", "run", *settings(f"network.weights_from={source}", "seed=9"))
    assert result.code == 0, result.err
    assert ends(here / "run", "start") == ends(folder)


def test_a_resumed_run_does_not_need_the_source(qep, here, copied, stopped, settings):
    source = copied("exact")
    words = ["network.weights_from=copy"]
    halted = stopped(here / "exact.toml", here / "halted", 3, words)
    assert qep("train", "exact.toml", "--out", "whole", *settings(*words)).code == 0
    shutil.rmtree(source)
    assert qep("resume", halted).code == 0
    assert ends(halted) == ends(here / "whole")


def test_springs_of_another_run(here, tmp_path):
    text = """
[task]
kind = "none"
[network]
kind = "elastic"
graph = "chain"
num_atoms = 4
clamped = [0]
[cost]
kind = "operator"
operator = "squared_error"
[preparation]
kind = "exact"
[network.masses]
frozen = true
"""
    (here / "springs.toml").write_text(text.replace('kind = "none"', 'kind = "none"\ntargets = [0.1]'))
    first = qep_package.from_file("springs.toml")
    weights = {name: 0.5 + 0.1 * k for k, name in enumerate(first.network.layout.names)}
    (here / "w.json").write_text(json.dumps(weights))
    second = qep_package.from_file("springs.toml", ["network.weights_from=w.json"])
    assert second.trainer().weights.tolist() == list(weights.values())


@pytest.mark.parametrize(
    ("source", "keys", "words"),
    [
        ("nothing", (), "nothing: there is no such file; expected the folder of a finished run"),
        ("copy/config.json", (), "is not the weights.json of a run"),
        ("copy", ("network.num_spins=3",), "network.weights_from: 'copy' has no weight J[0,2] of this network"),
        ("copy", ("network.biases.enabled=false",), "has a weight b[0], which is not one of this network"),
        ("copy", ("network.fields.minimum=7.0", "network.fields.mean=8.0"), "network.fields.values"),
        ("copy", ("network.inputs.mode=fields",), "network.weights_from: "),
    ],
)
def test_weights_that_do_not_fit(refused, copied, settings, source, keys, words):
    copied("exact")
    said = refused("train", "exact.toml", *settings(f"network.weights_from={source}", *keys))
    assert words in said


def test_the_file_of_a_run_as_a_vector(runs):
    """Not an array of objects: the final weights, and anything that is not a number is refused by name."""
    network = qep_package.from_file(runs / "exact.toml").network
    content = json.loads((runs / "exact" / "weights.json").read_text())
    found = network.weights_from(content)
    assert found.dtype == np.float64
    assert found.tolist() == list(ends(runs / "exact").values())
    name = network.layout.names[0]
    for value in ({"start": 1.0}, "x", None, [1.0], float("nan"), {"end": "x"}):
        with pytest.raises(NetworkError, match=r"weight J\[0,1\]"):
            network.weights_from({name: value})
