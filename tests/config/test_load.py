import json
from pathlib import Path

import pytest

from qep_qiskit.config import Config, check_config, load_config
from qep_qiskit.config.overrides import parse_override
from qep_qiskit.core.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
TEXT = '[task]\nkind = "xor"\n[network]\nnum_spins = 2\n'


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "run.toml"
    found.write_text(TEXT)
    return found


def check(**sections):
    return check_config({"task": {"kind": "xor"}} | sections, "run.toml")


def test_defaults():
    config = check()
    assert (config.network.graph, config.cost.loss, config.preparation.kind) == (
        "complete",
        "squared_error",
        "adiabatic",
    )
    assert (config.measurement.shots, config.contrast.kind, config.update.kind) == (200, "symmetric", "adam")


@pytest.mark.parametrize("shipped", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_configurations_load_and_survive_json(shipped):
    """A run keeps its resolved configuration as JSON and is resumed from it."""
    config = load_config(shipped)
    again = check_config(json.loads(json.dumps(config.resolved())), "config.json")
    assert again == config


@pytest.mark.parametrize(
    "sections",
    [
        {"network": {"num_spins": 2, "inputs": {"links": [[0, 0], [1, 1]]}}},
        {"network": {"graph": "edges", "num_spins": 3, "edges": [[0, 1], [1, 2]]}},
        {"network": {"graph": "lattice", "shape": [2, 2]}},
        {"network": {"couplings": {"values": {"J[0,1]": 0.5}, "frozen": ["J[0,1]"]}}},
        {"network": {"fields": {"values": [1.0, 2.0]}, "couplings": {"values": [1]}}},
        {"cost": {"kind": "operator", "terms": [{"pauli": "Z0", "target": 0}]}},
        {"measurement": {"shots": "exact"}},
        {"execution": {"noise": {"readout": 0.1}}},
    ],
    ids=str,
)
def test_every_value_survives_json(sections):
    config = check(**sections)
    assert check_config(json.loads(json.dumps(config.resolved())), "config.json") == config


def test_resolved_says_every_key():
    resolved = check().resolved()
    assert set(resolved) == set(Config.model_fields)
    assert resolved["training"] == {
        "epochs": 20,
        "batch_size": 16,
        "evaluate_every": 1,
        "decay_epochs": None,
        "evaluate_final": None,
    }


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("seed=3", ["seed"], 3),
        ("measurement.shots=exact", ["measurement", "shots"], "exact"),
        ("measurement.shots='exact'", ["measurement", "shots"], "exact"),
        ("contrast.beta=-0.5", ["contrast", "beta"], -0.5),
        ("network.outputs=[1, 2]", ["network", "outputs"], [1, 2]),
        ("network.biases.enabled=false", ["network", "biases", "enabled"], False),
        ("cost.loss=my:loss=x", ["cost", "loss"], "my:loss=x"),
        ("preparation={kind='exact'}", ["preparation"], {"kind": "exact"}),
        (" seed = 3", ["seed"], 3),
        ("name=", ["name"], ""),
    ],
)
def test_override(text, keys, value):
    assert parse_override(text) == (keys, value)


@pytest.mark.parametrize("text", ["", "seed", "=3", ".=3", "a..b=3", "a.=3"])
def test_malformed_override(text):
    with pytest.raises(ConfigError, match=r"expected key\.path=value"):
        parse_override(text)


def test_overrides_replace_and_add(path):
    config = load_config(path, ["network.num_spins=3", "update.kind=momentum", "execution.noise.readout=0.1"])
    assert config.network.num_spins == 3
    assert config.update.kind == "momentum"
    assert config.execution.noise.readout == 0.1


def test_the_last_of_two_overrides_counts(path):
    assert load_config(path, ["seed=1", "seed=2"]).seed == 2


def test_override_below_a_value(path):
    with pytest.raises(ConfigError, match=r"network\.num_spins is a value, not a section"):
        load_config(path, ["network.num_spins.deep=3"])


@pytest.mark.parametrize("file", ["data.csv", "deeper/data.csv"])
def test_data_file_is_looked_for_beside_the_configuration(tmp_path, monkeypatch, file):
    text = TEXT.replace('kind = "xor"', f'kind = "csv"\nfile = "{file}"\ninputs = ["a"]\ntarget = "b"')
    (tmp_path / "run.toml").write_text(text)
    monkeypatch.chdir("/")
    assert load_config(tmp_path / "run.toml").task.file == str(tmp_path / file)


def test_absolute_data_file_stays(tmp_path):
    text = TEXT.replace('kind = "xor"', 'kind = "csv"\nfile = "/data.csv"\ninputs = ["a"]\ntarget = "b"')
    (tmp_path / "run.toml").write_text(text)
    assert load_config(tmp_path / "run.toml").task.file == "/data.csv"


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"training": {"epoch": 3}}, "run.toml: training.epoch: unknown key; did you mean 'epochs'?"),
        ({"preparation": {"kind": "adiabatic", "step": 3}}, "preparation.step: unknown key; did you mean 'steps'?"),
        (
            {"preparation": {"kind": "variational", "ansatz": {"kind": "file", "zzz": "x"}}},
            "preparation.ansatz.zzz: unknown key; known here: kind, file",  # not those that are filled in
        ),
        ({"callbacks": {"own": [{"zzz": 1}]}}, "callbacks.own.0.zzz: unknown key; known here: make, options"),
        ({"task": {"kind": "csv", "inputs": ["a"]}}, "run.toml: task.file: this key is missing"),
        ({"cost": {"kind": "operator", "terms": [{}]}}, "run.toml: cost.terms.0.pauli: this key is missing"),
    ],
)
def test_message(sections, message):
    with pytest.raises(ConfigError) as caught:
        check(**sections)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "sections", [{"network": {"shape": [2]}}, {"task": {"kind": "csv", "file": "a", "inputs": []}}]
)
def test_lengths_of_lists_are_told_in_plain_words(sections):
    with pytest.raises(ConfigError) as caught:
        check(**sections)
    assert not any(word in str(caught.value) for word in ("after validation", "valid string"))


@pytest.mark.parametrize(
    "sections", [{"network": 3}, {"task": 3}, {"network": {"couplings": []}}, {"execution": {"noise": 1}}]
)
def test_sections_are_told_in_words_of_the_file(sections):
    """A person who writes TOML knows sections, not dictionaries, instances and classes of this package."""
    with pytest.raises(ConfigError) as caught:
        check(**sections)
    assert "section" in str(caught.value)
    assert not any(word in str(caught.value) for word in ("dictionary", "instance", "Config,"))


def test_unknown_keys_come_before_other_complaints():
    """A misspelt key is most often the reason of the missing one."""
    with pytest.raises(ConfigError, match=r"task\.fil: unknown key; did you mean 'file'"):
        check(task={"kind": "csv", "fil": "a.csv", "inputs": ["a"]})


def test_a_kind_that_no_file_can_use_is_not_offered():
    """Samples in memory are found, as the run folder of an estimator needs, and say what they are."""
    with pytest.raises(ConfigError, match=r"task\.kind: expected one of 'csv', .*, got 'mnist'") as refused:
        check_config({"task": {"kind": "mnist"}}, "run.toml")
    assert "arrays" not in str(refused.value)
    assert check_config({"task": {"kind": "arrays"}}, "run.toml").task.kind == "arrays"
