"""Numbers with errors are rounded as physicists do; tables show what rows have, and what the learning rule needs."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from cases import SMALL_GRAPHS, random_network
from rich.console import Console
from rich.table import Table

from qep_qiskit.learning.locality import LocalMeasurement, locality
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.report.locality_table import locality_table
from qep_qiskit.report.tables import gradient_table, prediction_table, training_summary, value_with_error


def rendered(table: Table, width: int = 120) -> str:
    console = Console(width=width, record=True, quiet=False, file=None, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def headers(table: Table) -> list[str]:
    return [str(column.header) for column in table.columns]


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-1.2341, 0.005, "-1.234 ± 0.005"),
        (1.23456, 0.0123, "1.235 ± 0.012"),
        (1.23456, 0.0354, "1.235 ± 0.035"),
        (1.23456, 0.0356, "1.23 ± 0.04"),
        (0.5, 0.0996, "0.50 ± 0.10"),
        (0.5, 0.094, "0.50 ± 0.09"),
        (0.5, 0.1, "0.50 ± 0.10"),
        (0.03, 1.2, "0.0 ± 1.2"),
        (-0.03, 1.2, "0.0 ± 1.2"),
        (0.4, 5.0, "0 ± 5"),
        (-0.0, 0.5, "0.0 ± 0.5"),
        (0.0, 0.012, "0.000 ± 0.012"),
        (1234.5, 56.0, "1230 ± 60"),
        (1234.5, 12.0, "1234 ± 12"),
        (999.6, 0.9996, "999.6 ± 1.0"),
        (1.234e9, 3.4e7, "(1.234 ± 0.034)e+09"),
        (-2.5e12, 4e10, "(-2.50 ± 0.04)e+12"),
        (1.23e-9, 1.2e-10, "(1.23 ± 0.12)e-09"),
        (1e-12, 3e-5, "(0.0 ± 3.0)e-05"),
        (5e-310, 1.5e-310, "(5.0 ± 1.5)e-310"),
        (1.0, 2e-10, "1.00000000000 ± 0.00000000020"),
        (1.5, 1e-17, "1.5 ± 1.0e-17"),
    ],
)
def test_value_with_error(value: float, error: float, text: str) -> None:
    assert value_with_error(value, error) == text


@pytest.mark.parametrize("error", [None, 0.0, 0, math.nan])
def test_value_without_error_stands_alone(error: float | None) -> None:
    assert value_with_error(-1.25, error) == "-1.25"
    assert value_with_error(1 / 3, error) == "0.333333"
    assert value_with_error(1 / 3, error, digits=3) == "0.333"


def test_what_is_not_finite_is_said() -> None:
    assert value_with_error(math.nan, 0.1) == "nan"
    assert value_with_error(-math.inf, 0.1) == "-inf"
    assert value_with_error(1.5, math.inf) == "1.5 ± inf"


def test_numpy_numbers_are_numbers() -> None:
    assert value_with_error(np.float64(0.25), np.float64(0.01)) == "0.250 ± 0.010"


def test_negative_error_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, got -1"):
        value_with_error(1.0, -1.0)


def test_rounding_never_moves_the_value_by_more_than_half_its_last_digit() -> None:
    rng = np.random.default_rng(7)
    for value, error in zip(
        rng.normal(size=500) * 10 ** rng.uniform(-3, 5, 500), 10 ** rng.uniform(-4, 3, 500), strict=True
    ):
        shown, shown_error = (float(part) for part in value_with_error(value, error).strip("()").split(" ± "))
        assert abs(shown - value) <= 0.5 * error + 1e-12
        assert shown_error == pytest.approx(error, rel=0.16)


def test_training_summary_is_two_columns_without_markup() -> None:
    table = training_summary([("loss", "0.031 ± 0.004"), ("run [bold]", "runs/[red]x")], title="Finished [1]")
    text = rendered(table)
    assert len(table.columns) == 2
    for part in ("Finished [1]", "loss", "0.031 ± 0.004", "run [bold]", "runs/[red]x"):
        assert part in text


def test_gradient_table_shows_optional_columns_only_when_known() -> None:
    row: dict[str, object] = {"name": "J[0,1]", "value": 0.5, "gradient": -0.0123, "standard_error": 0.002}
    assert headers(gradient_table([row])) == ["weight", "value", "gradient", "std. error"]
    rows = [row | {"exact": -0.0125, "pull": 0.1}, row | {"exact": None, "pull": -5.5}]
    table = gradient_table(rows)
    assert headers(table) == ["weight", "value", "gradient", "std. error", "exact", "pull"]
    text = rendered(table)
    for part in ("J[0,1]", "+0.50000", "-0.01230", "0.00200", "-0.01250", "+0.10", "-5.50"):
        assert part in text


def test_gradient_table_says_what_is_fixed_and_what_is_missing() -> None:
    rows = [{"name": "h[0]", "value": 1.0, "gradient": None, "standard_error": None, "trainable": False}]
    line = rendered(gradient_table(rows)).strip().splitlines()[-1]
    assert line.split() == ["h[0]", "(fixed)", "+1.00000", "-", "-"]


def test_tiny_standard_errors_are_not_shown_as_zero() -> None:
    rows = [{"name": "b[0]", "value": 1.0, "gradient": 0.1, "standard_error": 3e-6}]
    assert "3.0e-06" in rendered(gradient_table(rows))


def test_prediction_table_shows_the_columns_it_has() -> None:
    rows: list[dict[str, object]] = [
        {
            "sample": 0,
            "inputs": np.array([1.0, -1.0]),
            "outputs": [0.912, -0.4],
            "standard_error": [0.02, None],
            "prediction": "setosa",
            "target": "setosa",
            "correct": True,
        },
        {
            "sample": 1,
            "inputs": [0.5] * 64,
            "outputs": 0.25,
            "standard_error": 0.1,
            "prediction": "x",
            "correct": False,
        },
    ]
    table = prediction_table(rows, title="Test set")
    assert headers(table) == ["sample", "inputs", "outputs", "prediction", "target", "correct"]
    text = rendered(table, width=160)
    for part in (
        "Test set",
        "1 -1",
        "+0.91(2)",
        "-0.40",
        "setosa",
        "yes",
        "no",
        "(64 in all)",
        "0.25 ± 0.10",
    ):
        assert part in text
    assert headers(prediction_table([{"prediction": 1.0}])) == ["prediction"]


def test_empty_tables_can_be_shown() -> None:
    for table in (training_summary([]), gradient_table([]), prediction_table([])):
        assert isinstance(rendered(table), str)


def shown(readings):
    console = Console(file=io.StringIO(), width=80)
    console.print(locality_table(readings))
    return [" ".join(line.split()) for line in console.file.getvalue().splitlines()]


def readings_of(graph, rng):
    network, _ = random_network(SMALL_GRAPHS[graph], rng, num_inputs=1)
    size = network.num_qubits
    return locality(NudgedHamiltonian(network, LossOnExpectations.on_spins(network.outputs, size)))


def test_few_weights_have_a_row_each(rng):
    readings = [reading for reading in readings_of("edges", rng) if reading.weight[0] in "Jh"]
    lines = shown(readings)
    assert "J[0,2] Z 0 2" in lines
    assert "h[1] X 1" in lines


def test_many_weights_are_counted_by_kind(rng):
    lines = shown(readings_of("complete", rng))
    assert "6 of J Z 2 qubits each, J[0,1]: 0 1" in lines
    assert "4 of h X 1 qubit each, h[0]: 0" in lines
    assert "4 of W Z 1 qubit each, W[0,0]: 0" in lines


@pytest.mark.parametrize("count", [5, 200])
def test_long_sums_are_cut(count):
    products = tuple((k, k + 1) for k in range(count))
    lines = shown([LocalMeasurement(weight="a", group="Z", products=products)])
    assert f"a Z 0 1, 1 2, 2 3, 3 4, ... ({count - 4} more)" in lines
