"""Tables for the terminal, and numbers with their standard errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import numpy as np
from rich.text import Text

from qep_qiskit.report.fitted_table import FittedTable

Row = TypeVar("Row")
Name = TypeVar("Name", bound=Hashable)

_MISSING = "-"
_SUSPICIOUS_PULL = 4.0
_COMPARED = {
    "exact": "exact",
    "finer_contrast": "bonds doubled",
    "finite_difference": "finite diff.",
    "finite_difference_error": "±",
    "pull": "pull",
}
_FORMATS = {"finite_difference_error": ".1e"}
_SHOWN_NUMBERS = 6
_HEADINGS = {"shots": "shots in all"}  # beside a key of the same name


def number(row: Mapping[str, object], key: str) -> float:
    """Return a value of a row as a float; NaN where it is missing, None or not a number."""
    value = row.get(key)
    return float(value) if isinstance(value, int | float | np.number) else math.nan


def grouped(rows: Iterable[Row], name: Callable[[Row], Name]) -> dict[Name, list[Row]]:
    """Return rows by the names of their groups, both in the order of the rows."""
    found: dict[Name, list[Row]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return found


def value_with_error(value: float, standard_error: float | None, *, digits: int = 6) -> str:
    """Return a number with its standard error as text, such as `-1.234 ± 0.005`.

    The error has at most two digits, by the rule of the Particle Data Group: two if it begins with 10 to 35, otherwise
    one, and 0.0996 becomes 0.10; the value ends at the same decimal. Numbers from a million on, or below 1e-4, have a
    common power of ten: `(1.23 ± 0.04)e+09`.

    Args:
        value: The number.
        standard_error: Its standard error; for None, 0 and NaN the value is written alone.
        digits: Significant digits of a value without an error.

    Raises:
        ValueError: The standard error is negative.
    """
    if standard_error is not None and standard_error < 0:
        raise ValueError(f"expected a standard error of at least 0, got {standard_error}")
    if not math.isfinite(value) or not standard_error or math.isnan(standard_error):
        return f"{value:.{digits}g}"
    if math.isinf(standard_error):
        return f"{value:.{digits}g} ± inf"
    size = max(abs(value), standard_error)
    if standard_error < 1e-13 * size:  # below the resolution of a double: no decimals to align
        return f"{value:.13g} ± {standard_error:.1e}"
    exponent = Decimal(size).adjusted()
    if -4 <= exponent < 6:
        return _aligned(Decimal(value), Decimal(standard_error))
    mantissas = _aligned(Decimal(value).scaleb(-exponent), Decimal(standard_error).scaleb(-exponent))
    return f"({mantissas})e{exponent:+03d}"


def _aligned(value: Decimal, error: Decimal) -> str:
    """Round a value and its error to the last significant digit of the error."""
    leading = error.scaleb(-error.adjusted())
    decimals = -error.adjusted() + (1 if leading < Decimal("3.55") else 0)
    quantum = Decimal(1).scaleb(-decimals)
    shown = [(number / quantum).to_integral_value() * quantum for number in (value, error)]
    texts = [f"{number:.{max(0, decimals)}f}" for number in shown]
    if shown[0] == 0:
        texts[0] = texts[0].lstrip("-")
    return " ± ".join(texts)


def training_summary(rows: Sequence[tuple[str, str]], *, title: str | None = None) -> FittedTable:
    """Return a table of names and values without a header, such as the facts of a finished run.

    Args:
        rows: Names and values.
        title: Line above the table, or None.
    """
    table = FittedTable.of(("", ""), rows, title, plain=True)
    table.columns[0].style = "dim"
    return table


def gradient_table(rows: Sequence[Mapping[str, object]], *, title: str | None = None) -> FittedTable:
    """Return a table of weights with their gradients.

    Args:
        rows: One mapping for each weight: `name`, `value`, `gradient`, `standard_error` (None when exact), and where
            known `exact` (the exact gradient), `finer_contrast` (that of a larger bond dimension), `finite_difference`
            with `finite_difference_error`, `pull` (difference to one of them in standard errors) and `trainable` (True
            by default). Columns without any value are left out; frozen weights are dimmed, and pulls beyond 4 are bold.
        title: Line above the table.
    """
    table = FittedTable(title)
    table.add_column("weight")
    optional = [name for name in _COMPARED if any(row.get(name) is not None for row in rows)]
    for name in ("value", "gradient", "std. error", *(_COMPARED[name] for name in optional)):
        table.add_column(name, justify="right")
    for row in rows:
        trainable = row.get("trainable") is not False
        error, pull = number(row, "standard_error"), number(row, "pull")
        cells = [
            str(row["name"]) + ("" if trainable else " (fixed)"),
            _formatted(number(row, "value"), "+.5f"),
            _formatted(number(row, "gradient"), "+.5f"),
            _formatted(error or math.nan, ".1e" if error < 1e-4 else ".5f"),
        ]
        cells += [_formatted(number(row, name), _FORMATS.get(name, "+.5f")) for name in optional if name != "pull"]
        shown = Text(_formatted(pull, "+.2f"), style="bold" if abs(pull) > _SUSPICIOUS_PULL else "")
        table.add_row(*cells, *([shown] if "pull" in optional else []), style=None if trainable else "dim")
    return table


def prediction_table(
    rows: Sequence[Mapping[str, object]], *, title: str | None = None, names: Sequence[str] = ()
) -> FittedTable:
    """Return a table of predictions.

    Args:
        rows: One mapping for each sample. All keys are optional, and a column appears when a row has its key:
            `sample` (number or name), `inputs` (numbers), `outputs` (a number, or one for each output spin
            written short, `0.86(4)` for 0.86 ± 0.04) with `standard_error` of the same shape, `prediction`,
            `target` (class names or numbers) and `correct` (bool).
        title: Line above the table.
        names: Names of the outputs; up to six then have a column each.
    """
    outputs = {"outputs": "outputs"}
    if 0 < len(names) <= _SHOWN_NUMBERS:
        rows = [_apart(row) for row in rows]
        outputs = {f"output {k}": name for k, name in enumerate(names)}
    headers = {"sample": "sample", "inputs": "inputs", **outputs}
    headers |= {name: name for name in ("prediction", "target", "correct")}
    columns = [name for name in headers if any(row.get(name) is not None for row in rows)]
    table = FittedTable(title)
    for name in columns:
        many = name == "outputs" and any(len(_as_list(row.get(name))) > 1 for row in rows)
        side = "left" if name in ("sample", "inputs") else "right"
        table.add_column(headers[name], justify=side, overflow="fold" if many else "ellipsis")
    for row in rows:
        table.add_row(
            *(_prediction_cell(name, row) for name in columns), style="bold" if row.get("correct") is False else None
        )
    return table


def _apart(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row with a cell for each output."""
    outputs, errors = _as_list(row.get("outputs")), _as_list(row.get("standard_error"))
    errors += [None] * (len(outputs) - len(errors))
    write = _short_with_error if len(outputs) > 1 and row.get("prediction") is not None else _with_error
    return {**row, **{f"output {k}": write(*pair) for k, pair in enumerate(zip(outputs, errors, strict=True))}}


