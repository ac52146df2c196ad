import hashlib
import io
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from stopping import wait_for

from qep_qiskit.config import from_file
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.core.files import hold
from qep_qiskit.learning import Callback
from qep_qiskit.runs.callbacks import Checkpoints, MetricsFile
from qep_qiskit.runs.folder import RunFolder

LAST_STEP = 6


@pytest.mark.parametrize(
    ("name", "steps"), [*(("exact", steps) for steps in range(LAST_STEP)), ("circuits", 2), ("circuits", 5)]
)
def test_stopped_after_any_step(stopped, here, goes_on, runs, name, steps):
    """Before the first step, within an epoch, and between two epochs."""
    folder = stopped(here / f"{name}.toml", here / "halted", steps)
    goes_on(folder, runs / name)


@pytest.mark.parametrize("kind", ["gradient_descent", "momentum"])
def test_every_optimiser_keeps_its_memory(here, survives_a_stop, kind):
    choice = f"update={{kind='{kind}', decay='cosine', learning_rate=0.02}}"
    survives_a_stop(here / "exact.toml", 3, [choice])


def test_scatter_of_replicates_is_kept(here, survives_a_stop):
    choices = ["measurement={shots=400, error_bars='replicated', replicates=4}", "contrast.beta=0.05"]
    survives_a_stop(here / "exact.toml", 3, choices)


def test_stopped_time_after_time(here, goes_on, runs):
    """One step per process, so to speak: every step begins from a checkpoint."""
    experiment = from_file("exact.toml")
    path = here / "halted"
    folder = RunFolder.create(path, {"qep_qiskit": "0", "config": experiment.config.resolved()}, experiment.task)
    state = None
    for _ in range(LAST_STEP - 1):
        trainer = experiment.trainer(callbacks=(MetricsFile(folder), OneStep(), Checkpoints(folder)), state=state)
        assert trainer.run() == "stopped"
        state = folder.load_state()
    goes_on(path, runs / "exact")


class OneStep(Callback):
    def on_step(self, trainer, record):
        trainer.request_stop()


@pytest.mark.parametrize("rest", ["", '{"event": "st', '{"event": "step", "step": 4}\n', '{"event": "step"}\n{"eve'])
def test_lines_after_the_checkpoint_are_written_anew(halted, goes_on, runs, rest):
    """What a killed process wrote after its last checkpoint, whole or half, comes once."""
    with (halted / "metrics.jsonl").open("a") as file:
        file.write(rest)
    goes_on(halted, runs / "exact")


@pytest.mark.parametrize("rest", ["", '{"event": "epoch", "ste', '{"event": "epoch", "step": 0}\n'])
def test_killed_before_the_first_checkpoint(halted, goes_on, runs, rest):
    (halted / "checkpoint.npz").unlink()
    (halted / "metrics.jsonl").write_text(rest)
    goes_on(halted, runs / "exact")


def test_half_written_files_do_no_harm(qep, halted, goes_on, runs):
    (halted / ".qep-0123456789abcdef.tmp").write_bytes(b"half")
    (halted / ".qep-0123456789abcdef.new").mkdir()
    goes_on(halted, runs / "exact")
    assert not list(halted.glob(".*"))


def test_data_file_is_no_longer_needed(stopped, here, goes_on, runs):
    """The samples are kept with the run."""
    folder = stopped(here / "flowers.toml", here / "halted", 5)
    (here / "flowers.csv").unlink()
    goes_on(folder, runs / "flowers")


def test_run_folder_may_move(halted, here, goes_on, runs):
    moved = halted.rename(here / "elsewhere")
    goes_on(moved, runs / "exact")


def test_finished_run_gets_only_its_report_again(qep, copied, goes_on, runs):
    folder = copied("exact")
    for name in ("weights.json", "summary.json", "learning_curve.png"):
        (folder / name).unlink()
    assert "this run is finished; nothing to resume" in qep("resume", folder).out
    goes_on(folder, runs / "exact")
    assert (folder / "learning_curve.png").is_file()


LONG = ["training.epochs=120", "training.batch_size=1", "training.evaluate_every=1"]


@pytest.fixture(scope="module")
def whole(qep, runs, settings):
    """A run of 480 steps, long enough to be hit at random moments, and never interrupted."""
    assert qep("train", runs / "circuits.toml", "--out", runs / "whole", *settings(*LONG)).code == 0
    return runs / "whole"


