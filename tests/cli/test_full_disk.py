"""Full disks: one line says so, nothing is half written, and the same command goes on when there is room."""

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
    assert "No space left on device" in result.err or "disk is full" in result.err
    assert result.err.count("qep: error:") == 1
    assert "Traceback" not in result.err


@pytest.mark.deep(but=["20"])
@pytest.mark.parametrize("kilobytes", [4, 12, 20, 60])
def test_a_run_on_a_full_disk_is_one_line_and_goes_on_later(
    here, drawn, qep, tiny_disk, runs, records, warm_start, kilobytes
):
    """Wherever it ends: in the data, the metrics, a checkpoint, or the figures."""
    disk = tiny_disk(1024)
    fill(disk, kilobytes)
    refused_by_a_full_disk(qep("train", "circuits.toml", "--out", disk / "run"))
    (disk / "ballast").unlink()
    begun = (disk / "run" / "config.json").exists()
    again = qep("resume", disk / "run") if begun else qep("train", "circuits.toml", "--out", disk / "run")
    assert again.code == 0, again.err
    assert not list((disk / "run").glob(".*"))
    assert records(disk / "run") == records(runs / "circuits")
    assert warm_start(disk / "run") == warm_start(runs / "circuits")


@pytest.mark.deep(but=["24"])
@pytest.mark.parametrize("kilobytes", [0, 24])
def test_a_sweep_on_a_full_disk_is_one_line_and_goes_on_later(here, qep, tiny_disk, kilobytes):
    disk, grid = tiny_disk(1024), ("--over", "seed=0:3", "--jobs", 1)
    fill(disk, kilobytes)
    refused_by_a_full_disk(qep("sweep", "exact.toml", *grid, "--out", disk / "sweep"))
    (disk / "ballast").unlink()
    again = qep("sweep", "exact.toml", *grid, "--out", disk / "sweep")
    assert again.code == 0, again.err
    assert len((disk / "sweep/results.csv").read_text(encoding="utf-8").splitlines()) == 4


@pytest.mark.deep(but=["84"])
@pytest.mark.parametrize("kilobytes", [8, 24, 44, 84, 104])
def test_a_device_run_on_a_full_disk_pays_for_nothing_twice(
    here, qep, service, settings, tiny_disk, warm_start, kilobytes
):
    """Wherever it ends: before the first job, between a job and its id, with its bits, or in a checkpoint."""
    from ibm_runs import SETTINGS

    words = settings(*SETTINGS)
    assert qep("train", here / "circuits.toml", "--out", here / "whole", *words).code == 0
    jobs, service.accepted, service.posts = service.posts, [], 0
    disk = tiny_disk(2048)
    fill(disk, kilobytes)
    refused_by_a_full_disk(qep("train", here / "circuits.toml", "--out", disk / "run", *words))
    (disk / "ballast").unlink()
    begun = (disk / "run/config.json").exists()
    again = ("resume", disk / "run") if begun else ("train", here / "circuits.toml", "--out", disk / "run", *words)
    assert qep(*again).code == 0
    assert service.posts == jobs
    assert warm_start(disk / "run") == warm_start(here / "whole")
    assert not list((disk / "run").glob(".*"))


@pytest.mark.deep
def test_a_study_on_a_full_disk_is_one_line_and_goes_on_later(here, one_figure, qep, tiny_disk):
    disk, words = tiny_disk(8192), ("--set", "budget.repeats=4", "--set", "budget.shots=[10,100]", "--jobs", 1)
    whole = ("budget", "exact.toml", "--study", "gradient", *words, "--out", disk / "study")
    for kilobytes in (0, 16, 400):
        fill(disk, kilobytes)
        refused_by_a_full_disk(qep(*whole))
        assert not list((disk / "study").glob(".*"))
    (disk / "ballast").unlink()
    assert qep(*whole).code == 0


def test_circuits_on_a_full_disk_are_one_line_and_are_written_later(here, qep, tiny_disk):
    disk, whole = tiny_disk(1024), ("circuits", "circuits.toml", "--out", here / "whole")
    fill(disk, 4)
    refused_by_a_full_disk(qep(*whole[:-1], disk / "circuits"))
    (disk / "ballast").unlink()
    assert qep(*whole[:-1], disk / "circuits").code == qep(*whole).code == 0
    for path in (here / "whole").iterdir():
        assert path.read_bytes() == (disk / "circuits" / path.name).read_bytes()
