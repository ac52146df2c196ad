"""Fixtures of all tests."""

import inspect
import os
import re
import zlib
from functools import partial

# Tests run side by side; BLAS threads that wait for each other then cost more than all products.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from cases import load_instances


@pytest.fixture
def rng(request):
    """A generator seeded from the test's own name: no test depends on the order of the others."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


@pytest.fixture(scope="session", autouse=True)
def _tests_start_no_processes():
    """Tests run side by side: processes for the states of one would take the cores of the others."""
    from qep_qiskit.core import jobs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_SECONDS_WORTH_PROCESSES", float("inf"))
        yield


@pytest.fixture(scope="session")
def instances():
    """The random networks of instances.json by name."""
    return {case.name: case for case in load_instances()}


@pytest.fixture
def one_figure(monkeypatch):
    """Of the figures of a budget only the first is drawn: they take longer than small studies, and have own tests."""
    from qep_qiskit.budget.report.charts import budget_charts

    monkeypatch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **rows: budget_charts(**rows)[:1])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Take the mark ``deep`` from its cases that are run by default, and leave out on Windows what only Unix can do."""
    keep_by_default(items, whole=not any("::" in argument for argument in config.args))
    unix = re.compile(r"killed|killpg|SIGKILL|SIGSTOP|send_signal|preexec_fn|/dev/|/proc/")
    for item in items if os.name == "nt" else []:
        if unix.search(inspect.getsource(item.function)):
            item.add_marker(pytest.mark.skip(reason="needs a Unix"))


def keep_by_default(items, whole):
    """Unmark the cases named in ``deep(but=[...])``; a test fails where a name has no case in whole files."""
    cases = {}
    for item in items:
        for mark in [mark for mark in item.own_markers if mark.name == "deep" and "but" in mark.kwargs]:
            cases.setdefault(item.nodeid.partition("[")[0], []).append((item, mark))
    for own in cases.values():
        missing = set(own[0][1].kwargs["but"]) - {item.callspec.id for item, _ in own} if whole else set()
        for item, mark in own:
            if missing or item.callspec.id in mark.kwargs["but"]:
                item.own_markers.remove(mark)
            if missing:
                item.runtest = partial(pytest.fail, f"deep(but=...) names cases that are not there: {sorted(missing)}")
