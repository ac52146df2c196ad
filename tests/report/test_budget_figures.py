"""Figures of a budget study: axes with units, logarithmic scales, one look for each series, nothing cut off."""

from itertools import combinations

import numpy as np
import pytest
from budget_rows import (
    BETAS,
    CONTRASTS,
    SHOTS,
    comparison_rows,
    gradient_rows,
    noise_rows,
    ramp_rows,
    samples_rows,
    size_rows,
    training_rows,
)
from matplotlib.colors import to_rgb

from qep_qiskit.budget.report.beta_figures import bias_and_standard_deviation, rmse_against_beta
from qep_qiskit.budget.report.charts import budget_charts
from qep_qiskit.budget.report.comparison_figure import comparison_of_methods, side_by_side
from qep_qiskit.budget.report.noise_figure import error_on_a_noisy_device
from qep_qiskit.budget.report.ramp_figures import best_time_of_the_ramp, error_of_the_ramp
from qep_qiskit.budget.report.shots_figures import (
    cosine_against_shots,
    error_bar_calibration,
    groupings_against_shots,
    rmse_against_shots,
)
from qep_qiskit.budget.report.size_figures import gap_and_best_nudge, gradient_against_size
from qep_qiskit.budget.report.training_figure import training_against_shots
from qep_qiskit.report.style import LINE_STYLES, MITIGATION_STYLES, ramp_styles

GRADIENT = gradient_rows()
ALL = {
    "gradient": gradient_rows(groupings=("shared", "per_weight")),
    "comparison": comparison_rows(),
    "training": training_rows(epochs=5),
    "noise": noise_rows(),
    "size": size_rows(),
    "ramp": ramp_rows(),
    "samples": samples_rows(),
    "samples_training": training_rows(epochs=3),
}
NAMES = [chart.name for chart in budget_charts(**ALL)]


def lines(figure, part=""):
    return [line for axis in figure.axes for line in axis.lines if line.get_gid() and part in line.get_gid()]


def line(figure, gid):
    (found,) = [line for line in lines(figure) if line.get_gid() == gid]
    return found


def overlap(one, other):
    """Whether two boxes share more than a rim of two pixels."""
    return min(one.x1, other.x1) - max(one.x0, other.x0) > 2 and min(one.y1, other.y1) - max(one.y0, other.y0) > 2


def lightness(color):
    return float(np.dot((0.2126, 0.7152, 0.0722), to_rgb(color)))


@pytest.mark.deep(but=["comparison_of_methods-4.2", "rmse_against_shots-4.2"])
@pytest.mark.parametrize("width", [4.2, 8.4])
@pytest.mark.parametrize("name", NAMES)
def test_every_panel_has_labels_and_nothing_reaches_over_the_edge(name, width):
    (chart,) = [chart for chart in budget_charts(**ALL) if chart.name == name]
    figure = chart.draw(width)
    figure.draw_without_rendering()
    page = figure.bbox
    assert figure.axes
    assert any(axis.get_xlabel() for axis in figure.axes)
    assert any(axis.get_ylabel() for axis in figure.axes)
    for part in (*figure.axes, *figure.legends):
        box = part.get_tightbbox()
        assert box.x0 >= page.x0 - 1
        assert box.y0 >= page.y0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y1 <= page.y1 + 1
    for one, other in combinations([*figure.axes, *figure.legends], 2):
        assert not overlap(one.get_tightbbox(), other.get_tightbbox())


@pytest.mark.parametrize("name", NAMES)
def test_a_caption_is_one_sentence_that_says_how_to_read(name):
    (chart,) = [chart for chart in budget_charts(**ALL) if chart.name == name]
    assert chart.caption.endswith(".")
    assert ". " not in chart.caption


