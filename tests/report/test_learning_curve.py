"""The learning curve shows the records as they are, and leaves out what a run does not have."""

from __future__ import annotations

import io
import math
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from qep_qiskit.core.errors import QepError
from qep_qiskit.report.learning_curve import learning_curve
from qep_qiskit.report.style import save_figure

Record = dict[str, object]


def make_records(
    num_epochs: int,
    *,
    steps_per_epoch: int = 5,
    test: bool = True,
    accuracy: bool = True,
    sets: bool = True,
    exact: bool = False,
) -> list[Record]:
    """Records of a run whose loss falls exponentially and ends slightly below zero."""
    records: list[Record] = []
    shots = step = 0
    for epoch in range(num_epochs + 1):
        loss = math.exp(-3.0 * epoch / max(1, num_epochs)) - 0.06
        for _ in range(steps_per_epoch if epoch else 0):
            step += 1
            shots += 0 if exact else 4000
            records.append(
                {
                    "event": "step",
                    "step": step,
                    "epoch": epoch,
                    "loss": loss + 0.05 * math.sin(step),
                    "loss_se": 0.0 if exact else 0.02,
                    "gradient_norm": 0.5 * math.exp(-step / 40),
                    "gradient_noise": 0.0 if exact else 0.1,
                    "shots": shots,
                    "circuits": 20 * step,
                    "seconds": 0.1 * step,
                }
            )
        shots += 0 if exact else 1000
        record: Record = {
            "event": "epoch",
            "epoch": epoch,
            "step": step,
            "shots": shots,
            "circuits": 20 * step,
        }
        for name, there in (("train", sets), ("test", sets and test)):
            record[f"{name}_loss"] = loss if there else None
            record[f"{name}_loss_se"] = (0.0 if exact else 0.01) if there else None
            record[f"{name}_accuracy"] = 0.9 - 0.4 * loss if there and accuracy else None
        record["test_accuracy_se"] = 0.0 if exact else 0.03
        records.append(record)
    return records


CASES: dict[str, list[Record]] = {
    "one epoch": make_records(1),
    "one step": make_records(1, steps_per_epoch=1),
    "300 epochs": make_records(300),
    "no test set": make_records(20, test=False),
    "no accuracy": make_records(20, accuracy=False),
    "no data": make_records(20, sets=False),
    "exact": make_records(20, exact=True),
    "before training": make_records(0),
    "empty": [],
}


def panel(figure: Figure, label: str) -> Axes:
    """The panel with this label on its vertical axis."""
    return next(axis for axis in figure.axes if axis.get_ylabel() == label)


def labels(figure: Figure) -> list[str]:
    return [axis.get_ylabel() for axis in figure.axes]


def line(axis: Axes, gid: str) -> Line2D:
    return next(drawn for drawn in axis.lines if drawn.get_gid() == gid)


def bands(axis: Axes) -> dict[str | None, PolyCollection]:
    return {band.get_gid(): band for band in axis.collections if isinstance(band, PolyCollection)}


def top_axis_labels(figure: Figure) -> list[str]:
    return [child.get_xlabel() for axis in figure.axes for child in axis.child_axes]


@pytest.mark.deep(but=["one epoch", "no data", "before training", "empty"])
@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_run_is_drawn_and_saved(case: str, tmp_path: Path) -> None:
    figure = learning_curve(CASES[case], title=f"A run: {case}")
    path = save_figure(figure, tmp_path / "curve.png")
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert np.ptp(np.asarray(image.convert("L"))) > 100


def test_lines_are_the_records() -> None:
    records = make_records(30)
    figure = learning_curve(records, title="run")
    epochs = [record for record in records if record["event"] == "epoch"]
    steps = [record for record in records if record["event"] == "step"]
    drawn = [
        ("loss", "train", epochs, "train_loss"),
        ("loss", "test", epochs, "test_loss"),
        ("loss", "batch", steps, "loss"),
        ("accuracy", "train", epochs, "train_accuracy"),
        ("accuracy", "test", epochs, "test_accuracy"),
        ("gradient norm", "gradient", steps, "gradient_norm"),
        ("gradient norm", "noise", steps, "gradient_noise"),
    ]
    for label, gid, source, key in drawn:
        curve = line(panel(figure, label), gid)
        np.testing.assert_array_equal(curve.get_xdata(), [record["step"] for record in source])
        np.testing.assert_array_equal(curve.get_ydata(), [record[key] for record in source])


def test_bands_are_one_standard_error_where_there_is_one() -> None:
    figure = learning_curve(make_records(10), title="run")
    assert set(bands(panel(figure, "loss"))) == {"train band", "test band"}
    assert set(bands(panel(figure, "accuracy"))) == {"test band"}  # no error of the training accuracy
    corners = np.asarray(bands(panel(figure, "loss"))["test band"].get_paths()[0].vertices)
    curve = line(panel(figure, "loss"), "test")
    for step, value in zip(np.asarray(curve.get_xdata()), np.asarray(curve.get_ydata()), strict=True):
        at_step = corners[corners[:, 0] == step, 1]
        assert at_step.min() == pytest.approx(value - 0.01)
        assert at_step.max() == pytest.approx(value + 0.01)


