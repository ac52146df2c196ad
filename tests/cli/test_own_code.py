"""Networks and callbacks of one's own lie beside the configuration, in several files, and the run keeps them."""

import json
import shutil

import numpy as np
import pytest

import qep_qiskit as qep_package
from qep_qiskit.config import from_file

_NETWORK = """
import qep_qiskit as qep
from parts.terms import field


def chain(task, num_spins=2):
    from late import SIGN  # when it is called
    parts = [qep.Interaction(operator=SIGN * field("X", spin, num_spins)) for spin in range(num_spins)]
    parts.append(qep.Interaction(operator=SIGN * field("ZZ", 0, num_spins), weight="J"))
    for spin in range(num_spins):
        parts.append(qep.Interaction(operator=SIGN * field("Z", spin, num_spins), weight=f"b{spin}"))
        for place in range(task.train.num_inputs):
            z = SIGN * field("Z", spin, num_spins)
            parts.append(qep.Interaction(operator=z, weight=f"W{place}{spin}", input=place))
    return qep.PauliNetwork(
        interactions=tuple(parts), outputs=(num_spins - 1,), num_inputs=task.train.num_inputs
    )


def other(task):
    return 3


def failing(task):
    raise RuntimeError("two\\nlines")


number = 3


class Odd:
    pass


class Noting(qep.Callback):
    def __init__(self, file="epochs.txt", fails_at=None):
        self.file, self.fails_at = file, fails_at

    def on_epoch(self, trainer, record):
        if record["epoch"] == self.fails_at:
            {}["absent"]
        trainer.state.notes["sum"] = trainer.state.notes.get("sum", 0) + record["epoch"]
        with open(self.file, "a") as file:
            print(record["epoch"], trainer.state.notes["sum"], file=file)
"""
_FILES = {
    "mine.py": _NETWORK,
    "late.py": "SIGN = -1.0\n",
    "parts/terms.py": """
from qiskit.quantum_info import SparsePauliOp
from .letters import WORDS


def field(word, spin, size):
    return SparsePauliOp.from_sparse_list([(WORDS[word], list(range(spin, spin + len(word))), 1.0)], size)
""",
    "parts/letters.py": 'WORDS = {"X": "X", "Z": "Z", "ZZ": "ZZ"}\n',
    "broken.py": 'raise RuntimeError("no\\nway")\n',
    "leaving.py": "import sys\nsys.exit(3)\n",
}
_CONFIG = """
seed = 3
[task]
kind = "xor"
[network]
kind = "own"
make = "mine:chain"
options = {num_spins = 2}
[preparation]
kind = "exact"
[measurement]
shots = 20
[training]
epochs = 3
batch_size = 2
[[callbacks.own]]
make = "mine:Noting"
"""


@pytest.fixture
def beside(here):
    """A configuration beside what it names, in a folder that is not the working directory."""
    folder = here / "elsewhere"
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "own.toml").write_text(_CONFIG)
    return folder


def noted(folder):
    return [tuple(map(int, line.split())) for line in (folder / "epochs.txt").read_text().splitlines()]


def test_a_network_of_ones_own_is_the_one_that_its_terms_are(qep, here, beside, records):
    assert qep("train", beside / "own.toml", "--out", "run").code == 0
    terms = [{"pauli": f"X{spin}", "coefficient": -1.0} for spin in range(2)]
    terms.append({"pauli": "Z0 Z1", "weight": "J", "coefficient": -1.0})
    for spin in range(2):
        terms.append({"pauli": f"Z{spin}", "weight": f"b{spin}", "coefficient": -1.0})
        inputs = ({"weight": f"W{place}{spin}", "input": place} for place in range(2))
        terms += [{"pauli": f"Z{spin}", "coefficient": -1.0} | one for one in inputs]
    lines = ", ".join(
        "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in term.items()) + "}" for term in terms
    )
    same = f"network={{kind = 'pauli', num_spins = 2, terms = [{lines}]}}"
    assert qep("train", beside / "own.toml", "--out", "same", "--set", same, "--set", "callbacks.own=[]").code == 0
    assert records("run") == records("same")
    assert noted(here) == [(0, 0), (1, 1), (2, 3), (3, 6)]


def test_a_run_keeps_every_file(qep, here, beside, stopped, monkeypatch, records):
    """Also those that are imported when a function is called."""
    assert qep("train", beside / "own.toml", "--out", "whole").code == 0
    folder = from_file(beside / "own.toml").config.network.sources
    assert sorted(folder) == ["late.py", "mine.py", "parts/letters.py", "parts/terms.py"]
    halted = stopped(beside / "own.toml", here / "halted", 3)
    (here / "epochs.txt").unlink()
    shutil.rmtree(beside)
    moved = here / "far" / "away"
    moved.parent.mkdir()
    halted.rename(moved)
    monkeypatch.chdir(moved.parent)
    assert qep("resume", moved).code == 0
    assert records(moved) == records(here / "whole")
    (moved.parent / "rows.csv").write_text("s0,s1\n1,-1\n")
    found = qep("predict", moved, "rows.csv", "--json")
    assert found.code == 0, found.err
    trained = qep_package.load_run(moved)
    assert trained.hamiltonian([1, -1]).num_qubits == 2
    assert len(trained.weights) == 7


