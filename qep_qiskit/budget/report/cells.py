"""Tables of a budget study as text, for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from qep_qiskit.budget.report.rows import (
    Row,
    best_beta_of_model,
    best_rows,
    contrast_name,
    interval,
    number,
    relative_factor,
    with_contrast,
)
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.log_axis import short_count
from qep_qiskit.report.tables import training_summary, value_with_error

_MISSING = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table whose cells are texts.

    Attributes:
        title: Line above it.
        columns: Headers; those of numbers are aligned to the right.
        texts: Names of the columns with text.
        rows: One tuple of cells for each row, as long as `columns`.
        note: Line below it, or empty.
        optional: Names of the columns that a narrow terminal does without, the first to go first.
    """

    title: str
    columns: tuple[str, ...]
    texts: frozenset[str]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    optional: tuple[str, ...] = ()

    def for_terminal(self) -> FittedTable:
        """Return the table in the style of the command line."""
        table = FittedTable(self.title, note=self.note or None, optional=self.optional)
        for name in self.columns:
            table.add_column(name, justify="left" if name in self.texts else "right")
        for cells in self.rows:
            table.add_row(*cells)
        return table


def study_table(rows: Sequence[Row], *, title: str = "Gradient study: the best beta of the grid") -> TextTable:
    """Return a table of the best point of each contrast and number of shots.

    Args:
        rows: Points of one cut (`main_cut`).
        title: Line above the table.
    """
    return TextTable(
        title=title,
        columns=("contrast", "shots", "beta", "model", "RMSE", "cosine", "total", "circuits", "QPU s"),
        texts=frozenset({"contrast"}),
        rows=tuple(_study_cells(row, rows) for row in best_rows(rows)),
        note=f"{_error_note(rows)}. model: its best beta within the grid. total: shots of one gradient.",
    )


def _study_cells(row: Row, rows: Sequence[Row]) -> tuple[str, ...]:
    name = contrast_name(row)
    own = [other for other in with_contrast(rows, name) if other["shots"] == row["shots"]]
    return (
        name,
        _count(row, "shots"),
        _plain(abs(number(row, "beta"))),
        _plain(best_beta_of_model(own), digits=2),
        _error(row),
        _aligned(number(row, "cosine")),
        _count(row, "total_shots"),
        _count(row, "circuits"),
        _aligned(number(row, "qpu_seconds")),
    )


def comparison_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of the baselines in the given order; a remark is next to the name of its method."""
    return TextTable(
        title="Baselines",
        columns=("method", "setting", "at equal", "RMSE", "cosine", "shots", "circuits", "states", "QPU s"),
        texts=frozenset({"method", "setting", "at equal"}),
        rows=tuple(map(_comparison_cells, rows)),
        note=_error_note(rows) + ".",
        optional=("states", "cosine"),
    )


def _comparison_cells(row: Row) -> tuple[str, ...]:
    return (
        ": ".join(str(row[key]) for key in ("label", "remark") if row.get(key)) or _MISSING,
        _word(row.get("setting")),
        _word(row.get("at")).removeprefix("equal "),
        _error(row),
        _aligned(number(row, "cosine")),
        _count(row, "total_shots"),
        _count(row, "circuits"),
        _count(row, "states"),
        _aligned(number(row, "qpu_seconds")),
    )


def training_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of the last epoch of every budget, medians over seeds."""
    ends: dict[str, dict[Any, Row]] = {}
    for row in rows:
        ends.setdefault(str(row["budget"]), {})[row["seed"]] = row
    return TextTable(
        title="Training",
        columns=("budget", "seeds", "shots", "loss", "accuracy", "test accuracy"),
        texts=frozenset({"budget"}),
        rows=tuple(
            (budget, str(len(own)), *(_median(list(own.values()), key) for key in _ENDS))
            for budget, own in ends.items()
        ),
        note="Medians over seeds at the last epoch; loss and accuracy of the prepared states without shot noise.",
    )


_ENDS = ("shots", "loss", "accuracy", "test_accuracy")


def _median(rows: Sequence[Row], key: str) -> str:
    known = [number(row, key) for row in rows if math.isfinite(number(row, key))]
    if not known:
        return _MISSING
    return short_count(median(known)) if key == "shots" else f"{median(known):.3g}"