def test_band_skips_the_epochs_without_error() -> None:
    records = make_records(10, accuracy=False)
    for record in records:
        if record["event"] == "epoch" and isinstance(record["epoch"], int) and record["epoch"] >= 5:
            record["test_loss_se"] = None
    band = bands(panel(learning_curve(records, title="run"), "loss"))["test band"]
    assert max(float(np.asarray(path.vertices)[:, 0].max()) for path in band.get_paths()) == 4 * 5


def test_exact_run_has_no_bands_no_noise_and_no_shots() -> None:
    figure = learning_curve(make_records(10, exact=True), title="run")
    assert not any(bands(axis) for axis in figure.axes)
    assert [curve.get_gid() for curve in panel(figure, "gradient norm").lines] == ["gradient"]
    assert top_axis_labels(figure) == []


def test_shots_axis_places_round_numbers_where_they_were_spent() -> None:
    records: list[Record] = [
        {"event": "step", "step": step, "loss": 1.0 / (step + 1), "shots": 100 * step**2} for step in range(101)
    ]
    figure = learning_curve(records, title="run")
    assert top_axis_labels(figure) == ["shots spent"]
    (top,) = figure.axes[0].child_axes
    shown = {text.get_text(): place for text, place in zip(top.get_xticklabels(), top.get_xticks(), strict=True)}
    assert shown["1\N{THIN SPACE}M"] == pytest.approx(100)
    assert shown["400\N{THIN SPACE}k"] == pytest.approx(math.sqrt(4000), abs=0.1)


def test_panels_without_a_value_are_left_out() -> None:
    assert labels(learning_curve(make_records(3), title="")) == ["loss", "accuracy", "gradient norm"]
    assert labels(learning_curve(make_records(3, accuracy=False), title="")) == ["loss", "gradient norm"]
    assert labels(learning_curve(make_records(0), title="")) == ["loss", "accuracy"]
    assert labels(learning_curve([], title="")) == []


def test_run_without_data_shows_the_loss_of_its_steps_with_a_band() -> None:
    axis = panel(learning_curve(make_records(10, sets=False), title="run"), "loss")
    assert line(axis, "step").get_xdata().size == 50  # type: ignore[union-attr]
    assert set(bands(axis)) == {"step band"}


def test_no_test_set_no_test_line() -> None:
    axis = panel(learning_curve(make_records(10, test=False), title="run"), "loss")
    assert {curve.get_gid() for curve in axis.lines} >= {"train", "batch"}
    assert "test" not in {curve.get_gid() for curve in axis.lines}


def test_losses_are_linear_and_gradients_logarithmic() -> None:
    figure = learning_curve(make_records(10), title="run")
    assert panel(figure, "loss").get_yscale() == "linear"
    assert panel(figure, "loss").get_ylim()[0] < 0  # a debiased loss may lie below zero
    assert panel(figure, "gradient norm").get_yscale() == "log"
    assert panel(figure, "accuracy").get_ylim()[1] <= 1.02


def test_nulls_missing_keys_and_foreign_events_do_no_harm() -> None:
    records: list[Record] = [
        {"event": "step", "step": 1, "loss": None, "gradient_norm": 0.0},
        {"event": "step", "step": 2, "loss": 0.5, "loss_se": None, "shots": None},
        {"event": "step", "step": 3, "loss": math.nan, "gradient_norm": 1e-3},
        {"event": "step", "loss": 7.0},
        {"event": "interrupted", "step": 3, "loss": 9.0},
        {"event": "epoch", "epoch": 1, "step": 3, "train_loss": 0.4, "train_loss_se": None},
    ]
    figure = learning_curve(records, title="run")
    np.testing.assert_array_equal(line(panel(figure, "loss"), "batch").get_ydata(), [0.5])
    np.testing.assert_array_equal(line(panel(figure, "gradient norm"), "gradient").get_ydata(), [1e-3])


def test_resumed_run_counts_the_later_record() -> None:
    records: list[Record] = [
        {"event": "step", "step": step, "loss": loss} for step, loss in ((1, 1.0), (2, 0.9), (2, 0.7))
    ]
    axis = panel(learning_curve(records, title="run"), "loss")
    np.testing.assert_array_equal(line(axis, "step").get_ydata(), [1.0, 0.7])


def test_train_and_test_differ_in_more_than_colour() -> None:
    axis = panel(learning_curve(make_records(10), title="run"), "loss")
    train, test = line(axis, "train"), line(axis, "test")
    assert train.get_linestyle() != test.get_linestyle()
    assert train.get_marker() != test.get_marker()