@pytest.mark.deep
def test_a_sweep_over_its_options_in_workers(qep, beside, here):
    words = ("--over", "network.options.num_spins=2,3", "--set", "training.epochs=1", "--jobs", 2, "--out", "sweep")
    assert qep("sweep", beside / "own.toml", *words).code == 0
    table = (here / "sweep" / "results.csv").read_text()
    assert "def chain" not in table
    sizes = [len(json.loads(path.read_text())) for path in sorted(here.glob("sweep/runs/*/weights.json"))]
    assert sizes == [7, 10]


def test_it_starts_from_the_weights_of_another_run(qep, beside, here):
    assert qep("train", beside / "own.toml", "--out", "first").code == 0
    words = ("--set", f"network.weights_from={here / 'first'}", "--set", "training.epochs=1")
    assert qep("train", beside / "own.toml", "--out", "second", *words).code == 0
    first, second = (json.loads((here / name / "weights.json").read_text()) for name in ("first", "second"))
    assert {name: value["end"] for name, value in first.items()} == {
        name: value["start"] for name, value in second.items()
    }


def test_an_estimator_finds_them_beside_its_file(beside):
    pytest.importorskip("sklearn")
    text = _CONFIG.replace('[task]\nkind = "xor"\n', "").replace("shots = 20", "").replace("epochs = 3", "")
    (beside / "model.toml").write_text(text.replace("batch_size = 2", ""))
    model = qep_package.QEPClassifier(config=beside / "model.toml", loss="squared_error", epochs=1, random_state=0)
    model.fit(np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1])
    assert "mine.py" in model.trained_.config.network.sources
    assert [word for word in model.weights_ if word.startswith("W")] == ["W00", "W01"]


BAD = [
    (
        "network.make=nope:x",
        "network.make: cannot import 'nope:x' (ModuleNotFoundError: No module named 'nope'); it is",
    ),
    ("network.make=mine:chian", "cannot import 'mine:chian' (the module has no 'chian'); did you mean 'chain'?"),
    ("network.make=mine:number", "network.make: expected 'mine:number' to be a network, or a function of the task"),
    ("network={kind='own', make='mine:other'}", "network.make: expected 'mine:other' to return a network, got int"),
    ("network={kind='own', make='mine:failing'}", "'mine:failing' made no network (RuntimeError: two lines); its"),
    ("network.make=broken:x", "network.make: cannot import 'broken:x' (RuntimeError: no way)"),
    ("network.make=leaving:x", "network.make: cannot import 'leaving:x' (SystemExit: 3)"),
    ("network.make=mine.chain", "network.make: expected module:name of your own, got 'mine.chain'"),
    ("network.options.spins=2", "unexpected keyword argument 'spins'); its arguments are the keys of network.options"),
    ("network={kind='own'}", "network.make: this key is missing"),
    ("callbacks.own=[{make='nope:x'}]", "callbacks.own.0.make: cannot import 'nope:x' (ModuleNotFoundError"),
    ("callbacks.own=[{make='mine:Odd'}]", "callbacks.own.0.make: expected 'mine:Odd' to derive from"),
    ("callbacks.own=[{make='mine:number'}]", "callbacks.own.0.make: expected 'mine:number' to be a class"),
    ("callbacks.own=[{make='mine:Noting', options={fil='x'}}]", "the keys of callbacks.own.0.options"),
    ("callbacks.own=[{make='mine:Noting', option={}}]", "callbacks.own.0.option: unknown key; did you mean 'options'?"),
    ("callbacks.early_stopping={}", "callbacks.early_stopping.monitor: 'test_loss' needs test samples"),
    ("callbacks.early_stopping={patience=0}", "callbacks.early_stopping.patience: expected at least 1, got 0"),
    ("callbacks.early_stoping={}", "callbacks.early_stoping: unknown key; did you mean 'early_stopping'?"),
]


@pytest.mark.parametrize(("text", "words"), BAD, ids=[text for text, _ in BAD])
def test_what_cannot_be_used(refused, beside, text, words):
    assert words in refused("train", beside / "own.toml", "--set", text)


def test_a_callback_that_fails_is_one_line_and_the_run_can_go_on(qep, beside, here):
    words = ("--set", "callbacks.own=[{make='mine:Noting', options={fails_at=2}}]")
    result = qep("train", beside / "own.toml", "--out", "run", *words)
    assert result.code == 2
    errors = [line for line in result.err.splitlines() if "error" in line]
    assert len(errors) == 1
    assert "callbacks.own.0: on_epoch of 'mine:Noting' failed (KeyError: 'absent'; mine.py, line " in errors[0]
    assert (here / "run" / "checkpoint.npz").is_file()
