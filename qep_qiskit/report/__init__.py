"""Reports of a run: learning curves, pictures of the network, and tables.

Pictures are `matplotlib.figure.Figure` objects outside of the global state of pyplot; tables are `rich.table.Table`.
Nothing here prints or shows; `save_figure` writes a picture, and the caller prints a table on a console. The report of
a shot-budget study is in `qep_qiskit.budget.report`.
"""

from __future__ import annotations

from qep_qiskit.report.learning_curve import learning_curve
from qep_qiskit.report.network_picture import NetworkView, network_picture
from qep_qiskit.report.style import save_figure, save_for_print
from qep_qiskit.report.tables import gradient_table, prediction_table, training_summary, value_with_error

__all__ = [
    "NetworkView",
    "gradient_table",
    "learning_curve",
    "network_picture",
    "prediction_table",
    "save_figure",
    "save_for_print",
    "training_summary",
    "value_with_error",
]
