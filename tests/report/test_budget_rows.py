"""Reading tidy rows: names, best points, the cut to compare in, the model between its points."""

import math

import numpy as np
import pytest
from budget_rows import BETAS, SHOTS, gradient_row, gradient_rows

from qep_qiskit.budget.report.rows import (
    best_beta_of_model,
    best_rows,
    by_contrast,
    contrast_name,
    levels,
    main_cut,
    model_curve,
    number,
    relative_factor,
)


def at(rows, contrast, shots):
    return [row for row in rows if contrast_name(row) == contrast and row["shots"] == shots]


def test_the_sign_of_beta_tells_one_sided_contrasts_apart():
    names = list(by_contrast(gradient_rows(shots=(10,))))
    assert names == ["one-sided +", "one-sided −", "symmetric", "four-point"]
    assert contrast_name({"contrast": "symmetric", "beta": -0.1}) == "symmetric"


def test_the_main_cut_holds_one_way_to_group_and_split():
    rows = gradient_rows(groupings=("per_weight", "shared"), allocations=("optimal", "equal"))
    cut = main_cut(rows + [row | {"method": "spsa"} for row in rows])
    assert {(row["method"], row["grouping"], row["allocation"]) for row in cut} == {("qep", "shared", "equal")}
    assert len(cut) == 4 * len(BETAS) * len(SHOTS)


def test_the_cut_with_most_points_is_the_main_one():
    few = gradient_rows(("symmetric",), BETAS[:2])
    many = gradient_rows(("symmetric",), groupings=("per_weight",))
    assert {row["grouping"] for row in main_cut(few + many)} == {"per_weight"}


@pytest.mark.parametrize("change", [{"rmse": None}, {"rmse": 0.0}, {"shots": None}, {"beta": 0.0}, {"rmse": math.nan}])
def test_rows_that_cannot_be_drawn_are_left_out(change):
    rows = gradient_rows(("symmetric",), (0.1, 0.2), (10,))
    assert main_cut([rows[0] | change, rows[1]]) == [rows[1]]


def test_the_best_row_has_the_smallest_error_of_its_contrast_and_shots():
    rows = gradient_rows()
    best = best_rows(rows)
    assert len(best) == 4 * len(SHOTS)
    for row in best:
        assert row["rmse"] == min(other["rmse"] for other in at(rows, contrast_name(row), row["shots"]))


def test_the_model_between_its_points_is_that_of_the_theory():
    rng = np.random.default_rng(0)
    rows = [gradient_row("symmetric", beta, 1000, rng=rng) for beta in (0.05, 0.8)]
    betas, values = model_curve(rows, "rmse")
    between = gradient_row("symmetric", 0.2, 1000, rng=rng)
    assert np.interp(0.2, betas, values) == pytest.approx(between["model_rmse"], rel=1e-3)


def test_the_best_beta_of_the_model_lies_where_its_derivative_vanishes():
    rows = at(gradient_rows(betas=np.geomspace(0.02, 0.8, 7)), "symmetric", 1000)
    bias, std = rows[0]["model_bias"] / 0.02**2, rows[0]["model_std"] * 0.02  # bias = B beta^2, std = S / beta
    assert best_beta_of_model(rows) == pytest.approx((std**2 / (2 * bias**2)) ** (1 / 6), rel=0.04)


def test_without_a_model_there_is_no_curve():
    rows = [row | {"model_rmse": None} for row in gradient_rows(("symmetric",), shots=(10,))]
    assert model_curve(rows, "rmse")[0].size == 0
    assert math.isnan(best_beta_of_model(rows))


def test_many_levels_are_thinned_and_keep_their_ends():
    rows = [{"shots": shots} for shots in range(21)]
    assert levels(rows, "shots", most=5) == [0, 5, 10, 15, 20]
    assert levels(rows, "shots") == list(range(21))


def test_numbers_and_factors_of_what_is_missing_are_nan():
    assert math.isnan(number({}, "x"))
    assert math.isnan(number({"x": "1"}, "x"))
    assert number({"x": np.float64(2.0)}, "x") == 2.0
    assert math.isnan(relative_factor({"rmse": 1.0, "relative_rmse": None}))
    assert relative_factor({"rmse": 2.0, "relative_rmse": 1.0}) == 0.5
