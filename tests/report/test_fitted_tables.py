"""No table ever crops a number: in 40, 80 and 200 columns everything that is not left out by name is there whole."""

import ast
import io
from pathlib import Path

import pytest
from budget_rows import FACTS, comparison_rows, gradient_rows, noise_rows, training_rows
from qiskit import QuantumCircuit
from rich.console import Console

import qep_qiskit
from qep_qiskit.budget.report.cells import (
    answers_table,
    comparison_table,
    noise_table,
    recommendation_table,
    study_table,
    training_table,
)
from qep_qiskit.budget.report.rows import main_cut
from qep_qiskit.cli.circuits import NamedCircuit
from qep_qiskit.cli.circuits import _table as circuits_table
from qep_qiskit.cli.jobs import _table as jobs_table
from qep_qiskit.learning.locality import LocalMeasurement
from qep_qiskit.plan.tables import allocation_table, cost_table, savings_table, transpilation_table
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.locality_table import locality_table
from qep_qiskit.report.tables import gradient_table, grid_table, prediction_table, training_summary

WEIGHT = {"name": "spring_12[10,11]", "value": 0.51234, "gradient": -0.01234, "standard_error": 0.00213}
DIFFERENCE = {"finite_difference": -0.01251, "finite_difference_error": 2.3e-9, "pull": 0.12}
PLAN = {
    "steps": 1240,
    "unit": "QPU seconds",
    "step": dict.fromkeys(("jobs", "circuits", "executions", "payload_bytes", "qpu_seconds"), 1_234_567),
    "run": dict.fromkeys(("jobs", "circuits", "executions", "payload_bytes", "qpu_seconds"), 987_654_321),
    "shot_fractions": [
        {"phase": "nudged +0.25", "group": g, "executions": 7_654_321, "step_seconds": 428.4, "qpu_seconds": 51_234.5}
        for g in ("Z", None)
    ],
}
PROGRAM = {
    "qubits": list(range(100, 127)),
    "helpers": [7, 8, 9],
    "two_qubit_gates": 176_823,
    "two_qubit_depth": 12_345,
    "depth": 1_234_567,
    "circuit_seconds": 1.234e-4,
    "template_bytes": 3_456_789,
    "parameters": 12_345,
    "signal": 0.0123,
    "gate_signal": 0.345,
    "readout_signal": 0.678,
}
SAVING = {"qpu_seconds": 123_456.7, "change": "measurement.shots = 1000 instead of 123456", "price": "11.1 times"}
POINT = {
    "network.num_spins": 12,
    "preparation": "{'kind': 'adiabatic', 'total_time': 12.5, 'steps': 123456}",
    "runs": 128,
    **dict.fromkeys(("train_loss", "train_accuracy", "test_loss", "test_accuracy", "shots", "seconds"), 1234.5),
    **{f"{name}_se": 12.3 for name in ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "seconds")},
}
PREDICTION = {
    "sample": 1234,
    "inputs": [-0.1234, 123456.0, 0.5, 0.25, 1e-7, 3.0, 8.0],
    "outputs": [0.91, -0.40, 0.12, 0.34, -0.56, 0.78, 0.99, -0.11, 0.22, 0.33],
    "standard_error": [0.02] * 10,
    "prediction": "iris-versicolor",
    "target": "iris-virginica",
    "correct": False,
}
JOB = {
    "row": 7,
    "purpose": "gradient",
    "step": 123,
    "stage": 2,
    "iteration": 14,
    "part": 3,
    "sending": 1,
    "state": "submitted",
    "service": "QUEUED",
    "position": 12,
    "starts": None,
    "job_id": "d3t5n6k7p8q9r0s1t2u3",
    "posted": 1.7e9,
    "usage_seconds": None,
    "estimated_seconds": 1234.56,
}
ANSWER = {
    "contrast": "four_point",
    "beta": 0.123,
    "shots": 1_234_567,
    "split": {"Z": 12_345_678, "X": 1_234_567, "commuting_3": 23_456},
    "relative_error": 0.0987,
    "total_shots": 98_765_432,
    "qpu_seconds": 12_345.6,
}
SUMMARY = [("train loss (mean over the last epoch)", "0.0312345 ± 0.0043210"), ("shots", "1,234,567,890")]
NAMED = [
    NamedCircuit("nudged3x_minus_commuting_12", -0.123456, "commuting_12", QuantumCircuit(12), "outputs, gradient")
]

