"""Fixtures of all tests."""

import inspect
import os
import re
import zlib

# Tests run side by side; BLAS threads that wait for each other then cost more than all products.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest
from cases import load_instances


@pytest.fixture
def rng(request):
    """A generator seeded from the test's own name: no test depends on the order of the others."""
    return np.random.default_rng(zlib.crc32(request.node.name.encode()))


@pytest.fixture(scope="session")
def instances():
    """The random networks of instances.json by name."""
    return {case.name: case for case in load_instances()}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Take the mark ``deep`` from its cases that are run by default, and leave out on Windows what only Unix can do."""
    keep_by_default(items, whole=not any("::" in argument for argument in config.args))
    unix = re.compile(r"killed|killpg|SIGKILL|SIGSTOP|send_signal|preexec_fn|/dev/|/proc/")
    for item in items if os.name == "nt" else []:
        if unix.search(inspect.getsource(item.function)):
            item.add_marker(pytest.mark.skip(reason="needs a Unix"))


def keep_by_default(items, whole):
    """Unmark the cases named in ``deep(but=[...])``; a name that no case has is an error where files are read whole."""
    named, found = set(), set()
    for item in items:
        for mark in [mark for mark in item.own_markers if mark.name == "deep" and "but" in mark.kwargs]:
            function = item.nodeid.partition("[")[0]
            named |= {(function, case) for case in mark.kwargs["but"]}
            if item.callspec.id in mark.kwargs["but"]:
                found.add((function, item.callspec.id))
                item.own_markers.remove(mark)
    if whole and named != found:
        raise pytest.UsageError(f"deep(but=...) names cases that are not there: {sorted(named - found)}")
