"""The ledger: one way through the states, one process at a time, one line about damage."""

import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from qep_qiskit.core.errors import LedgerError
from qep_qiskit.device.ledger import JobDescription, JobLedger
from qep_qiskit.execution import RequestKey

KEY, BOUND = RequestKey("train", 3, 1), np.array([0.5, -1.25])


def description(tag="tag-1", key=KEY, part=0):
    return JobDescription(
        key=key,
        part=part,
        tag=tag,
        backend="ibm_somewhere",
        instance="crn",
        shots=100,
        options={"max_execution_time": 60},
        estimated_seconds=4.5,
        circuit_sha256="c",
        request_sha256="r",
        parameter_names=[["basis[0]", "p[0]"]],
        axes=["states", "groups", "parameters"],
        shapes=[[4, 2, 2]],
    )


@pytest.fixture
def ledger(tmp_path):
    with JobLedger(tmp_path / "jobs.sqlite") as opened:
        yield opened


def test_a_row_goes_its_way_and_keeps_everything(ledger, rng, tmp_path):
    assert ledger.latest(KEY, 0) is None
    entry = ledger.intend(description(), BOUND)
    assert (entry.state, entry.sending, entry.job_id, entry.description) == ("intended", 0, None, description())
    assert ledger.bound(entry).tolist() == BOUND.tolist()
    assert ledger.posting(entry).posted >= entry.posted
    entry = ledger.submitted(entry, "job7")
    bits = [rng.integers(0, 256, (4, 100, 2)).astype(np.uint8) for _ in range(2)]
    entry = ledger.collected(entry, bits, 6.0)
    assert (entry.state, entry.job_id, entry.usage_seconds) == ("collected", "job7", 6.0)
    assert all(np.array_equal(a, b) for a, b in zip(ledger.bits(entry), bits, strict=True))
    ledger.applied()
    assert [found.state for found in JobLedger.read(tmp_path / "jobs.sqlite")] == ["applied"]


def test_what_is_under_way_or_done_is_not_sent_twice(ledger):
    entry = ledger.intend(description(), BOUND)
    for change in (lambda e: e, lambda e: ledger.submitted(e, "j"), lambda e: ledger.collected(e, [BOUND], None)):
        entry = change(entry)
        with pytest.raises(LedgerError, match=f"is {entry.state} already and must not be sent twice"):
            ledger.intend(description("tag-2"), BOUND)
    assert ledger.intend(description("tag-3", part=1), BOUND).state == "intended"


@pytest.mark.parametrize("end", ["refused", "failed", "cancelled"])
def test_after_a_bad_end_the_next_sending_is_a_row_of_its_own(ledger, end):
    entry = ledger.intend(description(), BOUND)
    if end != "refused":
        entry = ledger.submitted(entry, "job1")
    assert ledger.ended(entry, end, "because", 2.0).reason == "because"
    again = ledger.intend(description("tag-2"), BOUND)
    assert (again.sending, again.description.tag) == (1, "tag-2")
    assert ledger.latest(KEY, 0) == again


def test_no_step_is_left_out_or_done_twice(ledger):
    entry = ledger.intend(description(), BOUND)
    with pytest.raises(LedgerError, match="is not submitted any more"):
        ledger.collected(entry, [BOUND], None)
    ledger.applied()
    assert ledger.latest(KEY, 0).state == "intended"
    submitted = ledger.submitted(entry, "job1")
    with pytest.raises(LedgerError, match="is not intended any more"):
        ledger.submitted(entry, "job2")
    assert ledger.latest(KEY, 0) == submitted
    with pytest.raises(LedgerError, match="has no bits"):
        ledger.bits(submitted)


def test_tags_are_unique(ledger):
    ledger.intend(description(), BOUND)
    with pytest.raises(LedgerError, match="cannot be used"):
        ledger.intend(description(key=replace(KEY, step=4)), BOUND)
    assert ledger.latest(replace(KEY, step=4), 0) is None


def test_one_process_at_a_time_and_anyone_may_read(ledger, tmp_path):
    ledger.intend(description(), BOUND)
    with pytest.raises(LedgerError, match="another process is working with this ledger"):
        JobLedger(tmp_path / "jobs.sqlite")
    assert len(JobLedger.read(tmp_path / "jobs.sqlite")) == 1


def test_what_was_written_survives_a_kill(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
        "from test_ledger import BOUND, description; from qep_qiskit.device.ledger import JobLedger\n"
        "ledger = JobLedger(Path(sys.argv[1])); ledger.intend(description(), BOUND)\n"
        "ledger.keep_circuit('a', b'circuit'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "jobs.sqlite"
    here = os.path.dirname(__file__)
    killed = subprocess.run([sys.executable, "-c", code, path, here])
    assert killed.returncode == -signal.SIGKILL
    with JobLedger(path) as ledger:
        assert ledger.latest(KEY, 0).state == "intended"
        assert ledger.circuit("a") == b"circuit"
        assert ledger.circuit("b") is None


def test_a_full_disk_is_one_line_and_the_ledger_goes_on_when_there_is_room(ledger):
    ledger.intend(description(), BOUND)
    pages = ledger._connection.execute("PRAGMA page_count").fetchone()[0]
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(LedgerError, match=r"the ledger cannot be used .*full"):
        ledger.keep_circuit("a", bytes(100_000))
    ledger._connection.execute("PRAGMA max_page_count = 100000")
    ledger.keep_circuit("a", bytes(100_000))
    assert [entry.state for entry in ledger.entries()] == ["intended"]


def test_damage_and_absence_are_one_line(tmp_path):
    path = tmp_path / "jobs.sqlite"
    with pytest.raises(LedgerError, match="there is no ledger here"):
        JobLedger.read(path)
    path.write_bytes(b"not a database at all" * 100)
    for use in (JobLedger, JobLedger.read):
        with pytest.raises(LedgerError, match="the ledger cannot be used") as caught:
            use(path)
        assert "\n" not in str(caught.value)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    for use in (JobLedger, JobLedger.read):
        with pytest.raises(LedgerError, match="expected a ledger of format 2, got 9"):
            use(path)