def lines_in(folder):
    path = Path(folder) / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def killed(child, after):
    """Wait for a moment, then send SIGKILL."""
    wait_for(after, child)
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=30)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.deep
def test_killed_at_random_moments(forked, here, settings, whole, goes_on, rng):
    """Three times in a row, the first time before or at the first checkpoint; then to the end."""
    folder = here / "killed"
    killed(forked("train", "circuits.toml", "--out", folder, *settings(*LONG)), (folder / "config.json").is_file)
    for _ in range(2):
        goal = lines_in(folder) + int(rng.integers(20, 150))
        killed(forked("resume", folder), lambda goal=goal: lines_in(folder) >= goal)
    goes_on(folder, whole)


@pytest.mark.deep
def test_killed_between_two_checkpoints(forked, here, settings, whole, goes_on):
    """Lines stand in the file that no checkpoint counts: they must not come twice."""
    folder = here / "killed"
    killed(forked("train", "circuits.toml", "--out", folder, *settings(*LONG)), lambda: lines_in(folder) >= 60)
    with np.load(folder / "checkpoint.npz") as file:
        counted = json.loads(str(file["meta"]))["metrics_bytes"]
    assert (folder / "metrics.jsonl").stat().st_size > counted
    goes_on(folder, whole)


@pytest.mark.deep
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_after_the_request_and_says_how_to_go_on(qep, forked, here, settings, whole, goes_on, number):
    folder = here / "stopped"
    child = forked("train", "circuits.toml", "--out", folder, *settings(*LONG))
    wait_for(lambda: lines_in(folder) >= 60, child)
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out) == (130, "")
    with np.load(folder / "checkpoint.npz") as file:
        meta = json.loads(str(file["meta"]))
    step, answers = meta["step"], len(meta["request_log"])
    place = (
        f"in step {step + 1} of 480, with {amount(answers, 'answer')} kept" if answers else f"after step {step} of 480"
    )
    assert err.splitlines()[-1] == f"qep: stopped {place}; go on with 'qep resume {folder}'"
    goes_on(folder, whole)


def truncate(name, length):
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:length])


def remove(name):
    return lambda run: (run / name).unlink()


def write(name, text):
    return lambda run: (run / name).write_text(text)


def edit_config(change):
    def damage(run):
        content = json.loads((run / "config.json").read_text())
        change(content)
        (run / "config.json").write_text(json.dumps(content))

    return damage


def edit_checkpoint(change):
    def damage(run):
        with np.load(run / "checkpoint.npz") as file:
            arrays = dict(file)
        meta = json.loads(str(arrays["meta"]))
        change(arrays, meta)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays | {"meta": np.array(json.dumps(meta))})
        digest = hashlib.sha256(buffer.getvalue()).digest()
        (run / "checkpoint.npz").write_bytes(buffer.getvalue() + digest)

    return damage


def first_nan(arrays, meta):
    arrays["weights"][0] = np.nan


def without_memory(arrays, meta):
    for name in [name for name in arrays if name.startswith("optimizer_")]:
        del arrays[name]


def short_memory(arrays, meta):
    for name in arrays:
        if name.startswith("optimizer_"):
            arrays[name] = arrays[name][:1]


