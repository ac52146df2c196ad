import pytest
from measured_ramps import ramp_problem


@pytest.fixture
def problem(rng):
    """Groups and states of a ramp."""
    return ramp_problem(rng)
