"""Fixtures of all tests."""

import zlib

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
