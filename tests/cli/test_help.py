import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COMMANDS = [
    "init",
    "train",
    "resume",
    "submit",
    "collect",
    "jobs",
    "cancel",
    "predict",
    "evaluate",
    "gradient",
    "circuits",
    "show",
    "sweep",
    "budget",
    "plan",
    "doctor",
    "version",
    "complete",
]


@pytest.fixture
def manual(qep):
    result = qep("--help")
    assert (result.code, result.err) == (0, "")
    return result.out


def test_manual_names_every_command(manual):
    assert all(re.search(rf"^ +{name}  +\w", manual, re.MULTILINE) for name in COMMANDS)


def test_manual_names_every_file_of_a_run(manual, runs):
    pictures = {".png"}
    for path in (runs / "exact").iterdir():
        if not path.name.startswith("."):
            assert path.name in manual or path.suffix in pictures
    assert "*.png" in manual


def test_manual_names_every_exit_code(manual):
    codes = manual[manual.index("exit codes") :]
    assert all(re.search(rf"\b{code}\b", codes) for code in (0, 1, 2, 130))


def examples(text):
    return [shlex.split(line.strip().split("   ")[0]) for line in text.splitlines() if line.startswith("  qep ")]


def test_examples_use_configurations_that_ship(manual):
    named = {word for line in examples(manual) for word in line if word.endswith(".toml")}
    assert named
    assert all((ROOT / name).is_file() for name in named)


def test_examples_name_every_command(manual):
    assert {line[1] for line in examples(manual)} == set(COMMANDS)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_into_80_columns(qep, command):
    result = qep(*command.split(), "--help")
    assert result.code == 0
    assert [line for line in result.out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("train", ["CONFIG", "--out DIR", "--set key.path=value"]),
        ("resume", ["DIR"]),
        ("plan", ["CONFIG", "--backend NAME", "--json", "--set key.path=value"]),
        ("predict", ["DIR", "DATA.csv", "--json"]),
        ("gradient", ["CONFIG", "--sample I", "--json", "--compare {exact,finite-difference}", "--set key.path=value"]),
        ("circuits", ["CONFIG", "--out DIR", "--sample I", "--set key.path=value"]),
        (
            "sweep",
            [
                "CONFIG",
                "--over key.path=VALUES",
                "--out DIR",
                "--jobs N",
                "--scheduler ADDRESS",
                "--format {csv,parquet}",
            ],
        ),
    ],
)
def test_help_names_every_argument(qep, command, words):
    text = " ".join(qep(command, "--help").out.split())
    assert all(word in text for word in words)


def test_version(qep):
    assert re.fullmatch(r"qep_qiskit \d+\.\d+\.\d+\n", qep("--version").out)


def test_a_shell_completes_commands_and_files(qep):
    pytest.importorskip("shtab")
    script = qep("complete", "bash").out
    assert all(command in script for command in COMMANDS)
    assert "_shtab_qep_train_pos_0_COMPGEN=_shtab_compgen_files" in script
    assert "_shtab_qep_resume_pos_0_COMPGEN=_shtab_compgen_dirs" in script


def test_completion_without_its_package_is_one_line(qep, monkeypatch):
    monkeypatch.setitem(sys.modules, "shtab", None)
    result = qep("complete", "bash")
    assert (result.code, result.out) == (2, "")
    assert result.err == "qep: error: completion needs the package shtab: pip install 'qep_qiskit[completion]'\n"


def test_help_is_quick():
    """CPU time of the process; 0.07 s where this was written."""
    resource = pytest.importorskip("resource")  # not on Windows
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "qep_qiskit", "--help"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
