"""Studies that cannot be made: one line, exit code 2, nothing written, before any work is done."""

import sys
from pathlib import Path

import pytest

from qep_qiskit.budget import points as budget_points

KEYS = {
    "samples": ("0", "-1", "1.5", "'all'"),
    "shots": ("[]", "[0]", "[-5]", "[1.5]", "100", "'exact'", "['exact']"),
    "betas": ("[]", "[0.0]", "[-0.1]", "[nan]", "[inf]", "'auto'", "0.1"),
    "num_betas": ("0", "1", "2.5", "'many'"),
    "contrasts": ("[]", "['centred']", "'symmetric'", "[1]"),
    "signals": ("[]", "['guessed']", "'known'"),
    "repeats": ("0", "1", "2.5", "'x'"),
    "pilot_shots": ("0", "31", "'exact'"),
    "reference": ("'measured'", "1"),
    "comparison_shots": ("[]", "[0]", "[1.5]", "100"),
    "training": ("1", "[]"),
    "training.shots": ("[]", "[0]", "['exact']", "10"),
    "training.seeds": ("0", "-1", "1.5"),
    "training.adaptive_from": ("[0]", "['x']", "3"),
    "noise": ("1",),
    "noise.backend": ("1", "[]"),
    "noise.calibration_shots": ("0", "-3", "'exact'"),
}
EVERY_KEY = [(key, value) for key, values in KEYS.items() for value in values]


@pytest.fixture
def idle(monkeypatch):
    """Fails where a point is worked on."""

    def worked(*_):
        pytest.fail("a point was worked on")

    monkeypatch.setattr(budget_points, "study_pilot", worked)
    monkeypatch.setattr(budget_points, "measure_setting", worked)


@pytest.mark.parametrize(("key", "value"), EVERY_KEY, ids=[f"{key}={value}" for key, value in EVERY_KEY])
def test_every_key(refused, idle, key, value):
    assert f"budget.{key}" in refused("budget", "exact.toml", "--set", f"budget.{key}={value}")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("budget.repeat=3", "budget.repeat: unknown key; did you mean 'repeats'?"),
        ("budget.training.seed=3", "budget.training.seed: unknown key; did you mean 'seeds'?"),
        ("budget=3", "budget: expected a section"),
        ("contrast.pilot.levels=1", "contrast.pilot.levels"),
    ],
)
def test_other_keys(refused, idle, setting, words):
    assert words in refused("budget", "exact.toml", "--set", setting)


STUDIES = {
    "training without shots": (
        ("--study", "training", "--set", "measurement.shots='exact'"),
        "measurement.shots: a training study compares numbers of shots",
    ),
    "adaptive beyond its end": (
        ("--study", "training", "--set", "budget.training.adaptive_from=[20000]"),
        "budget.training (adaptive from 20000): measurement.adaptive.max_shots: expected at least",
    ),
    "noise on exact states": (("--study", "noise"), "--study noise: exact states are sampled without circuits"),
    "unknown study": (("--study", "everything"), "--study"),
    "format": (("--format", "xls"), "--format"),
    "jobs": (("--jobs", "0"), "--jobs: expected at least 1, got 0"),
    "too many jobs": (("--jobs", "1000000"), "--jobs: expected at most"),
    "jobs and a cluster": (("--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"), "--jobs: goes with"),
    "a file": (("--out", "exact.toml"), "exact.toml: is not the folder of a study"),
    "below a file": (("--out", "exact.toml/deeper"), "exact.toml/deeper"),
    "a device": (("--out", "/dev/null/study"), "/dev/null/study"),
    "a long name": (("--out", "n" * 300), "n" * 300),
    "another folder": (("--out", "."), "exists already and is not the folder of a study"),
    "both questions": (("--target-error", "0.1", "--qpu-seconds", "60"), "each follows from the other"),
    "a question and a study": (("--target-error", "0.1", "--study", "gradient"), "go with studies"),
    "a question and a folder": (("--qpu-seconds", "10", "--out", "x"), "go with studies"),
}


@pytest.mark.parametrize(("words", "message"), STUDIES.values(), ids=STUDIES)
def test_studies(refused, idle, words, message):
    assert message in refused("budget", "exact.toml", *words)


