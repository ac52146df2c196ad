"""Reports of a run: learning curves, pictures of the network, and tables.

Pictures are `matplotlib.figure.Figure` objects outside of the global state of pyplot; tables are `rich.table.Table`.
Nothing here prints or shows; `style.save_figure` writes a picture, and the caller prints a table on a console. The
report of a shot-budget study is in `qep_qiskit.budget.report`.
"""
