"""Every public name has an example in its docstring, which runs and prints what it says."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import qep_qiskit as qep

ROOT = Path(__file__).parents[1]
NAMES = {"np": np, "qep": qep, "SparsePauliOp": SparsePauliOp}


def docstring(name):
    """The docstring of a class or a function; of a type alias, which has none, the text below its definition."""
    found = getattr(qep, name)
    if getattr(found, "__name__", "") == name:
        return found.__doc__
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "qep_qiskit").rglob("*.py"))
    below = re.compile(rf'^{name} = [^\n]*\n"""(.*?)"""', re.DOTALL | re.MULTILINE)
    return next(match[1] for match in map(below.search, sources) if match)


@pytest.mark.parametrize("name", qep.__all__)
def test_example(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = docstring(name)
    assert ">>> " in text, "give it an example"
    assert "+SKIP" not in text
    example = doctest.DocTestParser().get_doctest(text, dict(NAMES), name, None, None)
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0
