"""Labels that are hardly meant as they are written: refused unless they are listed."""

import pytest

from qep_qiskit.core.errors import DataError
from qep_qiskit.tasks.label_check import found_classes


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "b"], ("a", "b")),
        (["10", "9", "9"], ("9", "10")),
        (["-1", "+1"], ("-1", "+1")),
        (["setosa", "Virginica"], ("Virginica", "setosa")),
        (["0.5", "1.5", "0.5", "1.5", "2.5", "2.5"], ("0.5", "1.5", "2.5")),
        (["0.5", "-0.5"], ("-0.5", "0.5")),
        (["no", "none"], ("no", "none")),
        (["1_0", "10"], ("10", "1_0")),
    ],
)
def test_classes_are_sorted(labels, classes):
    assert found_classes(labels, "y") == classes


@pytest.mark.parametrize(
    ("first", "second"),
    [("1", "1.0"), ("01", "1"), ("1e2", "100"), ("Yes", "yes"), ("<=50K", "<=50K."), ("New York", "new  york")],
)
def test_one_class_in_two_spellings(first, second):
    labels = [first, second, second, "other", "3"]
    with pytest.raises(DataError, match=r"labels in column 'y': .* look like one class written in two ways") as error:
        found_classes(labels, "y")
    assert f"'{first}' (1 row)" in str(error.value)
    assert f"'{second}' (2 rows)" in str(error.value)
    assert "list both in task.classes" in str(error.value)


@pytest.mark.parametrize("missing", ["?", "NA", "n/a", "nan", "NULL"])
def test_a_missing_label_is_no_class(missing):
    with pytest.raises(DataError, match=r"in 2 rows looks like a missing value"):
        found_classes(["a", missing, "b", missing], "y")


def test_numbers_that_hardly_repeat_are_a_regression():
    with pytest.raises(DataError, match=r"4 different numbers in 5 rows are hardly classes.*task\.targets"):
        found_classes(["1.3", "2.7", "13", "4.5", "13"], "y")


def test_one_class_is_none():
    with pytest.raises(DataError, match="labels: expected at least two classes, got only 'a'"):
        found_classes(["a", "a"], None)
