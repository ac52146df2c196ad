"""Report of a shot-budget study: figures, tables for the terminal, and an HTML page.

All are made from rows (mappings), the same as in the data files. `write_budget_report` writes the report into a folder.
"""

from __future__ import annotations

from qep_qiskit.budget.report.page import write_budget_report

__all__ = [
    "write_budget_report",
]
