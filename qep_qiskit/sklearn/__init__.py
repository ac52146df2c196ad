"""scikit-learn estimators (extra ``sklearn``): `QEPClassifier` and `QEPRegressor`."""

from __future__ import annotations

from qep_qiskit.sklearn.classifier import QEPClassifier
from qep_qiskit.sklearn.regressor import QEPRegressor

__all__ = ["QEPClassifier", "QEPRegressor"]
