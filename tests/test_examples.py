"""Examples in the docstrings of public names run and print what they say."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import SparsePauliOp

import qep_qiskit as qep

EXAMPLES = {name: getattr(qep, name).__doc__ for name in qep.__all__ if ">>>" in (getattr(qep, name).__doc__ or "")}
ROOT = Path(__file__).parents[1]
NAMES = {"np": np, "qep": qep, "SparsePauliOp": SparsePauliOp}
AT_LEAST = 88


@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    example = doctest.DocTestParser().get_doctest(EXAMPLES[name], dict(NAMES), name, None, None)
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 0


def test_there_are_enough_and_none_is_skipped():
    assert len(EXAMPLES) >= AT_LEAST, sorted(set(qep.__all__) - set(EXAMPLES))
    assert [name for name, text in EXAMPLES.items() if "+SKIP" in text] == []
