"""The figure of the comparison of classifiers: accuracy against size, family by family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from benchmarks.peers.public_sets import FAMILIES

__all__ = ["draw"]

_OTHERS = {
    "SVC": {"color": "black", "linestyle": "--", "marker": "x", "label": "support vector machine"},
    "MLPClassifier": {"color": "black", "linestyle": ":", "marker": "+", "label": "multilayer perceptron"},
}
_MARKERS = "osD^v<>*"


def draw(lines: Sequence[Mapping[str, Any]], path: Path, shown: Sequence[str] = ()) -> None:
    """Draw accuracies with their spread over seeds: this package in markers, quantum models in light grey.

    Args:
        lines: Lines of the table of all sets.
        path: The file.
        shown: Models of this package to draw where there are any of them; otherwise all are drawn.
    """
    ours = [model for model in dict.fromkeys(line["model"] for line in lines) if model.startswith("QEP")]
    left_out = {model for model in ours if model not in shown} if set(ours) & set(shown) else set()
    lines = [line for line in lines if line["model"] not in left_out]
    figure = Figure(figsize=(11.0, 6.5), layout="constrained")
    axes = figure.subplots(2, 3, sharey=True).ravel()
    models = list(dict.fromkeys(line["model"] for line in lines))
    ours = [model for model in models if model.startswith("QEP")]
    for ax, (family, title) in zip(axes, FAMILIES.items(), strict=True):
        own = [line for line in lines if line["family"] == family]
        for model in models:
            points = sorted(
                (line["size"], float(line["mean"]), float(line["std"])) for line in own if line["model"] == model
            )
            if points:
                _curve(ax, model, points, ours)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_title(title, fontsize="medium")
        ax.set_ylim(0.4, 1.02)
    for ax in axes[::3]:
        ax.set_ylabel("test accuracy")
    known = {label: handle for ax in axes for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=4, fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def _curve(ax: Axes, model: str, points: Sequence[tuple[int, float, float]], ours: Sequence[str]) -> None:
    sizes, means, spreads = zip(*points, strict=True)
    if model in ours:
        number = ours.index(model)
        shade = str(0.0 if number == 0 else 0.15 + 0.07 * number)
        face = "black" if number == 0 else "white"
        style = {"marker": _MARKERS[number % len(_MARKERS)], "color": shade, "markerfacecolor": face, "capsize": 2}
        # a line between sets that are far apart would say something about those between
        style["linestyle"] = "-" if all(b - a == 1 for a, b in pairwise(sizes)) and len(sizes) > 1 else "none"
        ax.errorbar(sizes, means, spreads, label=model, zorder=3, linewidth=1.2 if number == 0 else 0.7, **style)
    elif model in _OTHERS:
        ax.plot(sizes, means, zorder=2, **_OTHERS[model])
    else:
        ax.plot(
            sizes,
            means,
            color="0.75",
            linewidth=0.8,
            marker=".",
            markersize=3,
            zorder=1,
            label="other published models",
        )
