"""Small disks that are full: a fixture that mounts them, and what a command says there."""

import os
import subprocess

import pytest


@pytest.fixture(scope="module")
def tiny_disk(tmp_path_factory):
    """Mounts disks of so many kilobytes."""
    mounted = []

    def mount(kilobytes):
        folder = tmp_path_factory.mktemp("disk")
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("disks cannot be mounted here")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=False, capture_output=True)


def fill(folder, left):
    """Leave so many kilobytes."""
    (folder / "ballast").write_bytes(b"")
    status = os.statvfs(folder)
    (folder / "ballast").write_bytes(bytes(status.f_bavail * status.f_bsize - 1024 * left))


def refused_by_a_full_disk(result):
    assert result.code == 2, result.err
    assert "No space left on device" in result.err.splitlines()[-1]
    assert "Traceback" not in result.err