def test_settings_of_the_caller_come_back() -> None:
    with matplotlib.rc_context({"font.size": 23.0}):
        before = dict(matplotlib.rcParams)
        learning_curve(make_records(2), title="run")
        assert dict(matplotlib.rcParams) == before


def test_pyplot_is_not_imported() -> None:
    code = "import sys, qep_qiskit.report.learning_curve as r; r.learning_curve([], 'x'); "
    code += "assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_title_with_dollars_and_brackets_is_taken_as_it_is(tmp_path: Path) -> None:
    save_figure(learning_curve(CASES["one epoch"], title="cost $5 {a} \\frac $x_"), tmp_path / "a.png")


def test_save_is_deterministic_and_makes_folders(tmp_path: Path) -> None:
    first = save_figure(learning_curve(CASES["one epoch"], title="run"), tmp_path / "deep" / "a.png")
    second = save_figure(learning_curve(CASES["one epoch"], title="run"), tmp_path / "b.png")
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in first.parent.iterdir()] == ["a.png"]


def test_interrupted_save_leaves_the_old_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    figure = learning_curve(CASES["one epoch"], title="run")

    def half_a_picture(target: io.BytesIO, **_: object) -> None:
        target.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half_a_picture)
    with pytest.raises(OSError, match="disk full"):
        save_figure(figure, path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QepError, match=r"ends in \.png, \.pdf, \.svg"):
        save_figure(learning_curve([], title="run"), tmp_path / "curve.jpg")


def noisy_records(num_epochs: int, scatter: float) -> list[Record]:
    """One value an epoch that scatters about a slow rise, and a look at the final weights."""
    noise = np.random.default_rng(3).normal(0.0, scatter, num_epochs + 1)
    records: list[Record] = [
        {
            "event": "epoch",
            "epoch": epoch,
            "step": epoch,
            "train_accuracy": 0.5 + 0.3 * epoch / num_epochs + float(noise[epoch]),
            "train_accuracy_se": scatter,
        }
        for epoch in range(num_epochs + 1)
    ]
    records[-1] |= {"final_train_accuracy": 1.0, "final_train_accuracy_se": 0.1}
    return records


def test_values_that_scatter_have_a_running_mean_with_its_own_error() -> None:
    records = noisy_records(400, 0.2)
    axis = panel(learning_curve(records, title="run"), "accuracy")
    values = np.array([record["train_accuracy"] for record in records], dtype=float)
    np.testing.assert_array_equal(line(axis, "train").get_ydata(), values)
    mean = np.asarray(line(axis, "train mean").get_ydata())
    assert mean[[0, 4, 400]] == pytest.approx([values[0], values[:5].mean(), values[381:].mean()])
    corners = np.asarray(bands(axis)["train mean band"].get_paths()[0].vertices)
    last = corners[corners[:, 0] == 400, 1]
    assert last.max() - last.min() == pytest.approx(2 * 0.2 / math.sqrt(20))
    assert "train band" not in bands(axis)
    assert any("mean of 20 epochs" in text.get_text() for text in axis.get_legend().get_texts())


def test_values_that_move_more_than_they_scatter_have_none() -> None:
    axis = panel(learning_curve(noisy_records(400, 0.01), title="run"), "accuracy")
    assert "train mean" not in {curve.get_gid() for curve in axis.lines}


def test_the_final_weights_are_a_point_with_an_error() -> None:
    axis = panel(learning_curve(noisy_records(30, 0.1), title="run"), "accuracy")
    final = line(axis, "final")
    assert (np.asarray(final.get_xdata()).tolist(), np.asarray(final.get_ydata()).tolist()) == ([30], [1.0])
    assert any("final weights\n1.00 ± 0.10" in text.get_text() for text in axis.get_legend().get_texts())


def test_bands_of_an_accuracy_end_at_none_and_all() -> None:
    records = make_records(10)
    for record in records:
        if record["event"] == "epoch":
            record |= {"train_accuracy": 1.0, "train_accuracy_se": 0.1, "test_accuracy": 0.0, "test_accuracy_se": 0.1}
    heights = {
        gid: np.asarray(band.get_paths()[0].vertices)[:, 1]
        for gid, band in bands(panel(learning_curve(records, title="run"), "accuracy")).items()
    }
    assert (heights["train band"].min(), heights["train band"].max()) == (pytest.approx(0.9), 1.0)
    assert (heights["test band"].min(), heights["test band"].max()) == (0.0, pytest.approx(0.1))


def test_batches_that_are_epochs_have_no_line_of_their_own() -> None:
    def kinds(records: list[Record]) -> list[str | None]:
        return [drawn.get_gid() for drawn in panel(learning_curve(records, title="run"), "loss").lines]

    assert "batch" in kinds(make_records(10))
    assert "batch" not in kinds(make_records(10, steps_per_epoch=1))
