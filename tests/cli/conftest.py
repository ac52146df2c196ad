"""The command line as a user meets it: small configurations, calls, and folders to compare."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import preloaded
import pytest

from qep_qiskit.cli import main
from qep_qiskit.config import from_file
from qep_qiskit.learning import Callback
from qep_qiskit.runs import report
from qep_qiskit.runs.callbacks import Checkpoints, MetricsFile
from qep_qiskit.runs.folder import RunFolder

os.environ["COLUMNS"] = "80"

_TRAINING = """
[measurement]
shots = 20
[training]
epochs = 3
batch_size = 2
"""

_XOR = """
name = "small"
seed = 3
[task]
kind = "xor"
[network]
graph = "complete"
num_spins = 2
"""

_FLOWERS = """
name = "flowers"
seed = 5
[task]
kind = "csv"
file = "flowers.csv"
inputs = ["length", "width"]
target = "kind"
scaling = "none"
[network]
num_spins = 3
[preparation]
kind = "exact"
"""

_AIM = """
name = "aim"
[task]
kind = "none"
[network]
graph = "ring"
num_spins = 3
[cost]
kind = "operator"
terms = [{pauli = "Z0 Z1"}, {pauli = "Z2", coefficient = 0.5}]
[preparation]
kind = "adiabatic"
total_time = 2.0
steps = 5
"""

_VQE = """
[preparation]
kind = "variational"
[preparation.ansatz]
kind = "hamiltonian"
depth = 1
"""

# Four samples to train on and two to test: requests of every kind come soon, and a whole run has few.
_SAMPLED = """
[preparation]
kind = "variational"
energies = "sampled"
optimizer = "spsa"
options = {maxiter = 3, last_avg = 1}
residual_directions = 2
[preparation.ansatz]
kind = "file"
file = "turns.qasm"
[execution]
backend = "statevector"
[measurement]
shots = 20
[training]
epochs = 2
batch_size = 2
"""

_TURNS = """
OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
input float[64] b;
input float[64] c;
qubit[3] q;
ry(a) q;
cx q[0], q[1];
cx q[1], q[2];
ry(b) q;
rz(c) q[1];
"""

_CONFIGS = {
    "exact": _XOR + '[preparation]\nkind = "exact"\n' + _TRAINING,
    "circuits": _XOR + '[preparation]\nkind = "adiabatic"\ntotal_time = 2.0\nsteps = 5\n' + _TRAINING,
    "flowers": _FLOWERS + _TRAINING,
    "aim": _AIM + _TRAINING,
    "vqe": _XOR + _VQE + _TRAINING,
    "sampled": _FLOWERS.replace("flowers", "few").replace('[preparation]\nkind = "exact"\n', "") + _SAMPLED,
}

_ROWS = ["length,width,kind", *(f"{0.1 * i:.1f},{(i % 3) - 1},{'rose' if i % 2 else 'iris'}" for i in range(12))]


@dataclass(frozen=True)
class Result:
    """What a call gave: exit code and both outputs."""

    code: int
    out: str
    err: str

    @property
    def object(self):
        """The JSON object on standard output."""
        return json.loads(self.out)


def call(*arguments):
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:
            code = left.code
    return Result(code, out.getvalue(), err.getvalue())


_DRAWING = {
    name: getattr(report, name) for name in ("learning_curve", "network_picture", "answer_figures", "save_figure")
}


@pytest.fixture(scope="session", autouse=True)
def undrawn():
    """Figures take ten times longer than these runs: of those in this process only the files are there, and empty."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "learning_curve", lambda *_: None)
        patch.setattr(report, "network_picture", lambda *_: None)
        patch.setattr(report, "answer_figures", lambda *_: {})
        patch.setattr(report, "save_figure", lambda _, path: path.touch())
        yield


@pytest.fixture
def drawn(monkeypatch):
    """Figures are drawn, as for a user."""
    for name, draw in _DRAWING.items():
        monkeypatch.setattr(report, name, draw)


@pytest.fixture(scope="session")
def qep():
    """Runs the command line in this process."""
    return call