@pytest.mark.parametrize("name", ["--target-error", "--qpu-seconds"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "much"])
def test_questions(refused, idle, name, value):
    message = refused("budget", "exact.toml", f"{name}={value}")
    assert message.startswith("qep: error: ")
    assert name in message


@pytest.mark.parametrize(("name", "most"), [("--target-error", "100"), ("--qpu-seconds", "31,536,000")])
def test_questions_beyond_any_sense(refused, idle, name, most):
    assert f"{name}: expected at most {most} (" in refused("budget", "exact.toml", f"{name}=1e300")


LEAN = ("--set", "budget.contrasts=['symmetric']", "--set", "budget.samples=1", "--set", "budget.pilot_shots=100")


def test_questions_without_an_answer(refused):
    assert "is not reached with" in refused("budget", "exact.toml", *LEAN, "--target-error", "1e-9")
    assert "--qpu-seconds: expected at least 4.0" in refused("budget", "exact.toml", *LEAN, "--qpu-seconds", "2")


def test_noise_of_an_unknown_device(refused, idle):
    pytest.importorskip("qiskit_ibm_runtime")
    choice = ("--study", "noise", "--set", "budget.noise.backend='fake_manilla'")
    assert "fake_manila" in refused("budget", "circuits.toml", *choice)


def test_noise_of_a_device_that_is_none(refused, idle):
    choice = ("--study", "noise", "--set", "budget.noise.backend='statevector'")
    assert "budget.noise.backend" in refused("budget", "circuits.toml", *choice)


def test_missing_packages(refused, idle, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert "pip install 'qep_qiskit[parquet]'" in refused("budget", "exact.toml", "--format", "parquet")
    assert "pip install 'qep_qiskit[cluster]'" in refused("budget", "exact.toml", "--scheduler", "tcp://127.0.0.1:1")


def test_folder_that_cannot_be_read(refused, here, idle, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    (here / "locked").mkdir()
    assert "locked: " in refused("budget", "exact.toml", "--out", "locked")


def test_folder_of_a_run(refused, copied, idle):
    copied("exact")
    assert "is not the folder of a study" in refused("budget", "exact.toml", "--out", "copy")
    kept = refused("budget", "copy", "--set", "seed=1", "--out", "st")
    assert "the folder of a run keeps what was learned; expected a key of" in kept
    assert "budget.repeats" in refused("budget", "copy", "--set", "budget.repeats=0", "--out", "st")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"digest": 3}', "hello"])
def test_damaged_study(refused, here, idle, content):
    (here / "st").mkdir()
    (here / "st/study.json").write_text(content)
    assert "st: " in refused("budget", "exact.toml", "--out", "st")


@pytest.fixture
def studied(qep, here, monkeypatch):
    """A small study."""
    monkeypatch.setattr("qep_qiskit.budget.report.page.write_budget_report", lambda *_, **__: [])
    lean = (*LEAN, "--set", "budget.shots=[100]", "--set", "budget.betas=[0.3]", "--set", "budget.repeats=2")
    command = ("budget", "exact.toml", *lean, "--study", "gradient", "--out", "st", "--jobs", "1")
    assert qep(*command).code == 0
    return command


@pytest.mark.parametrize("setting", ["seed=9", "budget.samples=2", "network.num_spins=3", "network.graph='chain'"])
def test_another_study_in_the_same_folder(refused, studied, idle, setting):
    assert "holds the study of another network, other weights or samples" in refused(*studied, "--set", setting)


def test_damaged_points(refused, studied, here, idle):
    path = here / "st/points.jsonl"
    path.write_text("hello\n" + path.read_text())
    assert "points.jsonl: line 1 is damaged" in refused(*studied)


def test_training_of_other_settings_in_the_same_folder(refused, studied, qep, idle):
    tiny = ("--set", "budget.training={shots = [5], seeds = 1, adaptive_from = []}", "--study", "training")
    assert qep(*studied, *tiny).code == 0
    message = refused(*studied, *tiny, "--set", "update.learning_rate=0.2")
    assert "runs/5-shots-seed-3: holds a run of other settings" in message
