"""Tables of a budget study as text, for the terminal and for the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from qep_qiskit.budget.report.rows import (
    Row,
    best_beta_of_model,
    best_rows,
    contrast_name,
    cut_name,
    grouped,
    interval,
    number,
    relative_factor,
    smallest_errors,
    strength,
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
        rows: One tuple of cells for each row, as long as `columns`.
        note: Line below it.
        optional: Names of the columns that a narrow terminal does without, the first to go first.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    optional: tuple[str, ...] = ()

    @property
    def texts(self) -> frozenset[str]:
        """Names of the columns with text."""
        return frozenset(self.columns) & _TEXTS

    def for_terminal(self) -> FittedTable:
        """Return the table in the style of the command line."""
        numbers = set(self.columns) - _TEXTS
        return FittedTable.of(
            self.columns, self.rows, self.title, right=numbers, note=self.note, optional=self.optional
        )


_TEXTS = frozenset({"contrast", "method", "setting", "at equal", "budget", "execution", "split"})


def _table(
    rows: Iterable[Row],
    columns: Mapping[str, Callable[[Row], str]],
    *,
    title: str,
    note: str,
    optional: Sequence[str] = (),
) -> TextTable:
    """Return a table from the text of every column in a row."""
    cells = tuple(tuple(text(row) for text in columns.values()) for row in rows)
    return TextTable(title=title, columns=tuple(columns), rows=cells, note=note, optional=tuple(optional))


def study_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of the best point of each contrast and number of shots.

    Args:
        rows: Points of one cut (`main_cut`).
    """
    curves = grouped(rows, lambda row: (contrast_name(row), row["shots"]))
    columns = {
        "contrast": contrast_name,
        "shots": _count("shots"),
        "beta": lambda row: _plain(strength(row)),
        "model": lambda row: _plain(best_beta_of_model(curves[contrast_name(row), row["shots"]]), digits=2),
        "RMSE": _error,
        "cosine": _aligned("cosine"),
        "total": _count("total_shots"),
        "circuits": _count("circuits"),
        "QPU s": _aligned("qpu_seconds"),
    }
    note = f"{_error_note(rows)}. model: its best beta within the grid. total: shots of one gradient."
    title = f"Gradient study at the best beta of the grid ({cut_name(rows[0])})"
    return _table(best_rows(rows), columns, title=title, note=note)


def comparison_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of the baselines in the given order; a remark is next to the name of its method."""
    columns = {
        "method": lambda row: ": ".join(str(row[key]) for key in ("label", "remark") if row.get(key)) or _MISSING,
        "setting": lambda row: str(row.get("setting") or _MISSING),
        "at equal": lambda row: str(row.get("at") or _MISSING).removeprefix("equal "),
        "RMSE": _error,
        "cosine": _aligned("cosine"),
        "shots": _count("total_shots"),
        "circuits": _count("circuits"),
        "states": _count("states"),
        "QPU s": _aligned("qpu_seconds"),
    }
    return _table(rows, columns, title="Baselines", note=_error_note(rows) + ".", optional=("states", "cosine"))


def training_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of the last epoch of every budget, medians over seeds."""
    budgets = grouped(rows, lambda row: str(row["budget"]))
    ends = {budget: list({row["seed"]: row for row in own}.values()) for budget, own in budgets.items()}
    columns = ("budget", "seeds", "shots", "loss", "accuracy", "test accuracy")
    return TextTable(
        title="Training",
        columns=columns,
        rows=tuple(
            (budget, str(len(own)), *(_median(own, name.replace(" ", "_")) for name in columns[2:]))
            for budget, own in ends.items()
        ),
        note="Medians over seeds at the last epoch; loss and accuracy of the prepared states without shot noise.",
    )


def _median(rows: Sequence[Row], key: str) -> str:
    known = [number(row, key) for row in rows if math.isfinite(number(row, key))]
    if not known:
        return _MISSING
    return short_count(median(known)) if key == "shots" else f"{median(known):.3g}"


