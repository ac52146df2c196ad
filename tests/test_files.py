"""Whole files, whole lines and locks, also where the disk is full."""

import errno
import os
import subprocess
import sys

import pytest

from qep_qiskit.core import files
from qep_qiskit.core.files import (
    LineFile,
    finished_in,
    hold,
    make_folder,
    make_private_file,
    remove_leftovers,
    write_atomically,
)


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


def test_nothing_is_written_through_a_link(tmp_path, monkeypatch):
    """Somebody else who can write into the folder has guessed the names of temporary files."""
    other, monkeypatched = tmp_path / "other", "0123456789abcdef"
    other.write_bytes(b"theirs")
    monkeypatch.setattr(files.secrets, "token_hex", lambda length: monkeypatched)
    (tmp_path / f".qep-{monkeypatched}.tmp").symlink_to(other)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "state", b"ours")
    (tmp_path / "lines").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        LineFile(tmp_path / "lines")
    assert other.read_bytes() == b"theirs"


def test_a_link_in_place_of_a_file_is_replaced(tmp_path):
    (tmp_path / "other").write_bytes(b"theirs")
    (tmp_path / "state").symlink_to(tmp_path / "other")
    write_atomically(tmp_path / "state", b"ours")
    assert (tmp_path / "other").read_bytes() == b"theirs"
    assert (tmp_path / "state").read_bytes() == b"ours"


@pytest.mark.skipif(sys.platform == "win32", reason="modes are those of POSIX")
@pytest.mark.parametrize("private", [False, True])
def test_files_are_as_private_as_their_folder(tmp_path, private):
    before = os.umask(0o022)
    try:
        folder = tmp_path / "above" / "folder"
        make_folder(folder, private=private)
        write_atomically(folder / "state", b"ours")
        LineFile(folder / "lines").close()
        make_private_file(folder / "ledger")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    shared = 0o600 if private else 0o644
    expected = {"folder": 0o700 if private else 0o755, "state": shared, "lines": shared, "ledger": 0o600}
    assert modes == expected


def test_what_a_killed_process_has_left_is_removed(tmp_path):
    (tmp_path / ".qep-0123456789abcdef.new" / "deep").mkdir(parents=True)
    (tmp_path / ".qep-0123456789abcdef.tmp").write_bytes(b"half")
    (tmp_path / "kept").mkdir()
    (tmp_path / ".qep-linked.new").symlink_to(tmp_path / "kept")
    assert finished_in(tmp_path) == ["kept"]
    remove_leftovers(tmp_path)
    assert [item.name for item in tmp_path.iterdir()] == ["kept"]


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
    held = hold(path)
    with held:
        pass
    assert not held.is_locked  # though it is still known by name
