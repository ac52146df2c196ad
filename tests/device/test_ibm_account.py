"""What the account allows, as far as the service says it."""

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_stand_in import StandInService

from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.ibm import IbmDevice


def session_on(service):
    return IbmDevice(service, "ibm_stand_in", sampler=service.sampler, mode="session")


def test_the_open_plan_has_no_sessions():
    service = StandInService()
    with pytest.raises(ConfigError, match=r"execution\.mode: the instance is on the Open plan, which has no sessions"):
        session_on(service)


@pytest.mark.parametrize("plan", ["premium", "unknown", None])
def test_other_plans_are_asked(plan):
    service = StandInService()
    service.account_plan = plan
    assert session_on(service).mode == "session"


def test_a_service_that_does_not_tell_its_plans_is_asked():
    service = StandInService()
    service.instances = lambda: exec("raise OSError")
    assert session_on(service).mode == "session"
