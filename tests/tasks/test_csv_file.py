from functools import partial
from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError, MissingValuesWarning, TextInputsWarning
from qep_qiskit.tasks.csv_file import read_csv
from qep_qiskit.tasks.csv_format import CsvFormat

read_inputs = partial(read_csv, answers_optional=True)
GOOD = "a,b,kind,z\n1,2,x,0.5\n3,4.5,y,-1e-3\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_labels(write):
    table = read_csv(write(GOOD), ["b", "a"], "kind")
    assert table.inputs.tolist() == [[2, 1], [4.5, 3]]
    assert table.input_names == ("b", "a")
    assert table.labels == ("x", "y")
    assert table.label_column == "kind"
    assert table.targets is None


def test_regression(write):
    table = read_csv(write(GOOD), ["a"], targets=["z", "b"])
    assert table.targets.tolist() == [[0.5, 2], [-1e-3, 4.5]]
    assert table.target_columns == ("z", "b")
    assert table.labels is None


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD + "\n\n  \r\n",
        GOOD.rstrip("\n"),
        GOOD.replace(",", " , "),
        '"a","b","kind","z"\n1,"2", "x",0.5\n"3",4.5,y,-1e-3\n',
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", "|"),
        GOOD.replace(",", "  "),
        GOOD.replace(",", ";").replace(".", ","),
        GOOD.encode("utf-16"),
        GOOD.replace("\n", "\n\n"),
        "# Lab 3, Tuesday\n# a, b\n\n" + GOOD,
        "# " + GOOD,
    ],
)
def test_other_ways_to_write_the_same_file(write, content):
    table = read_csv(write(content), ["a", "b"], "kind")
    assert table.inputs.tolist() == [[1, 2], [3, 4.5]]
    assert table.labels == ("x", "y")


def test_numbers_are_read_bit_for_bit(write):
    values = np.random.default_rng(5).normal(size=(20, 2)) * 10.0 ** np.arange(-10, 10)[:, None]
    rows = "".join(f"{float(a)!r},{float(b)!r},k\n" for a, b in values)
    assert np.array_equal(read_csv(write("a,b,t\n" + rows), ["a", "b"], "t").inputs, values)


