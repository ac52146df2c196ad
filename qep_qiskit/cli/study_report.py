"""Where a study of ``qep budget`` is kept, and how it is shown at its end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType

from qep_qiskit.budget.folder import BudgetFolder


def folder_of(options: argparse.Namespace) -> BudgetFolder:
    """Return the folder of a study, named after its configuration unless ``--out`` gives one."""
    return BudgetFolder(Path(options.out or Path("budgets") / Path(options.config).stem).absolute())


def show_study(path: Path, facts: Mapping[str, Any], tables: Sequence[RenderableType], as_json: bool) -> int:
    """Print what a study has found, and return the exit code.

    Args:
        path: Folder of the study.
        facts: What JSON has; its ``sentences`` and ``warnings`` are printed for people too.
        tables: Tables for people.
        as_json: Whether to print JSON.
    """
    if as_json:
        print(json.dumps({**facts, "folder": str(path)}, indent=1))
        return 0
    console = Console()
    for table in tables:
        console.print(table)
    for sentence in [*facts["sentences"], *facts["warnings"]]:
        console.print(f"* {sentence}", highlight=False)
    print(f"wrote {path / 'index.html'}")
    return 0
