"""Self-contained HTML page of one run, or of several side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from qep_qiskit.core.amounts import amount
from qep_qiskit.report.pages import data_uri, page_environment

Facts = Sequence[tuple[str, str]]

_MOST_WEIGHTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A figure of a page.

    Args:
        title: Line above it.
        caption: Sentence below it.
        png: Content of its file.
    """

    title: str
    caption: str
    png: bytes

    @property
    def address(self) -> str:
        """The picture as an address that holds it."""
        return data_uri(self.png, "png")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSection:
    """What a page says of one run. All texts are escaped.

    Args:
        name: Name of the run.
        folder: Its folder.
        status: How far it is.
        results: Names and values of its numbers.
        warnings: Sentences.
        pictures: Its figures.
        settings: Keys of the configuration that say most.
        config: All keys.
        weights: Weights at the start and at the end by name.
        versions: Versions of the packages that wrote the folder.
        diagnostics: Names and values of the diagnostics of the last step.
    """

    name: str
    folder: str
    status: str
    results: Facts
    warnings: Sequence[str]
    pictures: Sequence[Picture]
    settings: Facts
    config: Facts
    weights: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    versions: Facts = ()
    diagnostics: Facts = ()

    @property
    def shown_weights(self) -> list[tuple[str, float, float]]:
        """Weights as rows, as many as a page bears."""
        rows = [(name, value["start"], value["end"]) for name, value in self.weights.items()]
        return rows[:_MOST_WEIGHTS]


def run_page(runs: Sequence[RunSection], columns: Sequence[str] = (), rows: Sequence[Sequence[str]] = ()) -> str:
    """Return the page.

    Args:
        runs: The runs.
        columns: Headers of a table of all runs, or none.
        rows: Its rows.
    """
    title = runs[0].name if len(runs) == 1 else amount(len(runs), "run")
    template = page_environment("qep_qiskit", "report").get_template("run_page.html.j2")
    return template.render(title=title, runs=runs, columns=columns, rows=rows)