def test_columns_that_are_not_asked_for_are_not_looked_at(write):
    table = read_csv(write("note,a,kind\n,1,x\n???,2,y\n"), ["a"], "kind")
    assert table.inputs.tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("a,b,kind\n", ["data rows", "row 2"]),
        ("a,b,a,kind\n1,2,3,x\n", ["row 1", "column 'a'", "twice"]),
        ("a, a,b,kind\n1,2,3,x\n", ["row 1", "column 'a'", "twice"]),
        ("a,c,kind\n1,2,x\n", ["row 1", "no column 'b'", "'a', 'c', 'kind'"]),
        ("\n# measured\n\na,c,kind\n1,2,x\n", ["row 4: no column 'b'"]),
        ("a,b\n1,2\n", ["row 1", "no column 'kind'", "'a', 'b'"]),
        ("a,b,kind\n1,2,x\n1,2\n", ["row 3", "expected 3 cells, got 2", "'kind'"]),
        ("a,b,kind\n1,2,x,4\n", ["row 2", "expected 3 cells, got 4"]),
        ("a,b,kind\n1,2,x\n\n1,x\n", ["row 4", "expected 3 cells, got 2"]),
        ("a,b,kind\n1,2,x\n# end\n", ["row 3", "expected 3 cells, got 1", "set task.comment = '#'"]),
        ("a,b,kind\n1,2,x\n,2,x\n", ["row 3", "column 'a'", "empty"]),
        ("a,b,kind\n1,  ,x\n", ["row 2", "column 'b'", "empty"]),
        ("a,b,kind\n1,2,x\n1,2,\n", ["row 3", "column 'kind'", "empty"]),
        ("a,b,kind\n1,two,x\n", ["row 2", "column 'b'", "expected a number", "'two'"]),
        ("a,b,kind\n1_0,2,x\n", ["row 2", "column 'a'", "expected a number", "'1_0'"]),
        ('a,b,kind\n"1,5",2,x\n', ["row 2", "column 'a'", "expected a number", "'1,5'"]),
        ("a,b,kind\n1,2,x\n1,nan,x\n", ["row 3", "column 'b'", "finite", "'nan'"]),
        ("a,b,kind\n-Infinity,2,x\n", ["row 2", "column 'a'", "finite", "'-Infinity'"]),
        ("a,b,kind\n1e999,2,x\n", ["row 2", "column 'a'", "finite", "'1e999'"]),
        (b"a,b,kind\n1,2,x\n1,2,\xe9\n", ["row 3", "UTF-8"]),
        (GOOD.encode("utf-16")[:-1], ["utf-16"]),
        ("a;b;kind\n1,234;2;x\n12,500;1;y\n", ["row 2", "'1,234' may have a decimal comma", "task.decimal"]),
        ("a;b;kind\n1,5;2;x\n1.234,5;1;y\n", ["row 3", "column 'a'", "'1.234,5'", "decimal commas"]),
        ("a,b,kind\n1,low,x\n2,3,y\n", ["row 2", "column 'b'", "expected a number, got 'low'", "task.categorical"]),
        ("a,b,kind\n1,low,x\n2,?,y\n3,high,x\n", ["row 3", "column 'b'", "expected a category, got '?'"]),
        ("a,b,kind\n1,Low,x\n2,low,y\n", ["column 'b': 'Low' (1 row) and 'low' (1 row) look like one category"]),
        (
            "a,b,kind\n" + "".join(f"1,{'x' * (index + 1)},y\n" for index in range(12)),
            ["column 'b'", "12 different texts in 12 rows", "task.categorical"],
        ),
        ('a,b,kind\n1,2,x\n1,"2,x\n1,2,x\n', ["row 3", "not a CSV row"]),
        ('a,b,kind\n1,2,"x\ny"\n1,no,x\n', ["row 4", "column 'b'", "'no'"]),
        ('a,b,kind\n1,"2\n3",x\n', ["row 2", "column 'b'", r"'2\n3'"]),
        ("a,b,kind\n1," + "9" * 50 + "x,y\n", ["row 2", "column 'b'", "9" * 40 + "...'"]),
    ],
)
def test_bad_files_are_named_by_row_and_column(write, content, words):
    path = write(content)
    with pytest.raises(DataError) as caught:
        read_csv(path, ["a", "b"], "kind")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_long_header_is_cut(write):
    path = write(",".join(f"c{i}" for i in range(100)) + "\n" + ",".join("1" * 100) + "\n")
    with pytest.raises(DataError, match="'c19' and 80 more"):
        read_csv(path, ["a"])


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        read_csv(tmp_path / "none.csv", ["a"])
    with pytest.raises(DataError, match="got a folder") as caught:
        read_csv(tmp_path, ["a"])
    assert str(tmp_path) in str(caught.value)


def test_a_file_that_may_not_be_read(write, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"data\.csv: the file cannot be read: Permission denied"):
        read_csv(write(GOOD), ["a"])


def test_a_label_that_is_no_class(write):
    assert read_csv(write(GOOD), ["a"], "kind", classes=["y", "x"]).labels == ("x", "y")
    with pytest.raises(DataError, match=r"row 3, column 'kind': .* classes 'x', 'w', got 'y'"):
        read_csv(write(GOOD), ["a"], "kind", classes=["x", "w"])
    with pytest.raises(DataError, match=r"row 3, column 'kind'"):
        read_inputs(write(GOOD), ["a"], "kind", classes=["x", "w"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], "kind"), "inputs: expected at least one"),
        (("ab", "kind"), "inputs: expected a list"),
        ((["a"], None, "z"), "targets: expected a list"),
        ((["a", "a"], "kind"), "'a' is asked for twice"),
        ((["a"], "a"), "'a' is asked for twice"),
        ((["a"], None, ["a"]), "'a' is asked for twice"),
        ((["a"], "kind", ["z"]), "got both"),
    ],
)
@pytest.mark.parametrize("read", [read_csv, read_inputs])
def test_bad_column_choices(write, read, arguments, words):
    with pytest.raises(ConfigError, match=words):
        read(write(GOOD), *arguments)


