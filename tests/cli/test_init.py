import json
import re
import tomllib
from pathlib import Path

import pytest

from qep_qiskit.config import examples, load_config

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.toml"))


def test_the_list_has_every_configuration_with_what_it_reaches(qep):
    listed = qep("init").out
    assert all(path.stem in listed for path in CONFIGS)
    assert all(one.purpose and one.reaches and "[=" not in one.text for one in examples.examples())


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_copy_is_the_same_configuration_without_the_checkout(path, qep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert qep("init", path.stem).code == 0
    texts = [json.dumps(load_config(file).resolved()) for file in (tmp_path / path.name, path)]
    copied, original = (re.sub(r'"file": "[^"]*/', '"file": "', text) for text in texts)
    assert copied == original


def test_keys_change_and_comments_stay(qep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert qep("init", "xor", "--preparation", "exact", "--set", "measurement.shots=7").code == 0
    text = (tmp_path / "xor.toml").read_text()
    assert text.startswith("# Exclusive or on four spins")
    content = tomllib.loads(text)
    assert (content["preparation"], content["measurement"]) == ({"kind": "exact"}, {"shots": 7})


def test_options_pick_the_nearest_example():
    assert examples.example_for(None, {"task": "csv"})[0].name == "iris"
    assert examples.example_for(None, {"task": "xor", "preparation": "exact"})[0].name == "xor_fields"
    for backend, wanted in (("statevector", []), ("aer", ["execution.backend='aer'"])):
        example, changes = examples.example_for(None, {"network": "oscillators", "backend": backend})
        assert (example.name, changes) == ("oscillators", wanted)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "there is no example 'nothing'; there are xor, iris"),
        (("--task", "nothing"), "--task: expected one of csv, digits"),
        (("iris", "--set", "network.spins=3"), "iris.toml: network.spins: unknown key"),
        (("iris", "--preparation", "gaussian"), "preparation.kind"),
        (("--set", "seed=3"), "--set: goes with the NAME"),
    ],
)
def test_bad_input_writes_nothing(refused, words, said):
    assert said in refused("init", *words)


def test_nothing_is_overwritten(qep, refused, here):
    (here / "iris.csv").write_text("mine")
    assert "iris.csv: exists already" in refused("init", "iris")
    (here / "iris.csv").unlink()
    assert qep("init", "iris").code == 0
    (here / "iris.toml").unlink()
    assert qep("init", "iris").code == 0
    assert "iris.toml: exists already" in refused("init", "iris")
