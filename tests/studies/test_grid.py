"""What --over says, and what becomes of it."""

import math
import random

import pytest
from cases import XOR_ON_TWO_SPINS

from qep_qiskit.config import load_config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.averages import averaged
from qep_qiskit.runs.grid import check_points, grid, parse_axis


@pytest.fixture
def xor(tmp_path):
    (tmp_path / "xor.toml").write_text(XOR_ON_TWO_SPINS)
    return tmp_path / "xor.toml"


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("training.batch_size=8,16", [8, 16]),
        ("contrast.beta=[0.1, 0.2]", [0.1, 0.2]),
        (" contrast . beta = 0.1 , -2e-1", [0.1, -0.2]),
        ("seed=0:3", [0, 1, 2]),
        ("seed=2:9:3", [2, 5, 8]),
        ("seed=3:0:-1", [3, 2, 1]),
        ("seed=0:2,7,10:12", [0, 1, 7, 10, 11]),
        ("measurement.shots=10,exact", [10, "exact"]),
        ("measurement.shots='exact'", ["exact"]),
        ("task.file='a,b.csv',c.csv", ["a,b.csv", "c.csv"]),
        ("network.layers=[2,1],[3,1]", [[2, 1], [3, 1]]),
        ("network.layers=[[2,1],[3,1]]", [[2, 1], [3, 1]]),
        ("network.layers=[[2,1]]", [[2, 1]]),
        ("update={kind='adam', beta1=0.5},{kind='momentum'}", [{"kind": "adam", "beta1": 0.5}, {"kind": "momentum"}]),
        ("update.normalize=true,false", [True, False]),
    ],
)
def test_values(text, values):
    axis = parse_axis(text)
    assert list(axis.values) == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]
    assert axis.key == text.partition("=")[0].replace(" ", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", "expected key.path=value"),
        ("=1,2", "expected key.path=value"),
        ("training..epochs=1", "expected key.path=value"),
        ("seed=", "a value is empty"),
        ("seed=1,,2", "a value is empty"),
        ("seed=[]", "a value is empty"),
        ("seed=1,2,", "a value is empty"),
        ("seed=3:3", "the range 3:3 is empty"),
        ("seed=0:5:0", "the range 0:5:0 is empty"),
        ("seed=0:5:-1", "the range 0:5:-1 is empty"),
        ("seed=0:1000000000000", "expected at most 100,000 points"),
        ("seed=1,2,1", "the value 1 is there twice"),
        ("seed=0:3,2", "the value 2 is there twice"),
        ("contrast.beta=0.3,0.30", "the value 0.3 is there twice"),
    ],
)
def test_what_cannot_be_read_is_one_line(text, words):
    with pytest.raises(ConfigError) as error:
        parse_axis(text)
    assert words in str(error.value)
    assert str(error.value).startswith(f"--over {text}: ")


def points_of(path, *overs, overrides=()):
    return grid(path, overrides, [parse_axis(text) for text in overs])


def test_points_are_the_configurations_that_set_would_give(xor):
    points = points_of(xor, "training.batch_size=1,2", "seed=4:6", overrides=["training.epochs=3"])
    assert [point.name for point in points] == [f"batch_size={b},seed={s}" for b in (1, 2) for s in (4, 5)]
    for point in points:
        texts = [f"{key}={value}" for key, value in point.swept.items()]
        assert point.config == load_config(xor, ["training.epochs=3", *texts])


@pytest.mark.parametrize(
    ("overs", "overrides", "words"),
    [
        (["seed=0:2", "seed=3"], [], "--over seed: is given twice"),
        (["update={kind='adam'}", "update.kind=adam"], [], "one is a part of the other"),
        (["seed=0:2"], ["seed=1"], "--set seed: is swept by --over seed"),
        (["update={kind='adam'}"], ["update.beta1=0.5"], "--set update.beta1: is swept by --over update"),
        (["training.epoch=1,2"], [], "training.epoch: unknown key; did you mean 'epochs'?"),
        (["training.epochs=2,x"], [], "point epochs=x: "),
        (["seed=0,1.5"], [], "point seed=1.5: "),
        (["seed.a=1"], ["seed=1"], "seed is a value, not a section"),
        (["seed=0:1000", "training.epochs=1:1000"], [], "expected at most 100,000 points in all, got 999,000"),
    ],
)
def test_grids_that_cannot_be(xor, overs, overrides, words):
    with pytest.raises(ConfigError) as error:
        points_of(xor, *overs, overrides=overrides)
    assert words in str(error.value)


