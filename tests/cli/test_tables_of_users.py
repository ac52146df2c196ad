"""Tables that are not comma, header, complete: one line from the command line, before anything is written."""

import pytest

_CONFIG = """
[task]
kind = "csv"
file = "users.csv"
inputs = ["x1", "x2"]
target = "y"
[network]
num_spins = 2
[preparation]
kind = "exact"
[measurement]
shots = 20
[training]
epochs = 1
"""
_MIXED = "x1,x2,y\n0.15,-0.09,1\n1.90,1.17,1.0\n0.91,0.34,1\n1.76,0.81,1.0\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (_MIXED, "'1' (2 rows) and '1.0' (2 rows) look like one class written in two ways"),
        (_MIXED.replace(",", ";").replace("0.91", "a"), "row 4, column 'x1': expected a number, got 'a'"),
        (_MIXED.split("\n", 1)[1], "the header seems to be missing"),
        (_MIXED.replace("0.91", "?"), "row 4, column 'x1': expected a number, got '?'; a missing value"),
    ],
)
def test_one_line_says_what_it_is(refused, here, text, said):
    (here / "users.csv").write_text(text)
    (here / "users.toml").write_text(_CONFIG)
    assert said in refused("train", "users.toml")


def test_classes_that_are_listed_are_meant(qep, here, settings):
    (here / "users.csv").write_text(_MIXED)
    (here / "users.toml").write_text(_CONFIG)
    assert qep("train", "users.toml", "--out", "run", *settings("task.classes=['1', '1.0']")).code == 0


def test_inputs_of_size_1000_are_told(qep, here, settings):
    (here / "users.csv").write_text(_MIXED.replace("1.0\n", "2\n").replace("0.91", "1000"))
    (here / "users.toml").write_text(_CONFIG)
    assert "UnscaledInputsWarning" not in qep("train", "users.toml", "--out", "scaled").err
    told = qep("train", "users.toml", "--out", "plain", *settings("task.scaling='none'", "task.test_fraction=0"))
    assert told.code == 0
    assert "UnscaledInputsWarning" in told.err
