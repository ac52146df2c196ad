"""Averages of a size study over networks, and its table of curves."""

import math

import numpy as np
import pytest

from qep_qiskit.budget.size_study import tables_of
from qep_qiskit.budget.size_summary import LogMean, curve_table, distance_averages, size_averages, size_sentences

OTHERS = ("network.graph", "network.fields.mean")


def network(graph, field, spins, seed, **values):
    numbers = {"gradient": 2.0, "gap": 0.5, "beta": 0.1, "shots": 100, "total_shots": 500 * spins}
    place = {"network.graph": graph, "network.num_spins": spins, "network.fields.mean": field}
    return place | {"spins": spins, "seed": seed, "weights": 3 * spins} | numbers | values


def far(row, distance, size):
    names = (*OTHERS, "spins", "seed")
    return {name: row[name] for name in names} | {"from": "outputs", "distance": distance, "rms_gradient": size}


NETWORKS = [
    network(graph, field, spins, seed, gradient=1.0 if seed else 4.0, gap=None if graph == "square" else 0.5)
    for graph in ("chain", "square")
    for field in (1, 0.3)
    for spins in (4, 8)
    for seed in (0, 1)
]
DISTANCES = [far(row, d, 3.0**-d) for row in NETWORKS for d in range(row["spins"])]


def test_a_mean_is_geometric_and_its_error_that_of_the_mean_of_logarithms():
    mean = LogMean.of([1.0, 4.0, 0.0, math.nan])
    assert mean.value == pytest.approx(2.0)
    assert mean.error == pytest.approx(np.std(np.log([1.0, 4.0]), ddof=1) / np.sqrt(2))
    assert mean.text() == "2 (1 to 4)"
    assert LogMean.of([2.0, 2.2]).text() == "2.10 ± 0.10"
    assert LogMean.of([3.0]).text() == "3"
    assert LogMean.of([0.0]).text() == "-"
    assert LogMean.of([10_000, 30_000]).text(counts=True) == "17k (10k to 30k)"
    assert LogMean.of([10_000, 12_000]).text(counts=True) == "11k ± 9.1%"
    assert LogMean.of([]).columns("x") == {"x_low": None, "x": None, "x_high": None}


def test_means_by_size_have_the_names_of_their_curve_and_column():
    rows = size_averages(NETWORKS, OTHERS)
    assert len(rows) == 8
    assert (rows[0]["curve"], rows[0]["column"], rows[0]["networks"]) == ("chain", "fields.mean = 1", 2)
    assert rows[0]["gradient"] == pytest.approx(2.0)
    assert rows[-1]["gap"] is None
    assert {row["curve"] for row in size_averages(NETWORKS, OTHERS[1:])} == {"fields.mean = 1", "fields.mean = 0.3"}
    assert {(row["curve"], row["column"]) for row in size_averages(NETWORKS, ())} == {("all", "")}


def test_distances_are_those_of_the_largest_networks():
    rows = distance_averages(DISTANCES, NETWORKS, OTHERS)
    assert {row["spins"] for row in rows} == {8}
    assert [row["distance"] for row in rows if (row["curve"], row["column"]) == ("chain", "fields.mean = 1")] == [
        *range(8)
    ]


def test_a_distance_at_which_one_network_is_within_rounding_errors_has_no_mean():
    row = network("chain", 1, 8, 0, profiles=[[[0.0, 3, 1.0], [1.0, 2, 1e-11]], []])
    _, far_rows = tables_of([row])
    assert [one["rms_gradient"] for one in far_rows] == [1.0, None]
    more = [far(row, 0, 2.0), far(row, 1, 1e-3)]
    assert [one["distance"] for one in distance_averages([*far_rows, *more], [row], OTHERS)] == [0]


def test_table_of_curves():
    header, first, *others = curve_table(NETWORKS, DISTANCES, OTHERS)
    assert header[:3] == ["graph", "fields.mean", "spins"]
    assert first[:4] == ["chain", "1", "4 to 8", "2 (1 to 4) to 2 (1 to 4)"]
    assert first[5:] == ["2k to 4k", "1", "167 to 167", "3"]
    assert len(others) == 3


def test_networks_that_no_mean_counts_are_named():
    assert size_sentences(NETWORKS) == []
    zero, beyond = network("chain", 1, 4, 0, gradient=0.0, shots=None), network("chain", 1, 4, 1, shots=None)
    sentences = size_sentences([zero, beyond])
    assert sentences[0].startswith("The gradient vanishes by symmetry in 1 of 2 networks")
    assert sentences[1].startswith("1 of 2 networks need more than 1e12 shots")


def test_a_fall_with_distance_is_that_of_networks_without_warnings():
    """Small gradients of truncated states are errors, and do not fall."""
    lost = {"warned": [["TruncatedStateWarning", "warning", 3]]}
    one_of_two = [row | (lost if row["seed"] else {"warned": []}) for row in NETWORKS]
    flat = [row | {"rms_gradient": 1.0} if row["seed"] else row for row in DISTANCES]
    assert curve_table(one_of_two, flat, OTHERS)[1][-1] == "3"
    assert curve_table([row | lost for row in NETWORKS], flat, OTHERS)[1][-1] == "-"


def test_a_mean_below_what_truncated_states_resolve_is_unresolved():
    lost = {"warned": [["TruncatedStateWarning", "warning", 3]]}
    networks = [row | (lost if row["network.graph"] == "square" and row["seed"] else {}) for row in NETWORKS]
    rows = distance_averages(DISTANCES, networks, OTHERS)  # 3**-7 is above 3e-4
    assert not any(row["unresolved"] for row in rows)
    smaller = [row | {"rms_gradient": row["rms_gradient"] / 2} for row in DISTANCES]
    found = {
        (row["curve"], row["distance"]) for row in distance_averages(smaller, networks, OTHERS) if row["unresolved"]
    }
    assert found == {("square", 7)}