def test_error_against_shots_has_a_series_for_each_contrast_and_the_slopes_of_theory():
    figure = rmse_against_shots(GRADIENT)
    (axis,) = figure.axes
    assert (axis.get_xscale(), axis.get_yscale()) == ("log", "log")
    assert axis.get_xlabel() == "shots per batch"
    assert axis.get_ylabel() == "RMSE at the best β / |gradient|"
    for name in ("one-sided +", "one-sided −", "symmetric", "four-point"):
        assert line(figure, name).get_xdata().tolist() == list(SHOTS)
    for text, slope in (("slope −1/4", -0.25), ("slope −1/3", -1 / 3)):
        x, y = line(figure, text).get_data()
        assert np.polyfit(np.log(x), np.log(y), 1)[0] == pytest.approx(slope)


def test_errors_are_absolute_where_the_length_of_the_gradient_is_unknown():
    rows = [row | {"relative_rmse": None} for row in GRADIENT]
    figure = rmse_against_shots(rows)
    assert figure.axes[0].get_ylabel().endswith("(units of the gradient)")
    best = min(row["rmse"] for row in rows if row["contrast"] == "symmetric" and row["shots"] == 1000)
    assert line(figure, "symmetric").get_ydata()[3] == best


def test_error_bars_are_the_intervals_of_the_rows():
    rows = gradient_rows(("symmetric",), (0.2,), (100,))
    figure = rmse_against_shots(rows)
    (segment,) = [segment for bars in figure.axes[0].collections for segment in bars.get_segments()]
    factor = rows[0]["relative_rmse"] / rows[0]["rmse"]
    assert segment[:, 1] == pytest.approx([factor * rows[0]["rmse_low"], factor * rows[0]["rmse_high"]])


def test_error_against_beta_shows_points_without_lines_and_the_model_through_them():
    figure = rmse_against_beta(GRADIENT)
    assert len(figure.axes) == len(CONTRASTS)
    assert len(lines(figure, "model")) == len(CONTRASTS) * len(SHOTS)
    for model in lines(figure, "model"):
        assert model.get_marker() in ("", "None")
    for points in (found for found in lines(figure, "rmse") if "model" not in found.get_gid()):
        assert points.get_linestyle() == "None"
        assert points.get_xdata() == pytest.approx(BETAS)


def test_without_a_model_points_are_joined():
    rows = [row | {"model_rmse": None} for row in gradient_rows(("symmetric",))]
    assert all(found.get_linestyle() != "None" for found in lines(rmse_against_beta(rows)))


def test_a_bias_not_told_from_zero_is_an_upper_limit_at_the_most_shots():
    rows = [row | {"bias": 0.1, "bias_low": 0.0, "bias_high": 0.3} for row in gradient_rows(("symmetric",))]
    figure = bias_and_standard_deviation(rows)
    limits = {found.get_gid(): found for found in lines(figure, "limits") if found.get_xdata().size}
    assert list(limits) == ["bias 100k limits"]
    factor = rows[0]["relative_rmse"] / rows[0]["rmse"]
    assert limits["bias 100k limits"].get_ydata() == pytest.approx([0.3 * factor] * len(BETAS))


def test_cosine_axis_ends_at_one():
    (axis,) = cosine_against_shots(GRADIENT).axes
    assert axis.get_xscale() == "log"
    assert 1.0 < axis.get_ylim()[1] < 1.1
    assert axis.get_ylabel() == "cosine to the true gradient"


def test_calibration_shows_both_kinds_of_error_bars_and_the_honest_line():
    figure = error_bar_calibration(GRADIENT)
    assert line(figure, "symmetric chi2_per_dof").get_markerfacecolor() == LINE_STYLES["symmetric"].color
    assert line(figure, "symmetric chi2_without_signals").get_markerfacecolor() == "white"
    assert set(line(figure, "honest").get_ydata()) == {1.0}


def test_groupings_are_compared_at_their_total_shots():
    figure = groupings_against_shots(ALL["gradient"])
    assert {found.get_gid() for found in lines(figure)} == {
        "shared batches, equal split",
        "each weight alone, equal split",
    }
    assert figure.axes[0].get_xlabel() == "shots for one gradient, all circuits together"


