"""One kind of study: points are computed and stored, their rows make tables and sentences, and these make the page.

A study is its points, the measurement of a point, and a summary of the rows. All else is here and in `runs/points.py`.
A study that was stopped goes on by the same call, because finished points are kept.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from qep_qiskit.budget.points import computed
from qep_qiskit.budget.setup import BudgetSetup
from qep_qiskit.config import Experiment
from qep_qiskit.config.budget import BudgetConfig
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.runs.points import Point, Row, Store, Work, run_points
from qep_qiskit.runs.pool import Pool
from qep_qiskit.runs.table import TableFormat, write_table


@dataclass(frozen=True, kw_only=True)
class Study:
    """Pool, store and progress of the points of a study.

    Args:
        setup: Definition of the study.
        config: The keys of the study.
        pool: Workers that compute the points.
        store: Store of finished points, or None.
        progress: Called after every point.
    """

    setup: BudgetSetup
    config: BudgetConfig
    pool: Pool
    store: Store | None = None
    progress: Callable[[Any], None] | None = None

    def rows(self, points: Sequence[Point], work: Work) -> list[Row]:
        """Return the rows of all points, from the store or computed; points that are given twice count once.

        Args:
            points: The points.
            work: Computes the row of a point, in a worker.
        """
        unique = list({point["key"]: point for point in points}.values())
        return run_points(unique, work, self.store, self.pool, self.progress)

    def estimates(
        self, points: Sequence[Point], work: Callable[[BudgetSetup, str, Point], Mapping[str, Any]] = computed
    ) -> list[Row]:
        """Return the rows of points whose errors are counted from the true gradient.

        Args:
            points: The points.
            work: Computes the row of a point of a study with its reference for errors, in a worker.
        """
        reference = self.config.reference  # errors from another one are not known yet
        own = [{**point, "reference": reference} for point in points]
        return self.rows(own, partial(work, self.setup, reference))

    def of(self, setup: BudgetSetup, **config: Any) -> Study:
        """Return the study of another setup, in the same place, with other keys.

        Args:
            setup: The other setup.
            **config: Keys of the study that differ.
        """
        return replace(self, setup=setup, config=self.config.model_copy(update=config))


@dataclass(frozen=True, slots=True, kw_only=True)
class StudySummary:
    """What a study has found.

    Args:
        facts: What JSON has and the page shows; `sentences` and `warnings` are printed for people too.
        tables: Rows of the data files by name.
        drawn: Rows of the figures and of the tables of the page, if they are not those of the files.
        method: Words of the page with their meanings.
    """

    facts: Mapping[str, Any]
    tables: Mapping[str, Sequence[Row]]
    drawn: Mapping[str, Sequence[Row]] | None = None
    method: Sequence[tuple[str, str]] = ()

    def write(self, path: Path, table_format: TableFormat) -> list[FittedTable]:
        """Write tables, figures and page, the tables first, because the page links to them; return what people see.

        Args:
            path: Folder of the study.
            table_format: File format of the tables.
        """
        from qep_qiskit.budget.report.page import write_budget_report  # figures are imported only here

        for name, rows in self.tables.items():
            if rows:
                write_table(path / f"{name}.{table_format}", rows)
        drawn = self.tables if self.drawn is None else self.drawn
        return write_budget_report(path, {**self.facts, "method": self.method}, **drawn)


@dataclass(frozen=True, kw_only=True)
class StudyKind(ABC):
    """A study that has been checked, before its first point.

    Args:
        experiment: The run that is studied.
        setup: The study that its folder belongs to.
    """

    points_name: ClassVar[str] = "points"

    experiment: Experiment
    setup: BudgetSetup

    def check(self, path: Path) -> None:  # noqa: B027
        """Check what depends on the folder of the study, before anything is written.

        Args:
            path: The folder, an absolute path.
        """

    @abstractmethod
    def found(self, study: Study, path: Path) -> StudySummary:
        """Compute what is not in the store, and return what the study finds.

        Args:
            study: Pool, store and progress.
            path: Folder of the study, an absolute path.
        """
