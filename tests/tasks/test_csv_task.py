import csv
from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.core.errors import ConfigError, DataError, MissingValuesWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import csv_task, no_data_task, read_rows, rows_from_arrays
from qep_qiskit.tasks.csv_format import CsvFormat

IRIS = Path(__file__).parents[2] / "configs" / "iris.csv"
INPUTS = ("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm")
SPECIES = ("setosa", "versicolor", "virginica")


def iris(**options):
    return csv_task(IRIS, **({"inputs": INPUTS, "target": "species", "seeds": Seeds(1)} | options))


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_text(content)
        return path

    return write


def test_the_iris_file_is_the_measured_one():
    datasets = pytest.importorskip("sklearn.datasets")
    flowers = datasets.load_iris()
    with IRIS.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == [*INPUTS, "species"]
    assert [[float(cell) for cell in row[:4]] for row in rows] == flowers.data.tolist()
    assert [row[4] for row in rows] == [str(flowers.target_names[label]) for label in flowers.target]


def test_iris():
    task = iris()
    assert task.name == "iris"
    assert task.train.classes == SPECIES
    assert task.train.input_names == INPUTS
    assert (task.train.num_samples, task.test.num_samples) == (105, 45)
    assert np.bincount(task.train.labels).tolist() == [35, 35, 35]
    assert np.bincount(task.test.labels).tolist() == [15, 15, 15]
    assert task.train.num_targets == 3
    assert np.array_equal(task.train.targets, np.where(np.eye(3)[task.train.labels] > 0, 0.8, -0.8))


def test_the_scaling_is_fitted_on_the_training_rows_only():
    task = iris()
    assert np.allclose(task.train.inputs.mean(axis=0), 0, atol=1e-10)
    assert np.allclose(task.train.inputs.std(axis=0), 1, atol=1e-10)
    assert not np.allclose(task.test.inputs.mean(axis=0), 0, atol=1e-3)
    back = np.vstack([part.inputs / task.scaling.factor + task.scaling.offset for part in (task.train, task.test)])
    with IRIS.open(newline="") as file:
        measured = [[float(cell) for cell in row[:4]] for row in list(csv.reader(file))[1:]]
    assert np.allclose(np.sort(back, axis=0), np.sort(measured, axis=0), atol=1e-10)


def test_the_seed_decides_the_test_rows():
    first, again, other = (iris(seeds=Seeds(seed)).test.inputs for seed in (4, 4, 5))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_test_part():
    task = iris(test_fraction=0)
    assert task.test is None
    assert task.train.num_samples == 150


def test_options_reach_the_task():
    task = iris(encoding="one_hot", scaling="minmax", input_scale=0.5)
    assert task.encoding == "one_hot"
    assert set(np.unique(task.train.targets)) == {0.0, 1.0}
    assert np.allclose(np.abs(task.train.inputs).max(axis=0), 0.5)
    assert np.abs(iris(amplitude=0.6).train.targets).max() == 0.6


def test_the_order_of_the_classes(write):
    path = write("a,y\n1,10\n2,2\n3,10\n4,2\n")
    common = {"inputs": ["a"], "target": "y", "test_fraction": 0, "seeds": Seeds(0)}
    task = csv_task(path, **common)
    assert task.train.classes == ("2", "10")
    assert task.train.targets.tolist() == [[0.8], [-0.8], [0.8], [-0.8]]
    assert csv_task(path, **common, classes=["10", "2"]).train.labels.tolist() == [0, 1, 0, 1]
    assert csv_task(path, **common, num_targets=2).train.targets[0].tolist() == [-0.8, 0.8]
    assert csv_task(path, **common, encoding="one_hot").train.targets[0].tolist() == [0, 1]


