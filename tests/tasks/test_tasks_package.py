import importlib
import pkgutil

import qep_qiskit.tasks


def test_every_public_name_of_the_package_is_exported():
    inner = {"float_array", "index_array", "check_classes", "dataset_from_table", "found_classes"}
    found = set()
    for module in pkgutil.iter_modules(qep_qiskit.tasks.__path__):
        found |= set(importlib.import_module(f"qep_qiskit.tasks.{module.name}").__all__)
    assert set(qep_qiskit.tasks.__all__) == found - inner
    assert all(hasattr(qep_qiskit.tasks, name) for name in qep_qiskit.tasks.__all__)
