"""Whole files, whole lines and locks, also where the disk is full."""

import errno
import os
import subprocess
import sys

import pytest

from qep_qiskit.core import files
from qep_qiskit.core.files import LineFile, hold, write_atomically


@pytest.fixture
def full_after(monkeypatch):
    """A disk that takes so many bytes more."""

    def fill(room):
        left, write = [room], os.write

        def short(descriptor, content):
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = write(descriptor, bytes(content[: left[0]]))
            left[0] -= written
            return written

        monkeypatch.setattr(files.os, "write", short)

    return fill


@pytest.mark.parametrize("room", [0, 3])
def test_a_file_that_does_not_fit_leaves_the_old_one(tmp_path, full_after, room):
    path = tmp_path / "state"
    write_atomically(path, b"old")
    full_after(room)
    with pytest.raises(OSError, match="No space left") as refused:
        write_atomically(path, b"newer")
    assert refused.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["state"]


@pytest.mark.parametrize("room", [0, 3])
def test_a_line_that_does_not_fit_leaves_the_lines_before(tmp_path, full_after, room):
    path = tmp_path / "lines"
    with LineFile(path) as lines:
        assert lines.append(b"first\n") == 6
        full_after(room)
        with pytest.raises(OSError, match="No space left") as refused:
            lines.append(b"second\n")
    assert refused.value.filename == str(path)
    assert path.read_bytes() == b"first\n"


def test_a_lock_is_held_once_and_goes_with_its_process(tmp_path):
    code = "import sys, qep_qiskit.core.files as f; from pathlib import Path; lock = f.hold(Path(sys.argv[1])); "
    code += "print('held', flush=True); sys.stdin.read()"
    path = tmp_path / "a.lock"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            hold(path)
        other.kill()
    with hold(path), pytest.raises(BlockingIOError):
        hold(path)
    hold(path).release()