TABLES = {
    "gradient": lambda: gradient_table([WEIGHT | {"exact": -0.0125, "pull": -12.34}] * 2, title="weights of a run"),
    "finite differences": lambda: gradient_table([WEIGHT | DIFFERENCE]),
    "predictions": lambda: prediction_table([PREDICTION]),
    "one output": lambda: prediction_table([PREDICTION | {"outputs": 0.1234, "standard_error": 0.0213}]),
    "sweep": lambda: grid_table([POINT], list(POINT)[:2], list(POINT)[3:9], title="sweep"),
    "summary": lambda: training_summary(SUMMARY, title="xor"),
    "costs of a plan": lambda: cost_table(PLAN, title="xor on fake_torino"),
    "shares of a plan": lambda: allocation_table(PLAN),
    "placement": lambda: transpilation_table(PROGRAM),
    "savings": lambda: savings_table([SAVING]),
    "locality": lambda: locality_table([LocalMeasurement(weight="J[10,11]", group="Z", products=((10, 11),) * 9)]),
    "circuits": lambda: circuits_table(NAMED, "xor"),
    "jobs": lambda: jobs_table([JOB], "jobs of runs/xor"),
    "study": lambda: study_table(main_cut(gradient_rows())).for_terminal(),
    "baselines": lambda: comparison_table(comparison_rows()).for_terminal(),
    "training": lambda: training_table(training_rows()).for_terminal(),
    "noise": lambda: noise_table(noise_rows()).for_terminal(),
    "recommendation": lambda: recommendation_table(FACTS["recommendation"]),
    "answers": lambda: answers_table([ANSWER] * 2, title="xor"),
}


def printed(table, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(table)
    return console.file.getvalue().splitlines()


def omitted(lines):
    said = [line.removeprefix("left out for lack of space: ") for line in lines if line.startswith("left out")]
    return said[0].split(", ") if said else []


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("name", TABLES)
def test_every_word_and_number_is_there_whole(name, width):
    table = TABLES[name]()
    lines = printed(table, width)
    shown = {word for line in lines for word in line.split()}
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    missing = [column for column in table.columns if str(column.header) in omitted(lines)]
    for column in (column for column in table.columns if column not in missing):
        words = {word for cell in (column.header, *column.cells) for word in str(cell).split()}
        assert {word for word in words if len(word) <= width - 2} <= shown
    assert not missing or width == 40 or name == "baselines"


@pytest.mark.parametrize("width", [40, 80])
def test_a_number_stays_beside_its_error(width):
    text = "\n".join(printed(TABLES["sweep"](), width))
    assert text.count("1234 ± 12") == 5


def test_an_optional_column_goes_before_the_table_stands_upright():
    def table(optional):
        made = FittedTable("t", optional=optional)
        for header in ("method", "cosine", "shots"):
            made.add_column(header, justify="right")
        made.add_row("a" * 12, "0.987654321012", "1,234,567,890")
        return printed(made, 40)

    assert any("1,234,567,890" in line and "a" * 12 in line for line in table(("cosine",)))
    assert omitted(table(("cosine",))) == ["cosine"]
    upright = table(())
    assert "cosine  0.987654321012" in upright
    assert "shots   1,234,567,890" in upright


def test_brackets_are_text():
    table = training_summary([("weight [bold]", "[red]x")], title="run [1]")
    assert "\n".join(printed(table, 40)).split() == ["run", "[1]", "weight", "[bold]", "[red]x"]


def test_all_tables_are_of_the_one_kind():
    package = Path(qep_qiskit.__file__).parent
    makers = {
        path.name
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich.table")
        if any(alias.name == "Table" for alias in node.names)
    }
    assert makers == {"fitted_table.py"}
