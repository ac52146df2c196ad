"""A service of IBM as it goes wrong, a ledger, and the bits of a run in which nothing does."""

import pytest


@pytest.fixture
def service():
    from ibm_stand_in import StandInService

    return StandInService()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs.sqlite"


@pytest.fixture
def expected(tmp_path):
    """Bits of the run without faults."""
    from ibm_executor import run
    from ibm_stand_in import StandInService

    return run(StandInService(), tmp_path / "faultless.sqlite")