def test_regression(write):
    path = write("a,y,z\n1,0.1,5\n2,0.2,6\n3,0.3,7\n4,0.4,8\n")
    task = csv_task(path, inputs=["a"], targets=["z", "y"], test_fraction=0, seeds=Seeds(0))
    assert task.train.targets.tolist() == [[5, 0.1], [6, 0.2], [7, 0.3], [8, 0.4]]
    assert task.train.labels is None
    assert task.train.classes == ()
    assert task.target_columns == ("z", "y")
    assert task.label_column is None
    with pytest.raises(ConfigError, match="num_targets: expected 2, one per target column, got 1"):
        csv_task(path, inputs=["a"], targets=["z", "y"], num_targets=1, seeds=Seeds(0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"target": None}, "got neither"),
        ({"classes": ["setosa", "setosa"]}, "classes: expected at least two different"),
        ({"classes": ["setosa"]}, "classes: expected at least two different"),
        ({"classes": "setosa"}, "classes: expected at least two different"),
        ({"num_targets": 1}, "num_targets: expected 3 outputs for 3 classes, got 1"),
        ({"test_fraction": 1.0}, "test_fraction"),
        ({"scaling": "max"}, "scaling: expected one of"),
        ({"amplitude": 2}, "amplitude: expected"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(ConfigError, match=words):
        iris(**options)


def test_classes_need_a_class_column():
    with pytest.raises(ConfigError, match="classes: "):
        iris(target=None, targets=["petal_width_cm"], inputs=INPUTS[:2], classes=SPECIES)


def test_a_label_outside_the_classes_is_named_by_its_row():
    with pytest.raises(DataError, match=r"iris\.csv: row 102, column 'species': .*'setosa', 'versicolor', got"):
        iris(classes=SPECIES[:2])


def test_one_class_is_not_enough(write):
    path = write("a,y\n1,x\n2,x\n")
    with pytest.raises(DataError, match=r"data\.csv: labels: expected at least two classes, got only 'x'"):
        csv_task(path, inputs=["a"], target="y", seeds=Seeds(0))


def test_rows_are_read_as_the_training_samples_were():
    task = iris(test_fraction=0)
    rows = read_rows(IRIS, task)
    assert np.array_equal(rows.inputs, task.train.inputs)
    assert np.array_equal(rows.targets, task.train.targets)
    assert np.array_equal(rows.labels, task.train.labels)


def test_rows_without_labels_use_the_training_scaling(write):
    task = iris()
    rows = read_rows(write(",".join(reversed(INPUTS)) + "\n0.2,1.4,3.5,5.1\n"), task)
    assert np.array_equal(rows.inputs, task.scaling.apply(np.array([[5.1, 3.5, 1.4, 0.2]])))
    assert (rows.labels, rows.classes, rows.targets.shape) == (None, (), (1, 0))


def test_rows_with_an_unknown_class(write):
    content = ",".join([*INPUTS, "species"]) + "\n1,2,3,4,setosa\n1,2,3,4,rose\n"
    with pytest.raises(DataError, match=r"data\.csv: row 3, column 'species': .*'virginica', got 'rose'"):
        read_rows(write(content), iris())


def test_rows_of_one_known_class_are_fine(write):
    rows = read_rows(write(",".join([*INPUTS, "species"]) + "\n1,2,3,4,virginica\n"), iris())
    assert rows.labels.tolist() == [2]
    assert rows.targets.tolist() == [[-0.8, -0.8, 0.8]]


def test_a_row_too_large_to_scale_names_the_file(write):
    task = iris(inputs=INPUTS[:1], input_scale=100.0)
    with pytest.raises(DataError, match=r"data\.csv: scaled inputs: expected finite numbers"):
        read_rows(write(INPUTS[0] + "\n1.7e308\n"), task)


def test_a_task_without_inputs_reads_no_rows():
    with pytest.raises(ConfigError, match="inputs: "):
        read_rows(IRIS, no_data_task())


MIXED = "size,colour,kind\n1,red,x\n2,blue,y\n3,red,x\n6,blue,y\n"


def mixed(path, **options):
    given = {"inputs": "*", "target": "kind", "categorical": ["colour"], "test_fraction": 0, "seeds": Seeds(3)}
    return csv_task(path, **(given | options))


def test_later_rows_have_the_same_categories(write, tmp_path):
    task = mixed(write(MIXED))
    later = tmp_path / "later.csv"
    later.write_text("colour;size\nred;1\nblue;2\n")
    assert np.array_equal(read_rows(later, task).inputs, task.train.inputs[:2])
    assert np.array_equal(rows_from_arrays([[1, "red"], [2.0, "blue"]], task).inputs, task.train.inputs[:2])
    later.write_text("colour;size\nred;1\ngreen;2\n")
    with pytest.raises(
        DataError, match=r"row 3, column 'colour': expected one of the categories 'blue', 'red', got 'green'"
    ):
        read_rows(later, task)
    with pytest.raises(DataError, match=r"row 1, column 'colour': .*'blue', 'red', got 'green'"):
        rows_from_arrays([[1, "red"], [2.0, "green"]], task)
    with pytest.raises(DataError, match=r"rows of the 2 columns 'size', 'colour', got an array of shape \(1, 3\)"):
        rows_from_arrays([[1, 0, 1]], task)


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.MissingValuesWarning")
def test_means_are_those_of_the_training_rows(write, tmp_path):
    test_file = tmp_path / "test.csv"
    test_file.write_text("size,colour,kind\n,red,x\n2,,y\n")
    task = mixed(write(MIXED + ",blue,y\n"), test_file=test_file, missing="mean", scaling="none")
    assert task.columns.means == (3.0, 0.6, 0.4)
    assert task.train.inputs[4].tolist() == [3, 1, 0]
    assert task.test.inputs.tolist() == [[3, 0, 1], [2, 0.6, 0.4]]
    test_file.write_text("size,colour\nNA,?\n")
    assert read_rows(test_file, task).inputs.tolist() == [[3, 0.6, 0.4]]
    assert rows_from_arrays([[None, "blue"], [float("nan"), "red"]], task).inputs[:, 0].tolist() == [3, 3]


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.MissingValuesWarning")
def test_means_know_nothing_of_the_rows_of_the_test(write):
    path = write("a,y\n" + "".join(f"{2**row if row else ''},{row % 2}\n" for row in range(9)))
    for fold in range(3):
        options = {"inputs": ["a"], "target": "y", "scaling": "none", "folds": 3, "fold": fold, "seeds": Seeds(0)}
        task = csv_task(path, **options, missing="mean")
        known = set(2.0 ** np.arange(1, 9)) - set(task.test.inputs[:, 0])
        assert task.columns.means == (pytest.approx(np.mean(list(known)), abs=1e-10),)


def test_rows_to_predict_are_not_dropped(write, tmp_path):
    with pytest.warns(MissingValuesWarning):
        task = mixed(write(MIXED + "?,blue,y\n"), missing="drop")
    assert task.train.num_samples == 4
    later = tmp_path / "later.csv"
    later.write_text("size,colour\n1,red\n,red\n")
    with pytest.raises(DataError, match=r"row 3: a value is missing, and rows to predict are not left out"):
        read_rows(later, task)


def test_a_test_file(write, tmp_path):
    test_file = tmp_path / "test.csv"
    test_file.write_text(",".join([*INPUTS, "species"]) + "\n1,2,3,4,setosa\n")
    task = iris(test_file=test_file)
    assert (task.train.num_samples, task.test.num_samples) == (150, 1)
    assert np.array_equal(task.test.inputs, task.scaling.apply(np.array([[1.0, 2, 3, 4]])))
    test_file.write_text(",".join([*INPUTS, "species"]) + "\n1,2,3,4,rose\n")
    with pytest.raises(DataError, match=r"test\.csv: row 2, column 'species': .*got 'rose'"):
        iris(test_file=test_file)
    with pytest.raises(ConfigError, match="one of test_file and folds"):
        iris(test_file=test_file, folds=5)


def test_every_row_is_tested_in_one_fold():
    found = [iris(folds=5, fold=fold, scaling="none").test for fold in range(5)]
    assert [np.bincount(part.labels).tolist() for part in found] == [[10, 10, 10]] * 5
    whole = iris(test_fraction=0, scaling="none").train.inputs
    assert sorted(map(tuple, np.vstack([part.inputs for part in found]))) == sorted(map(tuple, whole))


def test_later_rows_without_a_header(write, tmp_path):
    path = write("x;0,5;1,5\ny;2,5;3,5\n")
    options = {"target": 0, "categorical": None, "layout": CsvFormat(header=False), "scaling": "none"}
    task = mixed(path, **options)
    later = tmp_path / "later.csv"
    later.write_text("x;4,125;5,625\n")
    assert read_rows(later, task).labels.tolist() == [0]
    later.write_text("4,125;5,625\n")  # without the answers; the decimal commas are known from the first file
    assert read_rows(later, task).inputs.tolist() == [[4.125, 5.625]]
    later.write_text("4,125\n")
    with pytest.raises(DataError, match="row 1: expected 3 cells, or 2 without the answers, got"):
        read_rows(later, task)
