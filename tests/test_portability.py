"""Nothing that only Unix has is needed: modules and signals are taken away, and a run still trains."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from cases import XOR_ON_TWO_SPINS

import qep_qiskit

PACKAGE = Path(qep_qiskit.__file__).parent
UNIX_ONLY = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "posix", "syslog", "crypt"}
CONFIG = (
    'name = "small"\n'
    + XOR_ON_TWO_SPINS
    + """[measurement]
shots = 20
[training]
epochs = 2
"""
)
# `posix` stays, because `os` is made of it; psutil, which Aer asks for, and filelock have parts for each
# system.
WITHOUT_UNIX = f"""
import os, signal, sys
import filelock, psutil
for name in {sorted(UNIX_ONLY - {"posix"})}:
    sys.modules[name] = None
for name in ("fork", "sched_getaffinity", "sysconf", "killpg", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGALRM", "pthread_sigmask", "alarm"):
    if hasattr(signal, name):
        delattr(signal, name)
import qep_qiskit
assert all(hasattr(qep_qiskit, name) for name in qep_qiskit.__all__)
from qep_qiskit.cli import main
for command in (
    ["train", "small.toml", "--out", "run"],
    ["resume", "run"],
    ["sweep", "small.toml", "--over", "seed=0:2", "--jobs", "2", "--out", "sweep"],
):
    assert main(command) == 0, command
"""


def test_no_module_of_unix_and_no_encoding_of_the_place():
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {reason}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (reason := tied_to_a_system(node))
    ]
    assert wrong == []


def tied_to_a_system(node):
    """What ties a line to one system; empty where nothing does."""
    if isinstance(node, ast.Call):
        return "give the encoding" if is_text_of_the_place(node) else ""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return ", ".join(sorted({name.split(".")[0] for name in names} & UNIX_ONLY))


def is_text_of_the_place(call):
    """Whether a file is read or written as text in an encoding that depends on the machine."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name not in ("open", "read_text", "write_text") or any(word.arg == "encoding" for word in call.keywords):
        return False
    modes = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    owner = getattr(getattr(call.func, "value", None), "id", "")
    binary = any(isinstance(mode, str) and "b" in mode for mode in modes)
    return not binary and owner not in ("os", "archive", "RunFolder", "self", "cls")


@pytest.mark.deep
def test_a_run_without_modules_and_signals_of_unix(tmp_path):
    (tmp_path / "small.toml").write_text(CONFIG, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", WITHOUT_UNIX], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "run" / "checkpoint.npz").exists()