def grid_table(
    rows: Sequence[Mapping[str, object]], keys: Sequence[str], columns: Sequence[str], *, title: str | None = None
) -> FittedTable:
    """Return a table of swept keys against results.

    Args:
        rows: One mapping for each point or group of runs: values of the keys, `runs`, and for each result its value
            and, under ``<name>_se``, its standard error.
        keys: Dotted names of configuration keys; headed by their last parts, where these are unique.
        columns: Names of results.
        title: Line above the table.
    """
    table = FittedTable(title)
    for short in short_keys(keys).values():
        table.add_column(short, justify="right", overflow="fold")
    for name in ("runs", *columns):
        table.add_column(_HEADINGS.get(name, name.replace("_", " ")), justify="right")
    for row in rows:
        cells = [_plain(row.get(key)) for key in (*keys, "runs")]
        cells += [_result(row.get(name), row.get(f"{name}_se")) for name in columns]
        table.add_row(*cells)
    return table


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of each dotted key, or the whole key where the last part is not unique."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: end if last.count(end) == 1 else key for key, end in zip(keys, last, strict=True)}


def _result(value: object, error: object) -> str:
    """Return a count as it is, any other number with its error."""
    if isinstance(value, int) or (isinstance(value, float) and value.is_integer() and not error and value > 1):
        return f"{int(value):,}"
    return _with_error(value, error)


def _prediction_cell(name: str, row: Mapping[str, object]) -> str:
    value = row.get(name)
    if value is None:
        return _MISSING
    if name == "correct":
        return "yes" if value else "no"
    numbers = _as_list(value)
    if name == "outputs":
        errors = _as_list(row.get("standard_error"))
        errors += [None] * (len(numbers) - len(errors))
        write = _with_error if len(numbers) == 1 else _short_with_error
        return " ".join(write(*pair) for pair in zip(numbers, errors, strict=False))
    shown = " ".join(_plain(number) for number in numbers[:_SHOWN_NUMBERS])
    return shown + (f" ... ({len(numbers)} in all)" if len(numbers) > _SHOWN_NUMBERS else "")


def _as_list(value: object) -> list[object]:
    """Return one number, a sequence of numbers, or an array as a list."""
    if value is None:
        return []
    if hasattr(value, "tolist"):
        value = value.tolist()
    return list(value) if isinstance(value, list | tuple) else [value]


def _with_error(value: object, error: object) -> str:
    if not isinstance(value, int | float):
        return _plain(value)
    return value_with_error(value, error if isinstance(error, int | float) else None, digits=4)


def _short_with_error(value: object, error: object) -> str:
    """Return a number of order one with the error of its last digit in brackets."""
    if not isinstance(value, int | float):
        return _plain(value)
    known = isinstance(error, int | float) and error > 0
    return f"{value:+.2f}" + (f"({max(1, round(100 * float(error)))})" if known else "")  # type: ignore[arg-type]


def _plain(value: object) -> str:
    if value is None:
        return _MISSING
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _formatted(value: float, format_spec: str) -> str:
    return _MISSING if math.isnan(value) else format(value, format_spec)