def noise_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of every execution at each number of shots, at its best contrast and beta."""
    best: dict[tuple[str, float], Row] = {}
    for row in rows:
        key = str(row.get("execution")), number(row, "shots")
        if math.isfinite(number(row, "rmse")) and (key not in best or number(row, "rmse") < number(best[key], "rmse")):
            best[key] = row
    return TextTable(
        title="Noise beyond shots, at the best contrast and beta",
        columns=("execution", "shots", "contrast", "beta", "RMSE", "shots in all"),
        texts=frozenset({"execution", "contrast"}),
        rows=tuple(
            (
                name,
                short_count(shots),
                contrast_name(row),
                _plain(abs(number(row, "beta")), digits=3),
                _error(row),
                _count(row, "total_shots"),
            )
            for (name, shots), row in best.items()
        ),
        note=_error_note(list(best.values())) + ".",
    )


def recommendation_rows(recommendation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return names and values of a recommendation; unknown values are omitted."""
    shot_fractions = recommendation.get("allocation")
    if isinstance(shot_fractions, Mapping):
        shot_fractions = ", ".join(f"{name} {share:.0%}" for name, share in shot_fractions.items())
    relative, error = number(recommendation, "expected_relative_rmse"), number(recommendation, "expected_rmse")
    expected = f"{relative:.2g} of the length of the gradient" if math.isfinite(relative) else ""
    if math.isfinite(error):
        expected += f" ({error:.2g})" if expected else f"{error:.2g}"
    pairs: Iterable[tuple[str, object]] = (
        ("contrast", recommendation.get("contrast")),
        ("beta", recommendation.get("beta")),
        ("shots per batch", recommendation.get("shots")),
        ("shots between groups", shot_fractions),
        ("expected RMSE", expected),
        ("shots for one gradient", recommendation.get("total_shots")),
        ("QPU seconds for one gradient", recommendation.get("qpu_seconds")),
    )
    return [(name, _value(value)) for name, value in pairs if value not in (None, "")]


def recommendation_table(recommendation: Mapping[str, Any]) -> FittedTable:
    """Return the table of a recommendation for the terminal."""
    return training_summary(recommendation_rows(recommendation), title="Recommendation")


def answers_table(answers: Sequence[Mapping[str, Any]], *, title: str) -> FittedTable:
    """Return a table of the cost of a requested error, or of the error for given shots, by contrast, the best first.

    Args:
        answers: Records of recommendations.
        title: Line above the table.
    """
    table = FittedTable(title, note="shots: of a batch, the mean over groups")
    for name in ("contrast", "beta", "shots", "split", "rel. error", "in all", "QPU s"):
        table.add_column(name, justify="left" if name in ("contrast", "split") else "right")
    for answer in answers:
        split = answer["split"]
        table.add_row(
            str(answer["contrast"]).replace("_", "-"),
            f"{answer['beta']:.3g}",
            f"{answer['shots']:,}",
            "equal" if split is None else ", ".join(f"{name} {count:,}" for name, count in split.items()),
            f"{answer['relative_error']:.3g}",
            f"{answer['total_shots']:,}",
            f"{answer['qpu_seconds']:,.0f}" if answer["qpu_seconds"] >= 100 else f"{answer['qpu_seconds']:.3g}",
        )
    return table


def _error(row: Row) -> str:
    """Return the RMSE, relative if possible, with half its confidence interval."""
    factor = relative_factor(row)
    value, low, high = (end * (factor if math.isfinite(factor) else 1.0) for end in interval(row, "rmse"))
    half = 0.5 * (high - low)
    return value_with_error(value, half if half > 0 else None, digits=3) if math.isfinite(value) else _MISSING


def _error_note(rows: Sequence[Row]) -> str:
    relative = bool(rows) and all(math.isfinite(relative_factor(row)) for row in rows)
    what = "RMSE: in lengths of the true gradient" if relative else "RMSE: in units of the gradient"
    return f"{what}, ± half the confidence interval"


def _count(row: Row, key: str) -> str:
    value = number(row, key)
    return short_count(value) if math.isfinite(value) else _MISSING


def _plain(value: float, *, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else _MISSING


def _aligned(value: float) -> str:
    """Return a number with three digits, including trailing zeros, so that columns align."""
    return f"{value:#.3g}".removesuffix(".") if math.isfinite(value) else _MISSING


def _word(value: object) -> str:
    return _MISSING if value in (None, "") else str(value)


def _value(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
