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


def pytest_collection_modifyitems(items):
    """Leave out on Windows what needs signals, limits or devices that only Unix has."""
    unix = re.compile(r"killed|killpg|SIGKILL|SIGSTOP|send_signal|preexec_fn|/dev/|/proc/")
    for item in items if os.name == "nt" else []:
        if unix.search(inspect.getsource(item.function)):
            item.add_marker(pytest.mark.skip(reason="needs a Unix"))
