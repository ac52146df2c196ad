"""Pictures reach the disk in three formats, the same bytes each time, and axes carry plain numbers."""

import pytest

from qep_qiskit.report.log_axis import log_axis, short_count
from qep_qiskit.report.style import figure_bytes, figure_style, new_figure, save_figure, save_for_print

BEGINNINGS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def make_figure():
    with figure_style():
        figure = new_figure(3.0, 2.0)
        axis = figure.subplots()
        axis.plot([1, 10, 1000], [0.01, 0.3, 2.0], label="$5 {a}")
        axis.fill_between([1, 10], [0.1, 0.1], [0.2, 0.2])
        axis.legend()
        log_axis(axis, "x", [1, 1000], counts=True)
        log_axis(axis, "y", [0.01, 2.0])
    return figure


@pytest.mark.deep(but=["svg"])
@pytest.mark.parametrize("kind", BEGINNINGS)
def test_equal_figures_are_equal_files(kind, tmp_path):
    first, second = (save_figure(make_figure(), tmp_path / f"{i}.{kind}").read_bytes() for i in (1, 2))
    assert first == second == figure_bytes(make_figure(), kind)
    assert first.startswith(BEGINNINGS[kind])


def test_a_figure_for_print_comes_as_picture_and_as_vectors(tmp_path):
    paths = save_for_print(make_figure(), tmp_path / "new", "error")
    assert [path.name for path in paths] == ["error.png", "error.pdf"]
    assert all(path.is_file() for path in paths)


def test_an_svg_needs_no_font_and_has_no_date():
    text = figure_bytes(make_figure(), "svg").decode()
    assert "<text" not in text
    assert "dc:date" not in text


def test_log_axes_show_plain_numbers():
    figure = make_figure()
    figure.draw_without_rendering()
    (axis,) = figure.axes
    shown = [[tick.get_text() for tick in ticks] for ticks in (axis.get_xticklabels(), axis.get_yticklabels())]
    assert {"1", "10", "100", "1k"} <= set(shown[0])
    assert {"0.01", "0.1", "1"} <= set(shown[1])


@pytest.mark.parametrize("values", [[0.3], [2.0, 2.1], [], [0.0, -1.0, float("nan"), 5.0]])
def test_narrow_ranges_show_at_least_two_ticks(values):
    with figure_style():
        figure = new_figure(3.0, 2.0)
        axis = figure.subplots()
        log_axis(axis, "y", values)
        figure.draw_without_rendering()
        low, high = axis.get_ylim()
        assert sum(low <= tick <= high for tick in axis.get_yticks()) >= 2


@pytest.mark.parametrize(
    ("value", "text"),
    [(1, "1"), (250, "250"), (999, "999"), (1000, "1k"), (1536, "1.54k"), (999_900, "1M"), (12e6, "12M"), (3e9, "3G")],
)
def test_counts_are_written_short(value, text):
    assert short_count(value) == text