DAMAGES = {
    "checkpoint-empty": (truncate("checkpoint.npz", 0), "checkpoint.npz"),
    "checkpoint-start": (truncate("checkpoint.npz", 200), "checkpoint.npz"),
    "checkpoint-tail-lost": (truncate("checkpoint.npz", -30), "checkpoint.npz"),
    "checkpoint-text": (write("checkpoint.npz", "hello"), "checkpoint.npz"),
    "checkpoint-nan": (edit_checkpoint(first_nan), "checkpoint.npz"),
    "checkpoint-2d": (edit_checkpoint(lambda a, m: a.update(weights=a["weights"][:, None])), "checkpoint.npz"),
    "checkpoint-scalar": (edit_checkpoint(lambda a, m: a.update(weights=np.array(1.0))), "checkpoint.npz"),
    "checkpoint-no-numbers": (edit_checkpoint(lambda a, m: a.update(weights=np.array(["a"] * 9))), "checkpoint.npz"),
    "checkpoint-short-start": (edit_checkpoint(lambda a, m: a.update(initial_weights=np.ones(2))), "checkpoint"),
    "checkpoint-no-memory": (edit_checkpoint(without_memory), "checkpoint"),
    "checkpoint-short-memory": (edit_checkpoint(short_memory), "checkpoint"),
    "checkpoint-step-text": (edit_checkpoint(lambda a, m: m.update(step="a")), "checkpoint.npz"),
    "checkpoint-step-negative": (edit_checkpoint(lambda a, m: m.update(step=-4)), "checkpoint.npz"),
    "checkpoint-other-format": (edit_checkpoint(lambda a, m: m.update(format=99)), "format 99"),
    "checkpoint-no-counters": (edit_checkpoint(lambda a, m: m.clear()), "checkpoint.npz"),
    "metrics-short": (truncate("metrics.jsonl", 50), "metrics.jsonl: is shorter than the checkpoint says"),
    "metrics-missing": (remove("metrics.jsonl"), "metrics.jsonl: is shorter than the checkpoint says"),
    "metrics-garbage": (write("metrics.jsonl", "x" * 9999 + "\n"), "metrics.jsonl"),
    "data-missing": (remove("data.npz"), "data.npz: no task file there"),
    "data-short": (truncate("data.npz", 100), "data.npz"),
    "config-missing": (remove("config.json"), "is not the folder of a run (config.json is missing)"),
    "config-short": (truncate("config.json", 100), "config.json: is damaged"),
    "config-list": (write("config.json", "[]"), "config.json: was not written by this package"),
    "config-foreign": (write("config.json", '{"a": 1}'), "config.json: was not written by this package"),
    "config-text": (edit_config(lambda c: c.update(config="x")), "config.json: expected"),
    "config-no-task": (edit_config(lambda c: c["config"].pop("task")), "config.json: task: this key is missing"),
    "config-unknown-key": (edit_config(lambda c: c["config"].update(foo=1)), "config.json: foo: unknown key"),
    "config-spins": (edit_config(lambda c: c["config"]["network"].update(num_spins=3)), "do not belong together"),
    "config-optimiser": (edit_config(lambda c: c["config"]["update"].update(kind="momentum")), "config.json"),
    "config-seed": (edit_config(lambda c: c["config"].update(seed=99)), "config.json"),
    "config-graph": (edit_config(lambda c: c["config"]["network"].update(graph="chain")), "config.json"),
    "config-batch": (edit_config(lambda c: c["config"]["training"].update(batch_size=1)), "config.json"),
    "config-shots": (edit_config(lambda c: c["config"]["measurement"].update(shots=5)), "config.json"),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_folder(refused, halted, damage, words):
    damage(halted)
    assert words in refused("resume", halted)


def read_back(folder):
    """What a folder says of its state and its samples, or None where it is refused."""
    try:
        state, task = folder.load_state(), folder.task()
    except RunFolderError:
        return None
    arrays = (
        state.weights,
        state.initial_weights,
        *state.optimizer_state.values(),
        task.train.inputs,
        task.train.targets,
    )
    return [array.tobytes() for array in arrays], state.step, state.metrics_bytes, state.tally


@pytest.mark.deep(but=["17-checkpoint.npz", "17-data.npz"])
@pytest.mark.parametrize("name", ["checkpoint.npz", "data.npz"])
@pytest.mark.parametrize("every", [pytest.param(3, marks=pytest.mark.slow), 17])
def test_flipped_bits_never_pass_for_something_else(halted, name, every):
    """One bit in every so many bytes, each in its turn: refused or, where the bit means nothing, read as before."""
    folder, before = RunFolder.open(halted), (halted / name).read_bytes()
    sound = read_back(folder)
    for place in range(0, len(before), every):
        content = bytearray(before)
        content[place] ^= 1 << place % 8
        (halted / name).write_bytes(content)
        assert read_back(folder) in (None, sound)


def test_checkpoint_of_another_network(refused, halted, runs):
    shutil.copy(runs / "flowers" / "checkpoint.npz", halted)
    message = refused("resume", halted)
    assert "do not belong together" in message or "metrics" in message


def test_data_of_another_task(refused, halted, runs):
    shutil.copy(runs / "aim" / "data.npz", halted)
    refused("resume", halted)


@pytest.fixture
def locked():
    """Holds a folder as another process at work in it does."""
    held = []
    yield lambda folder: held.append(hold(folder / "run.lock"))
    for lock in held:
        lock.release()


@pytest.mark.parametrize("lost", [None, "checkpoint.npz"])
def test_folder_where_another_process_is_at_work(refused, halted, locked, lost):
    """Its metrics stay as they are, also before its first checkpoint."""
    locked(halted)
    if lost:
        (halted / lost).unlink()
    assert "another process is working in this folder" in refused("resume", halted)


def test_lock_goes_with_the_process(qep, forked, here, settings):
    folder = here / "killed"
    child = forked("train", "circuits.toml", "--out", folder, *settings(*LONG))
    wait_for(lambda: lines_in(folder) >= 5, child)
    busy = qep("resume", folder)
    assert (busy.code, busy.err.count("\n")) == (2, 1)
    killed(child, lambda: True)
    assert qep("gradient", folder, "--sample", 0).code == 0
