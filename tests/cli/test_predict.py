import json

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

from qep_qiskit.report.tables import value_with_error

ROWS = "length,width\n0.3,-1\n0.9,1\n0.2,0\n"
LABELLED = "kind,width,length\niris,-1,0.3\nrose,1,0.9\niris,0,0.2\n"


@pytest.fixture
def predict(qep, copied, here):
    """The JSON object of the predictions for a table, by the trained flowers."""
    copied("flowers")

    def answer(text, run="copy"):
        (here / "rows.csv").write_text(text)
        result = qep("predict", run, "rows.csv", "--json")
        assert (result.code, result.err) == (0, "")
        return result.object

    return answer


@pytest.fixture
def ideal(qep, here):
    """The flowers trained without shot noise."""
    assert qep("train", "flowers.toml", "--out", "ideal", "--set", "measurement.shots='exact'").code == 0
    return here / "ideal"


def term(name, value, x):
    """A weight's part of the Hamiltonian as (Paulis, spins, coefficient)."""
    spins = [int(k) for k in name[2:-1].split(",")]
    if name[0] == "W":
        return "Z", spins[1:], -value * x[spins[0]]
    return {"J": "ZZ", "h": "X", "b": "Z"}[name[0]], spins, -value


def hamiltonian(weights, x):
    return SparsePauliOp.from_sparse_list([term(name, value, x) for name, value in weights.items()], 3).to_matrix()


def test_object(predict):
    found = predict(ROWS)
    assert set(found) >= {"accuracy", "loss", "shots", "circuits", "predictions"}
    assert [row["sample"] for row in found["predictions"]] == [0, 1, 2]
    assert all(row["prediction"] in ("iris", "rose") for row in found["predictions"])
    assert (found["circuits"], found["shots"]) == (3, 60)
    assert found["accuracy"] is None
    assert "target" not in found["predictions"][0]


def test_errors_are_those_of_the_shots(predict):
    """The output is a mean of 20 values +-1; its standard error is sqrt((1 - m^2) / 19)."""
    for row in predict(ROWS)["predictions"]:
        mean = np.array(row["outputs"])
        assert row["standard_error"] == pytest.approx(np.sqrt((1 - mean**2) / 19).tolist(), abs=1e-12)


def test_labels_give_accuracy(predict):
    found = predict(LABELLED)
    assert [row["target"] for row in found["predictions"]] == ["iris", "rose", "iris"]
    correct = [row["prediction"] == row["target"] for row in found["predictions"]]
    assert [row["correct"] for row in found["predictions"]] == correct
    assert found["accuracy"] == pytest.approx(np.mean(correct))
    assert found["loss"] is not None


def test_outputs_are_those_of_the_ground_state(predict, ideal):
    """Against a Hamiltonian put together from weights.json and diagonalised here."""
    weights = {name: w["end"] for name, w in json.loads((ideal / "weights.json").read_text()).items()}
    rows = [[float(cell) for cell in line.split(",")] for line in ROWS.splitlines()[1:]]
    for x, row in zip(rows, predict(ROWS, ideal)["predictions"], strict=True):
        ground = np.linalg.eigh(hamiltonian(weights, x))[1][:, 0]
        z = np.abs(ground) ** 2 @ (1 - 2 * (np.arange(8) >> 2 & 1))
        assert row["outputs"] == pytest.approx([z], abs=1e-9)
        assert row["standard_error"] == [0]


def test_order_of_columns_and_extra_columns_do_not_matter(predict):
    plain = [row["outputs"] for row in predict(ROWS)["predictions"]]
    other = predict("note,width,length\nx,-1,0.3\ny,1,0.9\nz,0,0.2\n")
    assert [row["outputs"] for row in other["predictions"]] == plain


def test_predictions_repeat_and_write_nothing(predict, here):
    before = {path: path.stat().st_mtime_ns for path in (here / "copy").iterdir()}
    assert predict(ROWS) == predict(ROWS)
    assert {path: path.stat().st_mtime_ns for path in (here / "copy").iterdir()} == before


def test_table(qep, predict, here):
    found = predict(LABELLED)
    shown = qep("predict", "copy", "rows.csv").out
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "flowers" in shown
    expected = value_with_error(found["accuracy"], found["accuracy_standard_error"])
    assert f"accuracy {expected}" in shown
    assert "±" in shown
    assert [line.split()[4] for line in shown.splitlines() if " ± " in line and "accuracy" not in line] == [
        row["prediction"] for row in found["predictions"]
    ]


def test_a_stopped_run_answers_too(qep, stopped, here):
    (here / "rows.csv").write_text(ROWS)
    folder = stopped(here / "flowers.toml", here / "halted", 3)
    assert qep("predict", folder, "rows.csv").code == 0


def test_three_outputs_keep_each_number_whole(qep, here):
    """A wrapped table must not tear a number from its error."""
    kinds = ("versicolor", "virginica", "setosa")
    lines = ["length,width,kind", *(f"{0.1 * i:.1f},{i % 2},{kinds[i % 3]}" for i in range(9))]
    (here / "flowers.csv").write_text("\n".join(lines) + "\n")
    assert qep("train", "flowers.toml", "--out", "three", "--set", "training.epochs=1").code == 0
    shown = qep("predict", "three", "flowers.csv").out
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert not any(line.strip().startswith("±") or line.rstrip().endswith("±") for line in shown.splitlines())
