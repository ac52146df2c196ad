"""QPU seconds against those of the table they come from: 16 samples x 3 nudges x 2 bases x 1000 shots."""

import pytest

from qep_qiskit.device.usage import estimated_qpu_seconds

EXECUTIONS = 16 * 3 * 2 * 1000
TABLE = [(1, 250e-6, 27.6), (1, 50e-6, 8.4), (1, 4e-3, 388.0), (96, 250e-6, 218.0)]


@pytest.mark.parametrize(("jobs", "rep_delay", "seconds"), TABLE)
def test_seconds_of_a_step(jobs, rep_delay, seconds):
    assert estimated_qpu_seconds(EXECUTIONS, jobs, rep_delay=rep_delay) == pytest.approx(seconds, rel=0.02)
    measured = estimated_qpu_seconds(EXECUTIONS, jobs, rep_delay=rep_delay, circuit_seconds=6.7e-6)
    assert measured == pytest.approx(seconds, rel=0.002)


def test_jobs_and_executions_add_up():
    assert estimated_qpu_seconds(0, 3) == 6.0
    assert estimated_qpu_seconds(1000, 0, rep_delay=1e-3, circuit_seconds=0.0) == pytest.approx(1.01)