def test_comparison_tells_entries_apart_by_marker_and_equal_circuits_by_hollow_ones():
    figure = comparison_of_methods(comparison_rows())
    left, right = figure.axes
    assert (left.get_xscale(), left.get_yscale(), right.get_xscale()) == ("log", "log", "log")
    assert (left.get_xlabel(), right.get_xlabel()) == ("shots for one gradient", "circuits for one gradient")
    labels = {row["label"] for row in comparison_rows()}
    points = lines(figure)
    assert {point.get_gid() for point in points} == labels
    assert len({point.get_marker() for point in points}) == len(labels)
    assert sum(point.get_markerfacecolor() == "white" for point in points) == len(points) // 2


def test_points_on_each_other_are_set_side_by_side_and_others_stay():
    moved = side_by_side([100.0, 100.0, 100.0, 1000.0], [1.0, 1.1, 5.0, 1.0])
    assert moved[2:] == [100.0, 1000.0]
    assert moved[0] < 100.0 < moved[1]
    assert np.sqrt(moved[0] * moved[1]) == pytest.approx(100.0)


def test_training_shows_median_and_quartiles_and_puts_adaptive_first():
    rows = training_rows(epochs=4, seeds=5)
    figure = training_against_shots(rows)
    loss, accuracy = figure.axes
    assert (loss.get_xlabel(), accuracy.get_ylabel()) == ("shots spent", "accuracy on the test set")
    of_last = [row["loss"] for row in rows if row["budget"] == "100 shots" and row["epoch"] == 4]
    found = next(drawn for drawn in loss.lines if drawn.get_gid() == "100 shots")
    assert found.get_ydata()[-1] == np.median(of_last)
    adaptive = next(drawn for drawn in loss.lines if drawn.get_gid() == "adaptive")
    others = [drawn for drawn in loss.lines if drawn is not adaptive]
    assert adaptive.get_zorder() > max(drawn.get_zorder() for drawn in others)
    assert adaptive.get_linewidth() > max(drawn.get_linewidth() for drawn in others)
    band = next(drawn for drawn in loss.collections if drawn.get_gid() == "100 shots band")
    assert band.get_paths()[0].vertices[:, 1].max() >= np.percentile(of_last, 75)


def test_training_without_a_test_set_shows_the_training_set():
    rows = [row | {"test_accuracy": None} for row in training_rows(epochs=2)]
    assert training_against_shots(rows).axes[1].get_ylabel() == "accuracy on the training set"
    rows = [row | {"accuracy": None} for row in rows]
    assert len(training_against_shots(rows).axes) == 1


def test_noise_figure_draws_a_floor_where_the_bias_is_flat():
    figure = error_on_a_noisy_device(noise_rows(contrasts=("symmetric",)))
    floors = lines(figure, "fake_manila floor")
    assert len(floors) == 2
    assert floors[0].get_ydata()[0] == pytest.approx(0.16 / 0.77, rel=0.2)
    assert not lines(figure, "ideal floor")


def test_a_falling_bias_has_no_floor():
    rows = [row | {"execution": "fake"} for row in gradient_rows(("symmetric",), shots=(10**9, 10**10))]
    assert not lines(error_on_a_noisy_device(rows), "floor")


def test_a_noisy_device_is_compared_at_all_its_shots():
    """What a mitigation costs moves its curve to the right; every execution has a look of its own."""
    rows = noise_rows(contrasts=("symmetric",))
    for row in rows:
        row["total_shots"] = row["shots"] * (8 if "mitigated" in row["execution"] else 4)
    figure = error_on_a_noisy_device(rows)
    raw, mitigated = (line(figure, name) for name in ("fake_manila", "fake_manila, mitigated"))
    assert np.allclose(mitigated.get_xdata(), 2 * raw.get_xdata())
    assert figure.axes[0].get_xlabel() == "shots of one gradient, all counted"
    names = [f"fake_manila, {k}" for k in range(len(MITIGATION_STYLES))]
    many = [row | {"execution": name} for name in names for row in rows if row["execution"] == "ideal"]
    drawn = [line(error_on_a_noisy_device(many), name) for name in names]
    assert len({(one.get_color(), one.get_marker()) for one in drawn}) == len(names)


