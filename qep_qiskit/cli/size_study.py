"""``qep budget --study size``: gradients, shots, gap and best nudge against the number of spins."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.size_study import Sizes, network_row, sizes_of, tables_of
from qep_qiskit.cli.source import open_source
from qep_qiskit.cli.study_report import computed_rows, show_study
from qep_qiskit.config import Config
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.grid import grid, parse_axis
from qep_qiskit.runs.points import Row
from qep_qiskit.runs.table import require_table_format, write_table
from qep_qiskit.runs.warned_points import warned_sentences

_METHOD = [
    (
        "networks",
        "Weights are drawn as those of the first step of a training run, with the seed of the configuration and the "
        "next ones. Means over networks are geometric, with the standard error of the mean of the logarithms.",
    ),
    (
        "gradient",
        "Of the mean cost of the samples by all trained weights, in the limit of β to 0, from exact means of the "
        "prepared states at two small nudges.",
    ),
    (
        "shots",
        "The fewest shots of one gradient, all batches and samples counted, for which bias and shot noise together "
        "stay below the error, at the nudge that needs fewest: the bias from exact means at nudges around it, the "
        "noise from the variance 1 − ⟨P⟩² of a shot. The noise of a measured error signal is included to first order.",
    ),
    ("gap", "First excitation energy of the free Hamiltonian, the smallest of the samples."),
    (
        "distance",
        "Couplings between the nearest qubit of a weight's dH/dw and the nearest output. Gradients below 1e-10 of "
        "the length are rounding errors and left out.",
    ),
]


def run(options: argparse.Namespace) -> int:
    """Check all networks before anything is written, then study them."""
    _check(options)
    require_table_format(options.format)
    points = grid(options.config, options.overrides, [parse_axis(text) for text in options.over])
    sizes = sizes_of(points)
    experiment, weights = open_source(options.config, options.overrides)
    setup = setup_of(experiment, weights)
    path, rows = computed_rows(options, setup, experiment, sizes.points, network_row, "networks")
    return _report(path, rows, sizes, experiment.config, options)


def _check(options: argparse.Namespace) -> None:
    if set(options.study) != {"size"}:
        raise ConfigError("--study size: goes alone; run the other studies without --over, in a folder of their own")
    if Path(options.config).is_dir():
        raise ConfigError(
            f"{options.config}: --study size takes a configuration file, because the weights of a run have one size"
        )
    if not options.over:
        raise ConfigError("--over: --study size needs the sizes, such as --over network.num_spins=4,8,12")


def _report(path: Path, rows: Sequence[Row], sizes: Sizes, config: Config, options: argparse.Namespace) -> int:
    """Write tables and page, the tables first, because the page links to them. Figures are imported only here."""
    from qep_qiskit.budget.report.page import write_budget_report
    from qep_qiskit.budget.size_summary import curve_table, distance_averages, size_averages, size_sentences

    networks, distances = tables_of(rows)
    write_table(path / f"size.{options.format}", networks)
    write_table(path / f"distance.{options.format}", distances)
    error = config.budget.size.target_error
    facts = {
        "name": config.name,
        "network": f"{len(networks)} random networks; shots are for an error of {error:.3g} of the gradient's length",
        "sentences": size_sentences(networks),
        "curves": curve_table(networks, distances, sizes.others),
        "warnings": warned_sentences({"size": networks}),
    }
    means = size_averages(networks, sizes.others) + distance_averages(distances, networks, sizes.others)
    shown = write_budget_report(path, {**facts, "method": _METHOD}, size=means)
    return show_study(path, facts, shown, options.json)