def test_rows_to_predict_may_lack_the_answer(write):
    table = read_inputs(write("b,a\n1,2\n"), ["a", "b"], "kind")
    assert table.inputs.tolist() == [[2, 1]]
    assert table.labels is None
    assert table.label_column is None
    assert read_inputs(write("b,a\n1,2\n"), ["a"], targets=["z"]).targets is None


def test_rows_to_predict_may_have_the_answer(write):
    assert read_inputs(write(GOOD), ["a"], "kind").labels == ("x", "y")
    assert read_inputs(write(GOOD), ["a"], targets=["z"]).targets.tolist() == [[0.5], [-1e-3]]


def test_half_of_the_target_columns_is_an_error(write):
    with pytest.raises(DataError, match="row 1: no column 'w'"):
        read_inputs(write(GOOD), ["a"], targets=["z", "w"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x1,x2,y\n0,72,-1,31,a\n", "expected 3 cells, got 5 (after the last column); if numbers have decimal commas"),
        ('x1,x2,y\n"0,72",1,a\n', "row 2, column 'x1': expected a number, got '0,72'; write it with a decimal point"),
        ("0.45,-1.82,a\n0.2,1.0,b\n", "no column 'y'; the file has '0.45', '-1.82', 'a'; row 1 holds numbers, so the"),
        ("1,1,a\n0.2,1.0,b\n", "row 1: the column '1' is there twice; row 1 holds numbers, so the header seems to be"),
        (
            "x1,x2,y\n?,1.0,b\n",
            "row 2, column 'x1': expected a number, got '?'; a missing value: fill it in, or",
        ),
        ("x1,x2,y\nnan,1.0,b\n", "expected a finite number, got 'nan'; a missing value"),
        ("x1,x2,y\nabc,1.0,b\n", "expected a number, got 'abc'"),
    ],
)
def test_tables_of_other_kinds_say_what_they_are(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError) as error:
        read_csv(tmp_path / "t.csv", ["x1", "x2"], "y")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("layout", "content"),
    [
        ({"delimiter": ";", "decimal": ","}, "a;b;kind;z\n1,000;2;x;0,5\n3;4,500;y;-1e-3\n"),
        ({"comment": "%"}, GOOD.replace("\n", "\n% 7,7\n")),
        ({"encoding": "latin-1"}, GOOD.replace("x", "\u00e9").encode("latin-1")),
        ({"delimiter": "~"}, GOOD.replace(",", "~")),
    ],
)
def test_formats_that_are_set(write, layout, content):
    table = read_csv(write(content), ["a", "b"], "kind", layout=CsvFormat(**layout))
    assert table.inputs.tolist() == [[1, 2], [3, 4.5]]
    assert table.labels in (("x", "y"), ("\u00e9", "y"))


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"delimiter": ";;"}, "delimiter: expected one sign"),
        ({"delimiter": ",", "decimal": ","}, "decimal: expected another sign than delimiter"),
        ({"encoding": "latin-77"}, "encoding: expected the name of an encoding"),
        ({"comment": " "}, "comment: expected the sign"),
    ],
)
def test_formats_that_cannot_be(layout, words):
    with pytest.raises(ConfigError, match=words):
        CsvFormat(**layout)


def test_a_blank_line_of_one_column_is_an_empty_cell(write):
    with pytest.raises(DataError, match="row 3, column 'a': the cell is empty"):
        read_csv(write("a\n1\n\n2\n"), ["a"])


@pytest.mark.parametrize(
    ("inputs", "names"),
    [
        ("*", ["a", "b", "c", "d"]),
        (["*"], ["a", "b", "c", "d"]),
        ("a:c", ["a", "b", "c"]),
        (["d", "a:b"], ["d", "a", "b"]),
        ("b:", ["b", "c", "kind", "d"]),
    ],
)
def test_inputs_by_range(write, inputs, names):
    path = write("a,b,c,kind,d\n1,2,3,5,4\n1,2,3,6,4\n")
    assert read_csv(path, inputs, *([] if "kind" in names else ["kind"])).input_names == tuple(names)


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        (["a:z"], DataError, "row 1: no column 'z'"),
        (["c:a"], ConfigError, "from left to right"),
        (["a:d"], ConfigError, "'kind' is asked for twice"),
        ([0], ConfigError, "got the number 0; numbers go with task.header = false"),
    ],
)
def test_bad_ranges(write, inputs, error, words):
    with pytest.raises(error, match=words):
        read_csv(write("a,b,c,kind,d\n1,2,3,5,4\n"), inputs, "kind")


