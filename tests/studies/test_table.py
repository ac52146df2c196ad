import csv
import math

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, ResourceError, RunFolderError
from qep_qiskit.runs.table import require_table_format, write_table

ROWS = [
    {"point": "a,b", "shots": 1, "loss": 0.1 + 0.2, "bounded": True, "edges": [[0, 1]], "test": None},
    {"point": 'say "so"\n', "shots": "exact", "loss": np.float64(1e-300), "late": np.int64(3)},
]
COLUMNS = ["point", "shots", "loss", "bounded", "edges", "test", "late"]


def test_csv_keeps_every_digit_and_the_order_of_columns(tmp_path):
    write_table(tmp_path / "table.csv", ROWS)
    with (tmp_path / "table.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == COLUMNS
    assert rows[0] == ["a,b", "1", "0.30000000000000004", "true", "[[0, 1]]", "", ""]
    assert rows[1] == ['say "so"\n', "exact", "1e-300", "", "", "", "3"]
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_floats_round_trip(tmp_path, rng):
    values = rng.normal(size=50) * 10.0 ** rng.integers(-300, 300, size=50)
    write_table(tmp_path / "table.csv", [{"x": value} for value in [*values, math.nan]])
    _, *lines = (tmp_path / "table.csv").read_text().splitlines()
    assert [float(line) for line in lines[:-1]] == values.tolist()
    assert math.isnan(float(lines[-1]))


def test_texts_that_a_spreadsheet_would_compute_are_quoted_and_numbers_are_not(tmp_path):
    texts = ["=1+1", "+1", "-beta", "@SUM(A1)", "\t=1", "a=1", "-1"]
    write_table(tmp_path / "table.csv", [{"=name": text, "number": -0.5, "list": [-1]} for text in texts])
    with (tmp_path / "table.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["'=name", "number", "list"]
    assert [row[0] for row in rows] == ["'=1+1", "'+1", "'-beta", "'@SUM(A1)", "'\t=1", "a=1", "'-1"]
    assert {tuple(row[1:]) for row in rows} == {("-0.5", "[-1]")}


def test_parquet(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_table(tmp_path / "table.parquet", [*ROWS, {"loss": 2, "shots": 10}])
    table = parquet.read_table(tmp_path / "table.parquet").to_pydict()
    assert list(table) == COLUMNS
    assert table["loss"] == [0.1 + 0.2, 1e-300, 2.0]
    assert table["shots"] == ["1", "exact", "10"]
    assert table["late"] == [None, 3, None]
    assert table["bounded"] == [True, None, None]


def test_an_empty_table(tmp_path):
    write_table(tmp_path / "table.csv", [])
    assert (tmp_path / "table.csv").read_text() == "\n"


def test_missing_package(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ResourceError, match=r"pip install 'qep_qiskit\[parquet\]'"):
        require_table_format("parquet")


def test_other_formats_and_places(tmp_path):
    with pytest.raises(ConfigError, match="csv or parquet, got 'xlsx'"):
        write_table(tmp_path / "table.xlsx", ROWS)
    with pytest.raises(RunFolderError, match=r"table\.csv: cannot be written"):
        write_table(tmp_path / "nowhere" / "table.csv", ROWS)
