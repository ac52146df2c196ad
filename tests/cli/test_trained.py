"""A trained network under other settings: other shots, backend and preparation, and what was learned stays."""

import csv
import json

import numpy as np
import pytest

import qep_qiskit as qep_package
from qep_qiskit.core.errors import ConfigError, DataError
from qep_qiskit.report.tables import value_with_error

ROWS = "length,width\n0.3,-1\n0.9,1\n0.2,0\n"


@pytest.fixture
def rows(here):
    (here / "rows.csv").write_text(ROWS)
    return here / "rows.csv"


def frozen(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_other_shots_leave_the_run_as_it_is(qep, copied, rows, settings):
    folder = copied("flowers")
    before = frozen(folder)
    for words, shots in ((("measurement.shots=500",), 1500), (("measurement.shots=exact",), 0), ((), 60)):
        result = qep("predict", folder, rows, "--json", *settings(*words))
        assert (result.code, result.err, result.object["shots"]) == (0, "", shots)
    assert frozen(folder) == before


def test_shots_that_are_asked_for_come_before_those_of_the_test_samples(qep, here, rows, settings):
    assert qep("train", "flowers.toml", "--out", "run", *settings("measurement.test_shots=30")).code == 0
    for words, shots in (((), 90), (("measurement.shots=7",), 21), (("measurement.test_shots=9",), 27)):
        assert qep("predict", "run", rows, "--json", *settings(*words)).object["shots"] == shots


def test_trained_on_circuits_and_measured_exactly(qep, copied, settings):
    """The ramp of the run against its exact states: outputs of the exact ones are those of the ideal experiment."""
    folder = copied("circuits")
    exact = settings("preparation.kind=exact", "measurement.shots=exact")
    found = qep("evaluate", folder, "--json", *exact).object
    trained = qep_package.load_run(folder)
    assert found["loss"] == pytest.approx(trained.evaluate(exact=True).loss, abs=1e-10)
    assert found["loss_standard_error"] == 0
    assert qep("evaluate", folder, "--json", *settings("measurement.shots=exact")).object["loss"] != found["loss"]
    gradient = qep("gradient", folder, "--sample", 1, "--compare", "exact", "--json", *exact).object
    assert gradient["relative_error"] < 0.2


def test_measured_on_a_noisy_device(qep, copied, settings):
    pytest.importorskip("qiskit_ibm_runtime")
    folder = copied("circuits")
    noisy = settings("execution.backend=fake_torino", "measurement.shots=400")
    found = qep("evaluate", folder, "--json", *noisy)
    assert found.code == 0, found.err
    assert found.object["shots"] == 4 * 400
    assert qep("plan", folder, "--json", *noisy).object["device"] == "fake_torino"


@pytest.mark.parametrize("key", ["noise.readout=0.3", "method=density_matrix", "measured_circuits=true"])
def test_keys_of_aer_on_a_run_that_names_no_backend(qep, copied, settings, key):
    """Noise is measured on Aer without a word about backends; ideal circuits give what the engine gives."""
    folder = copied("circuits")
    ideal, found = (
        qep("evaluate", folder, "--json", *settings(*words))
        for words in (("measurement.shots=4000",), ("measurement.shots=4000", f"execution.{key}"))
    )
    assert (found.code, found.err) == (0, "")
    sigmas = (found.object["loss"] - ideal.object["loss"]) / found.object["loss_standard_error"]
    assert (abs(sigmas) > 6) == key.startswith("noise")


def test_warm_starts_go_with_the_preparation_of_the_run(qep, copied, settings):
    """Angles of an ansatz mean nothing in another one."""
    found = qep("evaluate", copied("vqe"), "--json", *settings("preparation.ansatz={kind='hamiltonian', depth=3}"))
    assert found.code == 0, found.err


def test_what_a_pilot_chose_stays_where_its_section_does(qep, here, settings):
    """The nudge that a pilot chose, with other shots; and exact expectations, which no pilot could weigh."""
    words = settings("contrast.beta=auto", "measurement.allocation=optimal", "measurement.shots=200")
    assert qep("train", "exact.toml", "--out", "run", *words).code == 0
    own = qep("gradient", "run", "--sample", 0, "--json").object
    exact = qep("gradient", "run", "--sample", 0, "--json", *settings("measurement.shots=exact")).object
    assert exact["beta"] == own["beta"]
    assert exact["shots"] == 0
    other = qep("gradient", "run", "--sample", 0, "--json", *settings("contrast.beta=0.01")).object
    assert (other["beta"], other["beta_by_pilot"]) == (0.01, False)


@pytest.mark.parametrize(
    "key", ["network.num_spins=4", "task.kind=xor", "cost.kind=operator", "seed=1", "training.epochs=9"]
)
@pytest.mark.parametrize("command", [("predict", "rows.csv"), ("evaluate",), ("gradient", "--sample", 0), ("plan",)])
def test_what_was_learned_is_not_replaced(refused, copied, rows, key, command):
    said = refused(command[0], copied("flowers"), *command[1:], "--set", key)
    assert f"--set {key}: the folder of a run keeps what was learned; expected a key of execution" in said


def test_wrong_values_are_one_line(refused, copied):
    folder = copied("flowers")
    assert "measurement.foo: unknown key" in refused("evaluate", folder, "--set", "measurement.foo=1")
    assert "states are sampled without circuits" in refused(
        "evaluate", folder, "--set", "execution.backend=fake_torino"
    )


def test_the_same_in_python(runs):
    trained = qep_package.load_run(runs / "flowers", ["measurement.shots=500"])
    assert trained.config.measurement.shots == 500
    with pytest.raises(ConfigError, match="keeps what was learned"):
        qep_package.load_run(runs / "flowers", ["network.num_spins=4"])
    inputs, labels = [[0.3, -1.0], [0.9, 1.0]], ["iris", "rose"]
    found = trained.predict(inputs)
    score = trained.evaluate(inputs, labels)
    assert score.samples == 2
    assert score.shots == 1000
    assert score.accuracy in (0.0, 0.5, 1.0)
    assert np.allclose(found.standard_errors, np.sqrt((1 - found.outputs**2) / 499), atol=1e-12)
    with pytest.raises(ConfigError, match="inputs, targets: expected both"):
        trained.evaluate(inputs)
    with pytest.raises(DataError):
        trained.evaluate(inputs, ["iris", "daisy"])


def test_evaluation_is_that_of_the_rows(qep, here, copied):
    """The test samples of the run, and the same rows from a file: loss and accuracy of predict."""
    folder = copied("flowers")
    found = qep("evaluate", folder, "flowers.csv", "--json").object
    predicted = qep("predict", folder, "flowers.csv", "--json").object
    correct = [row["correct"] for row in predicted["predictions"]]
    assert found["samples"] == len(correct) == 12
    assert predicted["accuracy"] == np.mean(correct)
    own = qep("evaluate", folder, "--json").object
    assert (own["samples_of"], own["samples"]) == ("test", 4)
    shown = qep("evaluate", folder).out
    assert value_with_error(own["accuracy"], own["accuracy_standard_error"]) in shown
    assert value_with_error(own["loss"], own["loss_standard_error"]) in shown
    assert "test samples of the run" in shown


def test_a_run_without_test_samples_is_judged_by_its_training_samples(qep, copied):
    found = qep("evaluate", copied("aim"), "--json").object
    assert (found["samples_of"], found["samples"], found["accuracy"]) == ("train", 1, None)
    assert found["loss"] is not None


def test_rows_to_evaluate_need_answers(refused, copied, rows):
    assert "rows.csv: the column kind is missing" in refused("evaluate", copied("flowers"), rows)


def test_table_of_predictions(qep, copied, here):
    folder = copied("flowers")
    (here / "rows.csv").write_text("length,width,kind\n0.3,-1,iris\n0.9,1,rose\n")
    result = qep("predict", folder, "rows.csv", "--out", "found.csv")
    assert (result.code, "wrote found.csv" in result.out) == (0, True)
    found = qep("predict", folder, "rows.csv", "--json").object
    with (here / "found.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    (name,) = found["output_names"]
    assert name == "iris (-) rose (+)"
    assert float(first[name]) == found["predictions"][0]["outputs"][0]
    assert float(second[f"{name} standard error"]) == found["predictions"][1]["standard_error"][0]
    assert [row["prediction"] for row in (first, second)] == [row["prediction"] for row in found["predictions"]]
    assert (first["target"], first["correct"]) == ("iris", str(found["predictions"][0]["correct"]).lower())
    assert name in " ".join(qep("predict", folder, "rows.csv").out.split())


def test_columns_are_named_by_the_table(qep, here):
    """Three classes, one of them called like a column and one that a spreadsheet would compute; two targets."""
    kinds = ("=1+1", "prediction", "rose")
    lines = ["length,width,kind", *(f"{0.1 * i:.1f},{i % 2},{kinds[i % 3]}" for i in range(9))]
    (here / "flowers.csv").write_text("\n".join(lines) + "\n")
    assert qep("train", "flowers.toml", "--out", "run", "--set", "training.epochs=1").code == 0
    assert qep("predict", "run", "flowers.csv", "--out", "found.csv").code == 0
    header = (here / "found.csv").read_text().splitlines()[0]
    assert header.startswith(
        "sample,'=1+1,output prediction,rose,'=1+1 standard error,output prediction standard error,"
    )
    shown = qep("predict", "run", "flowers.csv").out
    assert {"=1+1", "prediction", "rose"} <= set(shown.split())


def test_targets_are_in_units_of_the_table(qep, here):
    lines = ["length,width,grams,tons", *(f"{0.1 * i:.1f},{i % 2},{1000 + 70 * i},{i % 3}" for i in range(9))]
    (here / "flowers.csv").write_text("\n".join(lines) + "\n")
    text = (here / "flowers.toml").read_text().replace('target = "kind"', 'targets = ["grams", "tons"]')
    (here / "flowers.toml").write_text(text + '\n[cost]\nkind = "loss"\n')
    result = qep("train", "flowers.toml", "--out", "run", "--set", "training.epochs=1")
    assert result.code == 0, result.err
    assert qep("predict", "run", "flowers.csv", "--out", "found.csv").code == 0
    with (here / "found.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [float(row["target grams"]) for row in found] == pytest.approx([1000 + 70 * i for i in range(9)])
    assert all(500 < float(row["grams"]) < 2500 for row in found)
    errors = np.array([float(row["grams"]) - float(row["target grams"]) for row in found])
    noise = np.array([float(row["grams standard error"]) for row in found])
    score = qep("evaluate", "run", "flowers.csv", "--json", "--set", "measurement.shots=exact").object
    assert score["rmse_grams"] == pytest.approx(np.sqrt(max(0, np.mean(errors**2 - noise**2))), rel=0.5)


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("rows.csv", "is the file of the rows"),
        ("no/found.csv", "there is no such folder"),
        ("found.txt", "csv or parquet"),
    ],
)
def test_tables_that_cannot_be_written(refused, copied, rows, out, words):
    assert words in refused("predict", copied("flowers"), rows, "--out", out)


def test_json_beside_the_table(qep, copied, rows, here):
    result = qep("predict", copied("flowers"), rows, "--out", "found.csv", "--json")
    assert json.loads(result.out)["output_names"]
    assert (here / "found.csv").is_file()


def test_training_in_memory_is_the_run_of_the_command(here, runs):
    """Weights and history of the run folder; and saved, a folder that goes on."""
    trained = qep_package.train(qep_package.from_file("exact.toml"))
    kept = qep_package.load_run(runs / "exact")
    assert trained.weights == kept.weights
    assert [{**record, "seconds": 0} for record in trained.records] == [{**r, "seconds": 0} for r in kept.records]
    folder = trained.save(here / "saved")
    assert json.loads((folder / "weights.json").read_text()) == json.loads((runs / "exact/weights.json").read_text())


def test_jobs_of_a_device_are_not_trained_in_memory(service, here):
    experiment = qep_package.from_file("circuits.toml", ["execution.backend=ibm_stand_in"])
    with pytest.raises(ConfigError, match="need the ledger of a run folder; use 'qep train'"):
        qep_package.train(experiment)