def noise_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of every execution at each number of shots, at its best contrast and beta."""
    best = list(smallest_errors(rows, lambda row: (str(row.get("execution")), number(row, "shots"))).values())
    columns = {
        "execution": lambda row: str(row.get("execution")),
        "shots": _count("shots"),
        "contrast": contrast_name,
        "beta": lambda row: _plain(strength(row), digits=3),
        "RMSE": _error,
        "shots in all": _count("total_shots"),
    }
    title = "Noise beyond shots, at the best contrast and beta"
    return _table(best, columns, title=title, note=_error_note(best) + ".")


def samples_table(rows: Sequence[Row]) -> TextTable:
    """Return a table of every choice of samples and shots at the executions of a step.

    Args:
        rows: Rows of the study of samples against shots.
    """
    columns = {
        "shots": _count("shots"),
        "samples": _count("samples"),
        "RMSE": _error,
        "formula": lambda row: _plain(number(row, "model_rmse") * _factor(row), digits=3),
        "data": lambda row: _plain(number(row, "data_std") * _factor(row), digits=3),
        "shot noise": lambda row: _plain(number(row, "shot_std") * _factor(row), digits=3),
        "executions": _count("total_shots"),
        "jobs": _count("jobs"),
        "QPU s": _aligned("qpu_seconds"),
        "loss": _aligned("loss"),
    }
    note = f"{_error_note(rows)}. formula: of V_data and V_shot. loss: at the end of training, the median over seeds."
    return _table(rows, columns, title="Samples against shots, for one step", note=note)


def _factor(row: Row) -> float:
    """Return what makes an error relative, or one where the length of the gradient is unknown."""
    factor = relative_factor(row)
    return factor if math.isfinite(factor) else 1.0


def size_table(table: Sequence[Sequence[str]]) -> TextTable:
    """Return the table of the curves of a size study.

    Args:
        table: Texts, the headers first.
    """
    header, *rows = table
    return TextTable(
        title="From the smallest to the largest networks",
        columns=tuple(header),
        rows=tuple(map(tuple, rows)),
        note="Geometric means over networks with standard errors. gradient: its length. power: of the number of spins. "
        "shots: of one gradient with the error of the study. a weight: shots over the number of weights. per coupling: "
        "factor by which the gradient of a weight falls with every coupling between it and the outputs, in the largest "
        "networks that gave no warning.",
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
        ("samples against shots", recommendation.get("samples_against_shots")),
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
    columns: dict[str, Callable[[Row], str]] = {
        "contrast": lambda row: str(row["contrast"]).replace("_", "-"),
        "beta": lambda row: f"{row['beta']:.3g}",
        "shots": lambda row: f"{row['shots']:,}",
        "split": lambda row: ", ".join(f"{name} {count:,}" for name, count in (row["split"] or {}).items()) or "equal",
        "rel. error": lambda row: f"{row['relative_error']:.3g}",
        "in all": lambda row: f"{row['total_shots']:,}",
        "QPU s": lambda row: f"{row['qpu_seconds']:,.0f}" if row["qpu_seconds"] >= 100 else f"{row['qpu_seconds']:.3g}",
    }
    return _table(answers, columns, title=title, note="shots: of a batch, the mean over groups").for_terminal()


def _error(row: Row) -> str:
    """Return the RMSE, relative if possible, with half its confidence interval."""
    factor = _factor(row)
    value, low, high = (end * factor for end in interval(row, "rmse"))
    half = 0.5 * (high - low)
    return value_with_error(value, half if half > 0 else None, digits=3) if math.isfinite(value) else _MISSING


def _error_note(rows: Sequence[Row]) -> str:
    relative = bool(rows) and all(math.isfinite(relative_factor(row)) for row in rows)
    what = "RMSE: in lengths of the true gradient" if relative else "RMSE: in units of the gradient"
    return f"{what}, ± half the confidence interval"


def _count(key: str) -> Callable[[Row], str]:
    """Return a cell with a count in its short form."""
    return lambda row: short_count(number(row, key)) if math.isfinite(number(row, key)) else _MISSING


def _aligned(key: str) -> Callable[[Row], str]:
    """Return a cell with three digits of a number, including trailing zeros, so that columns align."""
    return lambda row: f"{number(row, key):#.3g}".removesuffix(".") if math.isfinite(number(row, key)) else _MISSING


def _plain(value: float, *, digits: int = 4) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else _MISSING


def _value(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