NUMBERED = "5.1,3.5,x\n4.9,3.0,y\n"


@pytest.mark.parametrize("inputs", [[0, 1], "0:2", "*", [":-1"]])
@pytest.mark.parametrize("target", [2, -1])
def test_columns_by_number(write, inputs, target):
    table = read_csv(write(NUMBERED), inputs, target, layout=CsvFormat(header=False))
    assert table.inputs.tolist() == [[5.1, 3.5], [4.9, 3.0]]
    assert (table.input_names, table.label_column, table.labels) == (("0", "1"), "2", ("x", "y"))


@pytest.mark.parametrize(
    ("inputs", "error", "words"),
    [
        ([0, 3], DataError, "no column 3; the file has the columns 0 to 2"),
        (["a"], ConfigError, "expected numbers of columns from 0"),
        (["3:5"], DataError, "no column in the range '3:5'"),
        ([0, -3], ConfigError, "'0' is asked for twice"),
    ],
)
def test_bad_numbers_of_columns(write, inputs, error, words):
    with pytest.raises(error, match=words):
        read_csv(write(NUMBERED), inputs, 2, layout=CsvFormat(header=False))


def test_categories_are_one_hot(write):
    path = write("size,colour,kind\n1,red,x\n2,blue,y\n3,red,x\n")
    with pytest.warns(TextInputsWarning, match="one-hot") as noted:
        table = read_csv(path, "*", "kind")
    assert noted[0].message.detail == "colour: 'blue', 'red'"
    assert table.input_names == ("size", "colour=blue", "colour=red")
    assert table.inputs.tolist() == [[1, 0, 1], [2, 1, 0], [3, 0, 1]]
    named = read_csv(path, "*", "kind", categorical=["size", "colour"])
    assert named.input_names == ("size=1", "size=2", "size=3", "colour=blue", "colour=red")
    with pytest.raises(DataError, match="row 2, column 'colour': expected a number, got 'red'"):
        read_csv(path, "*", "kind", categorical=[])
    with pytest.raises(ConfigError, match="categorical: expected some of the inputs, got 'size'"):
        read_csv(path, ["colour"], "kind", categorical=["size"])


HOLES = "a,b,kind\n1,red,x\n,blue,y\n3,?,x\n5,blue,NA\n6,blue,y\n"


def test_rows_with_holes_are_dropped(write):
    with pytest.warns(MissingValuesWarning, match="left out") as noted:
        table = read_csv(write(HOLES), ["a", "b"], "kind", categorical=["b"], missing="drop")
    assert noted[0].message.detail == "3 of 5 rows of data.csv"
    assert table.inputs.tolist() == [[1, 0, 1], [6, 1, 0]]
    assert table.labels == ("x", "y")
    with pytest.raises(DataError, match="every row lacks a value"):
        read_csv(write("a,b,kind\n1,,x\n"), ["a", "b"], "kind", missing="drop")


def test_holes_are_known_until_the_rows_are_split(write):
    with pytest.warns(MissingValuesWarning, match="means"):
        table = read_csv(write(HOLES), ["a", "b"], "kind", categorical=["b"], missing="mean")
    assert table.missing.tolist() == [[False] * 3, [True, False, False], [False, True, True], [False] * 3, [False] * 3]
    assert table.means(np.arange(3)).tolist() == [2, 0.5, 0.5]
    with pytest.raises(DataError, match=r"'a' has no value in any training row"):
        table.means(np.array([1]))


@pytest.mark.parametrize("missing", ["error", "mean"])
def test_an_answer_cannot_be_filled_in(write, missing):
    with pytest.raises(DataError, match="row 3, column 'z'"):
        read_csv(write("a,z\n1,2\n3,\n"), ["a"], targets=["z"], missing=missing)