def test_what_only_some_points_break_is_found_before_the_start(xor):
    points = points_of(xor, "contrast.kind=one_sided,symmetric", "contrast.beta=0.2,-0.2")
    with pytest.raises(ConfigError, match=r"point kind=symmetric,beta=-0\.2: contrast\.beta"):
        check_points(points)
    check_points(points[:3])


def test_other_settings_of_another_kind_go_as_with_set(tmp_path):
    (tmp_path / "xor.toml").write_text(XOR_ON_TWO_SPINS.replace('"exact"', '"adiabatic"\nsteps = 5'))
    kinds = [
        point.config.preparation.kind for point in points_of(tmp_path / "xor.toml", "preparation.kind=exact,adiabatic")
    ]
    assert kinds == ["exact", "adiabatic"]


def test_names_are_fit_for_folders_unique_and_independent_of_the_rest_of_the_grid(xor):
    texts = ["'Z0 Z1'", "'Z0-Z1'", "'Z0/Z1'", "'../x'", "'" + 99 * "Z0 " + "'", "''"]
    swept = [f"cost={{kind='loss', observables=[{text}]}}" for text in texts]
    names = [points_of(xor, text)[0].name for text in swept]
    together = [
        point.name for point in points_of(xor, "cost=" + ",".join(text.removeprefix("cost=") for text in swept))
    ]
    assert names == together
    assert len(set(names)) == len(names)
    assert all(len(name.encode()) < 200 and "/" not in name and name[0] != "." for name in names)


def test_long_names_stay_short_and_unique(xor):
    keys = ["kind", "learning_rate", "decay", "final_fraction", "momentum", "beta1", "beta2", "normalize"]
    values = ["momentum", "0.123456789012", "exponential", "0.123456789012", *4 * ["0.123456789012"]]
    overs = [f"update.{key}={value}" for key, value in zip(keys[:-1], values[:-1], strict=True)]
    overs += ["measurement.shots=1234567", "training.evaluate_every=12345", "training.batch_size=1,2"]
    names = [point.name for point in points_of(xor, *overs)]
    assert len(set(names)) == 2
    assert all(len(name) < 200 for name in names)


def test_keys_with_the_same_last_part_are_written_whole(xor):
    names = [point.name for point in points_of(xor, "contrast.kind=symmetric", "update.kind=adam", "seed=1")]
    assert names == ["contrast.kind=symmetric,update.kind=adam,seed=1"]


def test_averages(rng):
    values = rng.normal(size=(3, 5))
    rows = [{"beta": beta, "loss": values[beta, seed], "test": None} for beta in range(3) for seed in range(5)]
    random.Random(3).shuffle(rows)
    found = {row["beta"]: row for row in averaged(rows, ["beta"], ["loss", "test"])}
    for beta, row in found.items():
        assert row["runs"] == 5
        assert row["loss"] == pytest.approx(values[beta].mean(), abs=1e-15)
        assert row["loss_se"] == pytest.approx(values[beta].std(ddof=1) / math.sqrt(5), abs=1e-15)
        assert (row["test"], row["test_se"]) == (None, None)


def test_a_single_run_keeps_its_own_error():
    rows = [{"a": 1, "loss": 2.0, "loss_se": 0.1}, {"a": 2, "loss": 2.0, "loss_se": 0.1}, {"a": 2, "loss": None}]
    assert [row["loss_se"] for row in averaged(rows, ["a"], ["loss"])] == [0.1, None]
