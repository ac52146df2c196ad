"""Tables that are not comma, header, complete: one line from the command line, before anything is written."""

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


def test_one_line_says_what_it_is(refused, here):
    (here / "users.csv").write_text(_MIXED)
    (here / "users.toml").write_text(_CONFIG)
    assert "'1' (2 rows) and '1.0' (2 rows) look like one class written in two ways" in refused("train", "users.toml")


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
