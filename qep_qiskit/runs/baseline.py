"""A classical classifier on the same samples, to set the accuracy of a run beside."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from qep_qiskit.learning.state import EpochTally
from qep_qiskit.tasks import Task


def logistic_baseline(task: Task) -> dict[str, Any]:
    """Return the accuracy of logistic regression on the same split, with the scaled inputs that the network gets.

    Args:
        task: Training and test samples.

    Returns:
        ``baseline_test_accuracy``, or ``baseline_train_accuracy`` without test samples, with its error over samples
        under the name with ``_se``; empty where nothing is classified or scikit-learn is missing.
    """
    if task.train.labels is None or not task.train.num_inputs or len(np.unique(task.train.labels)) < 2:
        return {}
    try:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
    except ImportError:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=1000).fit(task.train.inputs, task.train.labels)
    part, data = ("train", task.train) if task.test is None else ("test", task.test)
    correct = int(np.sum(model.predict(data.inputs) == data.labels))
    tally = EpochTally(samples=data.num_samples, correct=float(correct))
    name = f"baseline_{part}_accuracy"
    return {name: correct / data.num_samples, f"{name}_se": tally.accuracy_error}