@pytest.fixture(scope="session")
def process():
    """Starts the command line as a process of its own."""

    def start(*arguments, **options):
        words = [sys.executable, "-c", "import sys; from qep_qiskit.cli import main; sys.exit(main())"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen([*words, *map(str, arguments)], **(pipes | options))

    return start


@pytest.fixture(scope="session")
def forked():
    """Starts the command line as a process of its own that has its imports behind it; see preloaded.py."""

    def start(*arguments):
        code = "import sys; from qep_qiskit.cli import main; sys.exit(main())"
        return preloaded.started([sys.executable, "-c", code, *arguments])

    return start


def write_configs(folder):
    (folder / "flowers.csv").write_text("\n".join(_ROWS) + "\n")
    (folder / "few.csv").write_text("\n".join(_ROWS[:7]) + "\n")
    (folder / "turns.qasm").write_text(_TURNS)
    for name, text in _CONFIGS.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the small configurations, and the working directory."""
    monkeypatch.chdir(tmp_path)
    return write_configs(tmp_path)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Finished runs of the small configurations, by name; not to be changed."""
    folder = write_configs(tmp_path_factory.mktemp("runs"))
    for name in _CONFIGS:
        result = call("train", folder / f"{name}.toml", "--out", folder / name)
        assert result.code == 0, result.err
    return folder


@pytest.fixture
def service(monkeypatch):
    """The stand-in for IBM's service, to which every command of a test logs in."""
    pytest.importorskip("qiskit_ibm_runtime")
    from ibm_runs import logged_in

    return logged_in(monkeypatch)


class StopAfter(Callback):
    """A callback that asks a trainer to stop after some steps, as Ctrl-C does."""

    def __init__(self, steps):
        self.steps = steps

    def on_step(self, trainer, record):
        if trainer.state.step >= self.steps:
            trainer.request_stop()

    def on_epoch(self, trainer, record):
        if self.steps == 0:
            trainer.request_stop()


@pytest.fixture(scope="session")
def stopped():
    """Trains in a new folder and stops after some steps."""

    def run(config, path, steps, overrides=()):
        experiment = from_file(config, overrides)
        versions = {"qep_qiskit": "0"}
        folder = RunFolder.create(Path(path), versions | {"config": experiment.config.resolved()}, experiment.task)
        watchers = (MetricsFile(folder), StopAfter(steps), Checkpoints(folder))
        assert experiment.trainer(callbacks=watchers).run() == "stopped"
        return folder.path

    return run


@pytest.fixture(scope="session")
def goes_on(records, warm_start):
    """Resumes a run, and asserts that it ends as the uninterrupted one: metrics, weights and memory bit for bit."""

    def check(folder, whole):
        result = call("resume", folder)
        assert result.code == 0, result.err
        assert records(folder) == records(whole)
        assert warm_start(folder) == warm_start(whole)
        assert (folder / "weights.json").read_bytes() == (whole / "weights.json").read_bytes()

    return check


@pytest.fixture
def survives_a_stop(here, stopped, goes_on, settings):
    """Trains in the folder "whole", and once more with a stop after some steps that changes nothing."""

    def check(config, steps, choices=()):
        result = call("train", config, "--out", here / "whole", *settings(*choices))
        assert result.code == 0, result.err
        halted = stopped(config, here / "halted", steps, list(choices))
        goes_on(halted, here / "whole")
        return halted

    return check


@pytest.fixture
def halted(runs, stopped, here):
    """A run of the exact configuration, stopped after its third step of six, in the middle of an epoch."""
    return stopped(here / "exact.toml", here / "halted", 3)


@pytest.fixture
def copied(runs, here):
    """Copies a finished run to the working directory."""
    return lambda name: Path(shutil.copytree(runs / name, here / "copy"))


def contents(folder):
    """Every file below a folder with its bytes, but for files of locks and what Python compiled."""
    files = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != "run.lock")
    return {path: path.read_bytes() for path in files if path.suffix != ".pyc"}


@pytest.fixture
def refused(here):
    """Calls the command line with something it cannot use: one line, exit code 2, nothing written."""

    def refuse(*arguments):
        before, result = contents(here), call(*arguments)
        assert result.code == 2
        assert result.err.count("\n") == 1
        assert result.err.startswith("qep: error: ")
        assert result.out == ""
        assert contents(here) == before
        return result.err

    return refuse


@pytest.fixture(scope="session")
def settings():
    """``--set`` words of a call."""
    return lambda *texts: [word for text in texts for word in ("--set", text)]


@pytest.fixture(scope="session")
def records():
    """Metrics of a run without the times, which no two runs share."""

    def read(folder):
        lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
        return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]

    return read


@pytest.fixture(scope="session")
def warm_start():
    """Arrays of a checkpoint as bytes: weights, starting weights and what the optimiser remembers."""

    def read(folder):
        with np.load(Path(folder) / "checkpoint.npz") as file:
            return {name: file[name].tobytes() for name in file.files if name != "meta"}

    return read
