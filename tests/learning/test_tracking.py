"""TensorBoard and MLflow: what is logged at which epoch and step, also by a run that was stopped and resumed."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from stopping import trained

import qep_qiskit as qep
from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError, NotLoggedWarning
from qep_qiskit.learning import Callback

_CONFIG = """
name = "tracked"
seed = 3
[task]
kind = "moons"
num_samples = 12
[network]
num_spins = 2
[preparation]
kind = "exact"
[measurement]
shots = 20
[training]
epochs = 3
batch_size = 4
"""
_KINDS = {"tensorboard": "[callbacks.tensorboard]\n", "mlflow": "[callbacks.mlflow]\nsteps = true\n"}
pytestmark = pytest.mark.filterwarnings("ignore:the nudge exceeds:qep_qiskit.core.errors.QepWarning")


class Writer:
    """Stands in for tensorboardX.SummaryWriter: what is logged again after a stop replaces what it purges."""

    def __init__(self, logdir, purge_step, filename_suffix):
        self.file_writer = self
        self.found = FOUND.setdefault(logdir, {"numbers": [], "texts": {}, "summaries": []})
        self.found["numbers"] = [one for one in self.found["numbers"] if one[1] < purge_step]

    def add_scalar(self, name, value, at):
        self.found["numbers"].append((name, at, value))

    def add_text(self, name, text, at):
        self.found["texts"][name] = text

    def add_summary(self, summary):
        self.found["summaries"].append(summary)

    def flush(self):
        pass

    close = flush


class Client:
    """Stands in for mlflow.MlflowClient."""

    def __init__(self, uri):
        self.uri = uri
        if uri == "http://nowhere":
            raise OSError("no\nroute")

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return name

    def create_run(self, experiment, run_name):
        FOUND[f"run{len(FOUND)}"] = {"numbers": [], "parameters": {}, "states": [], "named": (experiment, run_name)}
        return SimpleNamespace(info=SimpleNamespace(run_id=[*FOUND][-1]))

    def update_run(self, run, status):
        FOUND[run]["states"].append(status)

    def log_batch(self, run, metrics=(), params=()):
        if FOUND[run].get("fails"):
            raise OSError("the server is gone")
        assert len(params) <= 100
        FOUND[run]["numbers"] += [(name, at, value) for name, value, _, at in metrics]
        FOUND[run]["parameters"] |= dict(params)

    def log_dict(self, run, content, name):
        FOUND[run][name] = json.loads(json.dumps(content))

    def set_terminated(self, run, status):
        FOUND[run]["states"].append(status)


FOUND = {}


@pytest.fixture
def stand_ins(monkeypatch):
    """Stand-ins for both libraries."""
    FOUND.clear()
    board, summary, flow = ModuleType("tensorboardX"), ModuleType("tensorboardX.summary"), ModuleType("mlflow")
    board.SummaryWriter = Writer
    summary.hparams = lambda keys, metrics: (keys, metrics)
    flow.MlflowClient = Client
    flow.entities = SimpleNamespace(Metric=lambda *values: values, Param=lambda *values: values)
    for module in (board, summary, flow):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / "tracked.toml"
        path.write_text(_CONFIG + text)
        return path

    return write


def expected(folder):
    """Every number of the metrics of a run, but for the time, at its epoch or step."""
    return [
        (f"{record['event']}/{name}", record["epoch" if record["event"] == "epoch" else "step"], value)
        for record in folder.records()
        for name, value in record.items()
        if name not in ("event", "epoch", "step", "seconds") and isinstance(value, int | float)
    ]


@pytest.mark.parametrize("stops", [(), (4,), (3, 5)])
@pytest.mark.parametrize("kind", _KINDS)
def test_every_number_is_logged_once_at_its_epoch_or_step(stand_ins, config, tmp_path, kind, stops):
    folder = trained(tmp_path / "run", config(_KINDS[kind]), *stops)
    (found,) = FOUND.values()
    logged = [(name, at, value) for name, at, value in found["numbers"] if not name.endswith("/seconds")]
    assert len(logged) == len(set(logged))
    assert sorted(logged) == sorted(expected(folder))
    names = {name for name, _, _ in logged}
    assert {"epoch/train_loss", "epoch/train_loss_se", "epoch/test_accuracy", "epoch/shots", "step/loss_se"} <= names
    assert sorted(at for name, at, _ in logged if name == "epoch/test_loss") == [0, 1, 2, 3]
    assert sorted(at for name, at, _ in logged if name == "step/loss") == list(
        range(1, 1 + folder.records()[-1]["step"])
    )
    keys = found["summaries"][0] if kind == "tensorboard" else found["parameters"]
    assert str(keys["measurement.shots"]) == "20"
    kept = json.loads(found["texts"]["config"]) if kind == "tensorboard" else found["config.json"]
    assert kept["name"] == "tracked"
    if kind == "mlflow":
        assert found["states"] == [*("KILLED", "RUNNING") * len(stops), "FINISHED"]
        assert found["named"] == ("qep_qiskit", "tracked")


def test_steps_can_be_left_out(stand_ins, config, tmp_path):
    trained(tmp_path / "run", config("[callbacks.tensorboard]\nsteps = false\nfolder = 'logs'\n"), 4)
    (found,) = FOUND.values()
    assert list(FOUND) == [str(Path("logs") / "run")]
    assert [at for name, at, _ in found["numbers"] if name == "epoch/train_loss"] == [0, 1, 2, 3]
    assert not any(name.startswith("step/") for name, _, _ in found["numbers"])


def test_a_server_that_fails_later_costs_no_training(stand_ins, config, tmp_path):
    class Fails(Callback):
        def on_epoch(self, trainer, record):
            FOUND["run0"]["fails"] = record["epoch"] >= 1

    run = from_file(config("[callbacks.mlflow]\n"))
    with pytest.warns(NotLoggedWarning, match="MLflow has not taken what was to be logged"):
        assert qep.train(run, [Fails()]).state.epoch == 3
    assert {at for _, at, _ in FOUND["run0"]["numbers"]} == {0, 1}


def test_a_store_that_cannot_be_reached_is_one_line(stand_ins, config):
    run = from_file(config("[callbacks.mlflow]\ntracking_uri = 'http://nowhere'\n"))
    words = r"^callbacks.mlflow: MLflow cannot log to http://nowhere \(OSError: no route\); set another tracking_uri$"
    with pytest.raises(ConfigError, match=words) as caught:
        run.callbacks()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("kind", "library"), [("tensorboard", "tensorboardX"), ("mlflow", "mlflow")])
def test_what_is_missing_is_named_with_what_to_do(config, monkeypatch, kind, library):
    monkeypatch.setitem(sys.modules, library, None)
    words = rf"^callbacks.{kind}: \w+ needs {library}; install it with pip install 'qep_qiskit\[{kind}\]'$"
    with pytest.raises(ConfigError, match=words):
        from_file(config(_KINDS[kind])).callbacks()


def test_real_event_files(config, tmp_path):
    """As TensorBoard reads them: the last file of a folder counts from its first step on."""
    Event = pytest.importorskip("tensorboardX.proto.event_pb2").Event
    folder = trained(tmp_path / "run", config("[callbacks.tensorboard]\n"), 4)
    numbers, tags = [], set()
    for path in sorted((folder.path / "tensorboard").glob("events*")):
        content, place = path.read_bytes(), 0
        while place < len(content):
            size = int.from_bytes(content[place : place + 8], "little")
            event = Event.FromString(content[place + 12 : place + 12 + size])
            place += 16 + size
            if event.HasField("session_log"):
                numbers = [one for one in numbers if one[1] < event.step]
            for value in event.summary.value:
                tags.add(value.tag)
                if value.WhichOneof("value") == "simple_value":
                    numbers.append((value.tag, event.step, value.simple_value))
    wanted = [(name, at, pytest.approx(value, rel=1e-6)) for name, at, value in sorted(expected(folder))]
    assert sorted(one for one in numbers if not one[0].endswith("/seconds")) == wanted
    assert {"config/text_summary", "_hparams_/session_start_info"} <= tags


def test_a_real_store(config, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    client_of = pytest.importorskip("mlflow").MlflowClient
    store = (tmp_path / "store").as_uri()
    folder = trained(tmp_path / "run", config(f"[callbacks.mlflow]\ntracking_uri = '{store}'\nexperiment = 'xor'\n"), 4)
    client = client_of(store)
    (run,) = client.search_runs([client.get_experiment_by_name("xor").experiment_id])
    assert (run.info.status, run.info.run_name, run.data.params["measurement.shots"]) == ("FINISHED", "tracked", "20")
    history = [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, "epoch/test_loss")]
    losses = [(record["epoch"], record["test_loss"]) for record in folder.records() if record["event"] == "epoch"]
    assert sorted(set(history)) == losses
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["config.json"]
