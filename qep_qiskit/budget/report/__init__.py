"""Report of a shot-budget study: figures, tables for the terminal, and an HTML page.

All are made from rows (mappings), the same as in the data files. `page.write_budget_report` writes the report into a
folder.
"""
