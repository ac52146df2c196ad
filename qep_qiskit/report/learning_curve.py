"""The learning curve of a run, from the records of its `metrics.jsonl`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator
from numpy.typing import NDArray

from qep_qiskit.core.amounts import amount
from qep_qiskit.report.log_axis import log_axis
from qep_qiskit.report.style import LINE_STYLES, figure_style, new_figure, wrapped_title
from qep_qiskit.report.tables import number, value_with_error

_WIDTH = 8.4
_MANY_POINTS = 40
_MAIN = ("train", "test", "step", "final")
_SETS = {"train": "train", "test": "test", "final": "final_train"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """Finite values against steps; `errors` holds NaN where there is no standard error or it is 0."""

    steps: NDArray[np.float64]
    values: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def has_errors(self) -> bool:
        return bool(np.isfinite(self.errors).any())

    def where(self, keep: NDArray[np.bool_]) -> _Series:
        return _Series(steps=self.steps[keep], values=self.values[keep], errors=self.errors[keep])


def learning_curve(records: Sequence[Mapping[str, object]], title: str) -> Figure:
    """Draw loss, accuracy and gradient norm against the training step.

    The loss panel shows the loss of each batch (thin, grey) and the losses of the training and test set after each
    epoch, or the loss of each step where no set was evaluated; the accuracy panel shows the same two sets; the last
    panel the gradient norm and its noise level on a logarithmic axis. Shaded bands are +-1 standard error. Where values
    scatter more than they change, they are drawn pale with their running mean. A star is the result of the final
    weights on the training set. Panels without values and bands without errors are left out. The upper axis is the
    number of shots, unless there are none.

    Args:
        records: Parsed lines of `metrics.jsonl`. Those with `event` "step", "epoch" or "final" are drawn, others are
            ignored. Any value may be missing or None. `shots` counts from the start of the run. If a step or epoch was
            recorded twice (in a resumed run), the later record is used.
        title: Title of the figure.

    Returns:
        A figure outside of the global state of pyplot.
    """
    steps = _latest(records, event="step", key="step")
    epochs = _latest(records, event="epoch", key="epoch")
    if epochs and (final := _latest(records, event="final", key="epoch")):
        epochs[-1] = {**epochs[-1], **{name: value for name, value in final[-1].items() if name.startswith("final_")}}
    panels = _panels(steps, epochs)
    with figure_style():
        height = sum(panel[2] for panel in panels) if panels else 2.0
        figure = new_figure(_WIDTH, height + 1.1)
        figure.suptitle(wrapped_title(title, _WIDTH))
        if not panels:
            figure.text(0.5, 0.4, "nothing recorded yet", ha="center", va="center", fontsize=11)
            return figure
        heights = [panel[2] for panel in panels]
        axes: list[Axes] = list(figure.subplots(len(panels), sharex=True, squeeze=False, height_ratios=heights)[:, 0])
        for axis, (name, lines, _) in zip(axes, panels, strict=True):
            _draw_panel(axis, name, lines)
        axes[-1].set_xlabel("training step" + _epochs_text(epochs))
        axes[-1].xaxis.set_major_locator(MaxNLocator(nbins=8, steps=[1, 2, 5, 10], integer=True, min_n_ticks=1))
        _limit_steps(axes[0], [line for _, lines, _ in panels for line in lines.values()])
        _add_shots_axis(axes[0], [*steps, *epochs])
        figure.align_ylabels(axes)
        figure.draw_without_rendering()  # ticks are made at the first draw, and take their style then
    return figure


def _panels(
    steps: Sequence[Mapping[str, object]], epochs: Sequence[Mapping[str, object]]
) -> list[tuple[str, dict[str, _Series], float]]:
    """Return name, lines and relative height of every panel that has a value."""
    loss, accuracy = (
        {kind: _series(epochs, f"{part}_{name}") for kind, part in _SETS.items()} for name in ("loss", "accuracy")
    )
    if loss["train"].steps.size or loss["test"].steps.size:
        own = len(steps) > len(epochs)  # else the steps are the epochs, and their line lies below that of `train`
        loss = {"batch": _series(steps, "loss"), **loss} if own else loss
    else:
        loss = {"step": _series(steps, "loss")}  # without data only the steps have a loss
    norms = {kind: _series(steps, f"gradient_{name}") for kind, name in (("gradient", "norm"), ("noise", "noise"))}
    gradient = {kind: line.where(line.values > 0) for kind, line in norms.items()}  # for a logarithmic axis
    panels = [("loss", loss, 3.0), ("accuracy", accuracy, 2.2), ("gradient norm", gradient, 1.5)]
    return [panel for panel in panels if any(line.steps.size for line in panel[1].values())]


def _draw_panel(axis: Axes, name: str, lines: Mapping[str, _Series]) -> None:
    axis.set_ylabel(name)
    axis.grid(axis="y")
    limits = (0.0, 1.0) if name == "accuracy" else (-math.inf, math.inf)
    labels = {"gradient": "norm", "noise": "noise level", "final": "train, final weights"}
    for kind, line in lines.items():
        label = labels.get(kind, kind)
        window = _window(line) if kind in _MAIN else 1
        if window > 1:
            axis.plot(
                line.steps, line.values, color=LINE_STYLES[kind].color, linewidth=0.6, alpha=0.3, zorder=1.5, gid=kind
            )
            count = "epochs" if kind in ("train", "test") else "steps"
            mean = _running_mean(line, window)
            _draw_line(axis, kind, f"{label}, mean of {window} {count}", mean, f"{kind} mean", limits)
        elif line.steps.size:
            _draw_line(axis, kind, label, line, kind, limits)
    if name == "gradient norm":
        log_axis(axis, "y", np.concatenate([line.values for line in lines.values()]))
    elif name == "accuracy":
        low, high = axis.get_ylim()
        middle = 0.5 * (low + high)
        axis.set_ylim(max(-0.02, min(low, middle - 0.06)), min(1.02, max(high, middle + 0.06)))
    elif axis.get_ylim()[0] < 0 < axis.get_ylim()[1]:
        axis.axhline(0.0, color="#777777", linewidth=0.8, zorder=0.5)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.03), borderaxespad=0.2, handlelength=2.6)


def _window(line: _Series) -> int:
    """Return the number of values of a running mean: 1 where values are few, or change more than they scatter."""
    if line.steps.size <= _MANY_POINTS or not line.has_errors:
        return 1
    scatter = float(np.sqrt(np.mean(np.diff(line.values) ** 2) / 2.0))
    return line.steps.size // 20 if scatter > 0.5 * float(line.values.std()) else 1


def _running_mean(line: _Series, window: int) -> _Series:
    """Return the mean of the last `window` values, of fewer at the start; NaN errors stay NaN."""
    ends = np.arange(1, line.steps.size + 1)
    starts = np.maximum(ends - window, 0)

    def sums(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.concatenate([[0.0], np.cumsum(values)])
        return total[ends] - total[starts]

    counts = ends - starts
    errors = np.sqrt(np.maximum(sums(np.nan_to_num(line.errors) ** 2), 0.0)) / counts
    errors[sums(np.isnan(line.errors).astype(float)) > 0] = np.nan
    return _Series(steps=line.steps, values=sums(line.values) / counts, errors=errors)


def _draw_line(axis: Axes, kind: str, label: str, line: _Series, gid: str, limits: tuple[float, float]) -> None:
    """Draw a line with a band of one standard error within the limits of what the values can be."""
    style = LINE_STYLES[kind]
    main = kind in _MAIN
    last = value_with_error(float(line.values[-1]), float(line.errors[-1]), digits=3)
    axis.plot(
        line.steps,
        line.values,
        **(style if line.steps.size > 1 or style.marker else replace(style, marker="o")).drawn(),
        markevery=max(1, line.steps.size // 20) if line.steps.size > _MANY_POINTS else None,
        label=f"{label}\n{last}" if main else label,
        zorder=3.0 if main else 2.0,
        gid=gid,
    )
    if not (main and line.has_errors):
        return
    low, high = (np.clip(line.values + sign * line.errors, *limits) for sign in (-1, 1))
    if line.steps.size == 1:
        bars = np.maximum([line.values - low, high - line.values], 0.0)
        axis.errorbar(line.steps, line.values, yerr=bars, color=style.color, linestyle="none", capsize=3)
        return
    band = axis.fill_between(
        line.steps,
        low,
        high,
        where=np.isfinite(line.errors),
        color=style.color,
        alpha=0.28,
        linewidth=0,
        zorder=2.5,
    )
    band.set_gid(f"{gid} band")


def _limit_steps(axis: Axes, lines: Sequence[_Series]) -> None:
    steps = np.concatenate([line.steps for line in lines])
    low, high = float(steps.min()), float(steps.max())
    margin = 0.02 * (high - low) if high > low else 0.5
    axis.set_xlim(low - margin, high + margin)


def _add_shots_axis(axis: Axes, records: Sequence[Mapping[str, object]]) -> None:
    """Label round numbers of shots at the steps at which they were reached."""
    spent: dict[float, float] = {}
    for record in records:
        step, shots = number(record, "step"), number(record, "shots")
        if math.isfinite(step) and math.isfinite(shots):
            spent[step] = max(shots, spent.get(step, 0.0))
    if not spent or max(spent.values()) <= 0:
        return
    steps = np.array(sorted(spent))
    shots_at = np.maximum.accumulate(np.array([spent[step] for step in steps]))
    round_numbers = MaxNLocator(nbins=7, steps=[1, 2, 5, 10]).tick_values(shots_at[0], shots_at[-1])
    wanted = np.array([shots for shots in round_numbers if shots_at[0] <= shots <= shots_at[-1]])
    if wanted.size < 2:
        wanted = np.unique(shots_at[[0, -1]])
    low, high = axis.get_xlim()
    positions: list[float] = []
    labels: list[str] = []
    text = EngFormatter(sep="\N{THIN SPACE}")
    for shots in wanted:
        position = float(np.interp(shots, shots_at, steps))
        if not positions or position - positions[-1] > 0.08 * (high - low):
            positions.append(position)
            labels.append(text(shots))
    top = axis.secondary_xaxis("top")
    top.set_xticks(positions, labels)
    top.set_xlabel("shots spent", labelpad=5)
    top.spines["top"].set_visible(True)


def _epochs_text(epochs: Sequence[Mapping[str, object]]) -> str:
    numbers = [number(record, "epoch") for record in epochs]
    last = max((number for number in numbers if math.isfinite(number)), default=0.0)
    return "" if last < 1 else f" ({amount(int(last), 'epoch')})"


def _latest(records: Sequence[Mapping[str, object]], *, event: str, key: str) -> list[Mapping[str, object]]:
    """Return the records of one event in the order of their steps, the last one of each `key`."""
    known = (record for record in records if all(math.isfinite(number(record, name)) for name in (key, "step")))
    found = {number(record, key): record for record in known if record.get("event") == event}
    return sorted(found.values(), key=lambda record: number(record, "step"))


def _series(records: Sequence[Mapping[str, object]], name: str) -> _Series:
    steps, values, errors = (
        np.array([number(record, key) for record in records], dtype=float) for key in ("step", name, f"{name}_se")
    )
    errors[~(errors > 0) | ~np.isfinite(errors)] = np.nan
    return _Series(steps=steps, values=values, errors=errors).where(np.isfinite(values))
