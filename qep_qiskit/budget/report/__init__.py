"""What a reader sees of a shot-budget study: figures, tables for the terminal, and one page.

Everything is made of plain tidy rows (mappings), the same that the data files hold. `write_budget_report` writes
all of it into a folder.
"""

from __future__ import annotations

from qep_qiskit.budget.report.page import write_budget_report

__all__ = [
    "write_budget_report",
]
