import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks.splitting import split, split_folds
from qep_qiskit.tasks.table import RawTable


def table(counts=None, num_samples=None):
    labels = None
    if counts is not None:
        labels = tuple(name for name, count in counts.items() for _ in range(count))
        num_samples = len(labels)
    return RawTable(
        inputs=np.arange(float(num_samples))[:, None],
        input_names=("a",),
        labels=labels,
        label_column=None if labels is None else "y",
    )


def counted(raw, rows):
    names = [raw.labels[row] for row in rows]
    return {name: names.count(name) for name in sorted(set(names))}


@pytest.mark.parametrize("raw", [table(num_samples=31), table({"x": 20, "y": 11})], ids=["numbers", "labels"])
def test_every_row_is_in_one_part(raw):
    train, test = split(raw, test_fraction=0.3, seeds=Seeds(1))
    assert len(test) == 9
    assert sorted([*train, *test]) == list(range(31))
    assert train.tolist() == sorted(train)
    assert test.tolist() == sorted(test)


@pytest.mark.parametrize("raw", [table(num_samples=50), table({"x": 25, "y": 25})], ids=["numbers", "labels"])
def test_the_seed_decides(raw):
    first, again, other = (split(raw, test_fraction=0.4, seeds=Seeds(seed))[1] for seed in (7, 7, 8))
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_every_row_is_drawn_equally_often():
    raw, runs = table({"x": 8, "y": 12}), 2000
    hits = np.zeros(20)
    for seed in range(runs):
        hits[split(raw, test_size=5, seeds=Seeds(seed))[1]] += 1
    sigma = np.sqrt(runs * 0.25 * 0.75)
    assert np.all(np.abs(hits - runs / 4) < 5 * sigma)


@pytest.mark.parametrize(
    ("counts", "test_size", "wanted"),
    [
        ({"x": 50, "y": 50, "z": 50}, 45, {"x": 15, "y": 15, "z": 15}),
        ({"x": 60, "y": 30}, 30, {"x": 20, "y": 10}),
        ({"x": 97, "y": 3}, 10, {"x": 9, "y": 1}),
        ({"x": 97, "y": 2}, 10, {"x": 9, "y": 1}),
        ({"x": 97, "y": 2}, 90, {"x": 89, "y": 1}),
        ({"x": 9, "y": 1}, 5, {"x": 5}),
        ({"x": 5, "y": 5, "z": 5}, 2, {"x": 1, "y": 1}),
        ({"x": 2, "y": 2, "z": 1}, 4, {"x": 2, "y": 1, "z": 1}),
        ({"x": 4, "y": 4}, 0, {}),
    ],
)
def test_shares_of_the_classes(counts, test_size, wanted):
    raw = table(counts)
    _, test = split(raw, test_size=test_size, seeds=Seeds(3))
    assert counted(raw, test) == wanted


@pytest.mark.parametrize("seed", range(30))
def test_every_class_is_in_both_parts_where_possible(seed):
    generator = np.random.default_rng(seed)
    counts = {f"c{i}": int(n) for i, n in enumerate(generator.integers(2, 12, size=5))}
    raw = table(counts)
    num_test = int(generator.integers(5, raw.num_samples - 5 + 1))
    train, test = split(raw, test_size=num_test, seeds=Seeds(seed))
    assert len(test) == num_test
    assert set(counted(raw, train)) == set(counted(raw, test)) == set(counts)


@pytest.mark.parametrize(("fraction", "num_test"), [(0, 0), (0.001, 1), (0.5, 5), (0.999, 9)])
def test_the_fraction_is_rounded_but_both_parts_stay(fraction, num_test):
    train, test = split(table(num_samples=10), test_fraction=fraction, seeds=Seeds(0))
    assert (len(train), len(test)) == (10 - num_test, num_test)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"test_fraction": 0.5, "test_size": 2},
        {"test_fraction": 1.0},
        {"test_fraction": -0.1},
        {"test_fraction": float("nan")},
        {"test_size": 10},
        {"test_size": -1},
    ],
)
def test_bad_sizes(sizes):
    with pytest.raises(ConfigError, match="test_"):
        split(table(num_samples=10), **sizes, seeds=Seeds(0))


def test_one_row_cannot_be_split():
    with pytest.raises(DataError, match="one sample cannot be split"):
        split(table(num_samples=1), test_fraction=0.5, seeds=Seeds(0))


@pytest.mark.parametrize("raw", [table(num_samples=31), table({"x": 20, "y": 11})], ids=["numbers", "labels"])
def test_folds_divide_the_rows(raw):
    parts = [split_folds(raw, folds=4, fold=fold, seeds=Seeds(1)) for fold in range(4)]
    assert sorted(row for _, test in parts for row in test) == list(range(31))
    assert sorted(len(test) for _, test in parts) == [7, 8, 8, 8]
    for train, test in parts:
        assert sorted([*train, *test]) == list(range(31))
        if raw.labels is not None:
            assert {name: count for name, count in counted(raw, test).items() if name == "x"} == {"x": 5}


@pytest.mark.parametrize(
    ("folds", "fold", "error", "words"),
    [
        (1, 0, ConfigError, "folds: expected at least 2"),
        (3, 3, ConfigError, r"fold: expected 0\.\.2 of 3 folds, got 3"),
        (9, 0, DataError, "folds: expected at most 8, one for each row, got 9"),
    ],
)
def test_folds_that_cannot_be(folds, fold, error, words):
    with pytest.raises(error, match=words):
        split_folds(table(num_samples=8), folds=folds, fold=fold, seeds=Seeds(0))