def test_looks_differ_in_lightness_too():
    contrasts = [LINE_STYLES[name] for name in ("symmetric", "one-sided +", "one-sided −", "four-point")]
    for looks in (contrasts, [LINE_STYLES["ideal"], *MITIGATION_STYLES[:4]], ramp_styles(6)):
        values = sorted(lightness(look.color) for look in looks)
        assert min(np.diff(values)) > 0.05
        assert len({look.marker for look in looks}) == len(looks)
    values = [lightness(look.color) for look in ramp_styles(6)]
    assert values == sorted(values, reverse=True)


def test_a_size_study_has_a_column_for_every_value_of_its_last_key():
    figure = gradient_against_size(size_rows())
    assert [axis.get_title(loc="left") for axis in figure.axes[:3]] == ["fields.mean = 1", "fields.mean = 0.3", ""]
    assert [axis.get_xlabel() for axis in figure.axes[::2]] == [
        *("spins", "couplings between weight and output", "spins")
    ]
    for axis, key in zip(figure.axes[::2], ("gradient", "rms_gradient", "total_shots"), strict=True):
        (chain,) = [found for found in axis.lines if found.get_gid() == f"chain {key}"]
        wanted = list(range(9)) if key == "rms_gradient" else [4, 8, 12]
        assert chain.get_xdata().tolist() == wanted
        assert axis.get_yscale() == "log"
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["4", "8", "12"]


def test_gradients_that_may_be_errors_of_states_are_hollow_and_named_in_the_legend():
    far = [
        row | {"unresolved": row["curve"] == "chain" and row.get("distance", 0) > 5} for row in size_rows(columns=("",))
    ]
    figure = gradient_against_size(far)
    joined, hollow = (line(figure, f"chain rms_gradient{end}") for end in ("", " unresolved"))
    assert joined.get_xdata().tolist() == [*range(6)]
    assert hollow.get_xdata().tolist() == [6, 7, 8]
    assert (hollow.get_linestyle(), hollow.get_markerfacecolor()) == ("None", "white")
    assert [text.get_text() for text in figure.legends[0].get_texts()][3:] == ["states too inexact"]
    assert len(gradient_against_size(size_rows()).legends[0].get_texts()) == 3


def test_a_size_study_without_gaps_or_other_keys():
    rows = [row | {"gap": None} for row in size_rows(("all",), ("",))]
    figure = gap_and_best_nudge(rows)
    assert [axis.get_ylabel() for axis in figure.axes] == ["best β (energy units)"]
    assert figure.legends == []
    assert len({axis.get_position().y0 for axis in gradient_against_size(rows).axes}) == 1


def test_a_ramp_study_draws_smooth_schedules_alone_on_the_master_curve():
    figure = error_of_the_ramp(ramp_rows(dephasing=(0.0,)))
    master = figure.axes[1]
    assert [len([line for line in axis.lines if line.get_gid()]) for axis in figure.axes] == [6, 4, 6]
    assert master.get_xlabel() == "end curvature / T (energy)"
    assert len(error_of_the_ramp(ramp_rows(("linear",), dephasing=(0.0,))).axes) == 2


def test_a_star_marks_the_best_total_time_of_every_rate_that_has_one():
    figure = best_time_of_the_ramp(ramp_rows(dephasing=(0.0, 0.01)))
    assert [axis.get_title(loc="left") for axis in figure.axes] == [
        f"{ramp}, β = 0.001" for ramp in ("linear", "cosine", "smoothstep")
    ]
    stars = lines(figure, "best")
    assert {star.get_gid() for star in stars} == {"dephasing 0.01 best"}
    (time,) = stars[-1].get_xdata()
    assert 16.0 < time < 64.0  # smoothstep: 6 / T + 0.01 T is least at 24
