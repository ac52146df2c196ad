"""The classifier that a run is set beside."""

import sys

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.runs.report import logistic_baseline


def test_it_is_logistic_regression_on_the_same_split():
    linear = pytest.importorskip("sklearn.linear_model")
    task = qep.from_file("configs/iris.toml").task
    model = linear.LogisticRegression(max_iter=1000).fit(task.train.inputs, task.train.labels)
    found = logistic_baseline(task)
    assert found["baseline_test_accuracy"] == model.score(task.test.inputs, task.test.labels)
    assert 0 < found["baseline_test_accuracy_se"] < 0.1


def test_a_line_does_not_tell_xor_apart():
    pytest.importorskip("sklearn")
    assert logistic_baseline(qep.xor_task())["baseline_train_accuracy"] <= 0.75


def test_there_is_none_without_classes_or_without_the_package(monkeypatch):
    assert logistic_baseline(qep.no_data_task()) == {}
    assert logistic_baseline(qep.task_from_arrays(np.arange(8.0)[:, None], np.linspace(0, 1, 8))) == {}
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    assert logistic_baseline(qep.xor_task()) == {}
