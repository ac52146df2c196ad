"""An unattended run: maintenance, hang-up, a second run."""

import json
import os
import signal
import subprocess
import time

import pytest
from loopback_bench import HERE, IMPATIENT, NEEDS_DOUBLE, RAMP, small
from stopping import wait_for

pytest.importorskip("qiskit_ibm_runtime")
pytestmark = [NEEDS_DOUBLE, pytest.mark.slow]


def test_an_unattended_run_outlives_what_happens_to_it(double, tmp_path):
    env = double.env("proxy") | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])}
    config, whole, folder = tmp_path / "small.toml", tmp_path / "whole", tmp_path / "run"
    config.write_text(small(RAMP, batch_size=4))

    def start(*words):
        command = [*IMPATIENT, *map(str, words)]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    plain = start("train", config, "--out", whole)
    _, err = plain.communicate(timeout=200)
    assert plain.returncode == 0, err
    count = len(double.jobs())

    closed = {"state": False, "status": "maintenance", "refuse_jobs": True}
    double.config(backend_status={"ibm_manila": closed})
    first = start("train", config, "--out", folder, "--unattended")
    time.sleep(12)
    assert first.poll() is None
    assert not folder.exists()
    double.plan(hold=True)
    double.config(backend_status={})
    wait_for(lambda: len(double.jobs()) == count + 1)
    second = start("resume", folder, "--unattended")
    _, err = second.communicate(timeout=60)
    assert (second.returncode, err) == (3, f"qep: {folder}: an unattended process works on this run already\n")

    first.send_signal(signal.SIGHUP)
    _, err = first.communicate(timeout=30)
    assert first.returncode == 130
    assert "the device is not taking jobs (maintenance); nothing was submitted" in err
    log = (folder / "unattended.log").read_text().splitlines()
    assert log[-1].endswith("ends: exit code 130")
    assert any("goes on, its id is saved" in line for line in log)

    double.ctl("release", {})
    third = start("resume", folder, "--unattended")
    _, err = third.communicate(timeout=200)
    assert (third.returncode, err) == (0, "")
    assert len(double.jobs()) == 2 * count
    assert json.loads((folder / "weights.json").read_text()) == json.loads((whole / "weights.json").read_text())
    assert json.loads((folder / "summary.json").read_text())["jobs"] == count
    token = env["QISKIT_IBM_TOKEN"]
    assert all(token.encode() not in path.read_bytes() for path in folder.iterdir())
