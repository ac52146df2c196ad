"""Self-contained HTML page of a shot-budget study, with its figures as files."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from matplotlib.figure import Figure

from qep_qiskit.budget.ramp_summary import best_times, has_decoherence, ideal_rows
from qep_qiskit.budget.report.cells import (
    TextTable,
    comparison_table,
    noise_table,
    recommendation_rows,
    recommendation_table,
    samples_table,
    size_table,
    study_table,
    training_table,
)
from qep_qiskit.budget.report.charts import Chart, budget_charts
from qep_qiskit.budget.report.drawing import NARROW, WIDE
from qep_qiskit.budget.report.ramp_table import best_times_table, ramp_table
from qep_qiskit.budget.report.rows import Row, main_cut, number
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.files import write_atomically
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.pages import data_uri, page_environment
from qep_qiskit.report.style import figure_bytes, save_for_print

_DATA_ENDINGS: Final = (".csv", ".parquet")


def write_budget_report(
    folder: str | os.PathLike[str], facts: Mapping[str, Any], **tables: Sequence[Row]
) -> list[FittedTable]:
    """Write the figures (PNG and PDF) and `index.html` into a folder, the page last, each file atomically.

    The page needs no network and no other file. It links to the CSV and Parquet files that exist in the folder when it
    is written, so these must be written first. Equal rows and facts give identical files.

    Args:
        folder: The folder; created if it does not exist.
        facts: Facts about the study. All keys are optional: `name`, `network` (a sentence), `num_weights`,
            `num_qubits`, `num_samples`, `gradient_norm`, `truth` (source of the true gradient), `sentences` (results, a
            list), `warnings` (sentences, a list), and `recommendation`, a mapping with `beta`, `contrast`, `shots`,
            `allocation` (fraction for each group), `samples_against_shots` (a sentence), `expected_rmse`,
            `expected_relative_rmse`, `total_shots`, `qpu_seconds` and `toml` (text for the configuration), `curves`
            (texts of a table of a size study, the headers first) and `method`, pairs of words and their meaning, in
            place of those of the other studies.
        **tables: Rows of the studies: `gradient`, `comparison` (the baselines), `training`, `noise`, `size`, `ramp`,
            `samples`, and `samples_training` (its runs).

    Returns:
        Tables for the terminal: gradient study, baselines, training, noise, recommendation; only those with rows.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    pictures = [_picture(chart, target) for chart in budget_charts(**tables)]
    texts = _tables(tables) + ([size_table(facts["curves"])] if facts.get("curves") else [])
    files = sorted(path.name for path in target.iterdir() if path.suffix in _DATA_ENDINGS)
    page = page_html(facts, pictures=pictures, tables=texts, files=files)
    write_atomically(target / "index.html", page.encode())
    shown = [table.for_terminal() for table in texts]
    recommendation = facts.get("recommendation")
    return [*shown, recommendation_table(recommendation)] if recommendation else shown


def page_html(
    facts: Mapping[str, Any],
    *,
    pictures: Sequence[Mapping[str, str]] = (),
    tables: Sequence[TextTable] = (),
    files: Sequence[str] = (),
) -> str:
    """Return the page.

    Args:
        facts: As in `write_budget_report`; all text is escaped.
        pictures: `name`, `title`, `caption`, and the `wide` and `narrow` picture as data URIs.
        tables: Tables, in the order of the page.
        files: Names of data files in the folder of the page.
    """
    environment = page_environment("qep_qiskit.budget", "report")
    script = environment.get_template("page.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    recommendation = facts.get("recommendation") or {}
    return environment.get_template("page.html.j2").render(
        name=facts.get("name") or "unnamed",
        headline=_headline(recommendation),
        answer=recommendation_rows(recommendation),
        toml=recommendation.get("toml") or "",
        truth=facts.get("truth") or "exact eigenstates",
        sentences=list(facts.get("sentences") or ()),
        warnings=list(facts.get("warnings") or ()),
        measured=_measured(facts),
        method=list(facts.get("method") or ()),
        figures=pictures,
        tables=tables,
        files=files,
        script_hash=f"sha256-{digest}",
    )


def _picture(chart: Chart, folder: Path) -> dict[str, str]:
    """Save a figure and return it for the page, drawn once for wide and once for narrow screens."""
    wide = chart.draw(WIDE)
    wide.draw_without_rendering()
    wide.set_layout_engine("none")  # the layout is computed once for all formats
    save_for_print(wide, folder, chart.name)
    return {
        "name": chart.name,
        "title": chart.title,
        "caption": chart.caption,
        "wide": _data_uri(wide),
        "narrow": _data_uri(chart.draw(NARROW)),
    }


def _data_uri(figure: Figure) -> str:
    return data_uri(figure_bytes(figure, "svg"), "svg")


def _tables(tables: Mapping[str, Sequence[Row]]) -> list[TextTable]:
    """Return the tables of the studies that have rows."""
    made = {
        "gradient": study_table,
        "comparison": comparison_table,
        "samples": samples_table,
        "training": training_table,
        "noise": noise_table,
        "ramp": ramp_table,
        "decoherence": best_times_table,
    }
    ramp = tables.get("ramp", ())
    best = best_times([row for row in ramp if has_decoherence(row)])
    shown = {**tables, "gradient": main_cut(tables.get("gradient", ())), "ramp": ideal_rows(ramp), "decoherence": best}
    return [table(shown[study]) for study, table in made.items() if shown.get(study)]


def _headline(recommendation: Mapping[str, Any]) -> str:
    """Return the recommendation as one sentence; empty if contrast, beta or shots are unknown."""
    contrast, beta, shots = (recommendation.get(key) for key in ("contrast", "beta", "shots"))
    if contrast is None or beta is None or shots is None:
        return ""
    relative = number(recommendation, "expected_relative_rmse")
    error = f": expect an error of {relative:.0%} of the gradient" if relative > 0 else ""
    return (
        f"Use the {str(contrast).replace('_', '-')} contrast with β = {beta:.3g} and {amount(shots, 'shot')} per "
        f"batch{error}."
    )


def _measured(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {
        "network": "network",
        "num_qubits": "qubits",
        "num_weights": "weights",
        "num_samples": "samples",
        "gradient_norm": "length of the true gradient",
    }
    known = [(text, facts[key]) for key, text in names.items() if facts.get(key) is not None]
    return [(text, f"{value:.4g}" if isinstance(value, float) else str(value)) for text, value in known]
