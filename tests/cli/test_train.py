import json
import re
from pathlib import Path

import numpy as np
import pytest

from qep_qiskit.config import from_file

NAMES = ["exact", "circuits", "flowers", "aim", "vqe", "sampled"]
EXACT_STATES = ["exact", "flowers"]
FILES = {
    "checkpoint.npz",
    "config.json",
    "data.npz",
    "learning_curve.png",
    "metrics.jsonl",
    "index.html",
    "network.png",
    "outputs.npz",
    "run.lock",
    "summary.json",
    "weights.json",
}
STEP_KEYS = {"event", "step", "epoch", "loss", "loss_se", "gradient_norm", "gradient_noise", "shots", "circuits"}
MINIMISED = ["vqe", "sampled"]
EPOCHS = dict.fromkeys(NAMES, 3) | {"sampled": 2}
DIAGNOSTIC_KEYS = (
    {"gap", "weyl_beta", "overlap", "chi", "chi_se", "surrogate_gap", "branch_jumps"}
    | {
        "residual",
        "evaluations",
        "unconverged",
        "contrast_error",
        "loss_approximate",
        "gradient_approximate",
        "warnings",
    }
    | {f"cost_{name}" for name in ("lower", "lower_se", "upper", "upper_se")}
)


def load(folder, name):
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_files(runs, name):
    """All of them, and nothing left half-written."""
    assert {path.name for path in (runs / name).iterdir()} == FILES


@pytest.mark.deep(but=["flowers"])
@pytest.mark.parametrize("name", NAMES)
def test_figures(drawn, qep, copied, name):
    """A finished run draws them again."""
    folder = copied(name)
    for path in folder.glob("*.png"):
        path.unlink()
    assert qep("resume", folder).code == 0
    found = {path.name: path.read_bytes() for path in folder.glob("*.png")}
    answers = set() if name == "aim" else {"confusion_matrix.png", "decision_map.png"}
    assert set(found) == {file for file in FILES if ".png" in file} | answers
    assert all(content.startswith(b"\x89PNG") and len(content) > 10_000 for content in found.values())


@pytest.mark.parametrize("name", NAMES)
def test_metrics(runs, records, name):
    """A line per step, a line per epoch, and one before the first epoch."""
    lines = records(runs / name)
    steps = [line for line in lines if line["event"] == "step"]
    epochs = [line for line in lines if line["event"] == "epoch"]
    assert len(steps) + len(epochs) == len(lines)
    assert [line["epoch"] for line in epochs] == list(range(EPOCHS[name] + 1))
    assert [line["step"] for line in steps] == list(range(1, len(steps) + 1))
    assert all(set(line) >= STEP_KEYS for line in steps)
    assert {key for line in steps for key in line} - STEP_KEYS - DIAGNOSTIC_KEYS == set()
    assert all(("gap" in line) == (name in EXACT_STATES) for line in steps)
    assert len(steps) == {"exact": 6, "circuits": 6, "flowers": 12, "aim": 3, "vqe": 6, "sampled": 4}[name]
    assert all(("residual" in line) == ("evaluations" in line) == (name in MINIMISED) for line in steps)


def reject(constant):
    raise ValueError(f"{constant} is not JSON")


@pytest.mark.parametrize("name", NAMES)
def test_metrics_are_json_with_times_that_only_grow(runs, name):
    text = (runs / name / "metrics.jsonl").read_text()
    assert text.endswith("}\n")
    seconds = [json.loads(line, parse_constant=reject)["seconds"] for line in text.splitlines()]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("name", NAMES)
def test_counters_only_grow_and_end_in_the_summary(runs, records, name):
    lines = records(runs / name)
    summary = load(runs / name, "summary.json")
    for counter in ("shots", "circuits"):
        counts = [line[counter] for line in lines]
        assert counts == sorted(counts)
        assert summary[counter] == counts[-1]


def test_shots_and_circuits_of_a_run(runs, records):
    """Four samples: one batch each for the first and the last look; per epoch one free and four nudged batches each."""
    epochs = [line for line in records(runs / "circuits") if line["event"] == "epoch"]
    assert [line["circuits"] for line in epochs] == [4, 24, 44, 64 + 4]
    assert [line["shots"] for line in epochs] == [20 * line["circuits"] for line in epochs]


@pytest.mark.parametrize("name", NAMES)
def test_summary_repeats_the_last_epoch(runs, records, name):
    last, summary = records(runs / name)[-1], load(runs / name, "summary.json")
    for key in ("train_loss", "train_loss_se", "train_accuracy", "test_loss", "test_accuracy"):
        assert summary[key] == last[key]
    assert (summary["epochs"], summary["steps"]) == (EPOCHS[name], last["step"])


@pytest.mark.parametrize("name", NAMES)
def test_weights_begin_where_the_configuration_says_and_end_in_the_checkpoint(runs, name):
    written = load(runs / name, "weights.json")
    experiment = from_file(runs / f"{name}.toml")
    layout = experiment.network.layout
    assert list(written) == list(layout.names)
    assert [weight["start"] for weight in written.values()] == layout.initial(experiment.seeds).tolist()
    with np.load(runs / name / "checkpoint.npz") as file:
        assert [weight["end"] for weight in written.values()] == file["weights"].tolist()
    assert any(weight["start"] != weight["end"] for weight in written.values())


@pytest.mark.parametrize("name", NAMES)
def test_config_is_kept_whole_with_versions(runs, name):
    kept = load(runs / name, "config.json")
    assert kept["config"] == from_file(runs / f"{name}.toml").config.resolved()
    assert {"qep_qiskit", "qiskit", "qiskit-aer", "numpy", "scipy"} < set(kept)


@pytest.mark.parametrize("name", ["exact", "circuits"])
def test_a_run_repeats_bit_for_bit(qep, runs, here, records, warm_start, name):
    assert qep("train", f"{name}.toml", "--out", "again").code == 0
    assert records("again") == records(runs / name)
    assert warm_start("again") == warm_start(runs / name)


def test_another_seed_gives_another_run(qep, runs, here, warm_start):
    qep("train", "exact.toml", "--out", "other", "--set", "seed=4")
    assert warm_start("other")["weights"] != warm_start(runs / "exact")["weights"]


def test_frozen_weights_stay_and_bounded_ones_keep_their_bounds(qep, here, settings):
    keep = settings("network.couplings={frozen=true}", "network.fields={frozen=['h[0]'], maximum=1.01, minimum=0.99}")
    assert qep("train", "exact.toml", "--out", "kept", *keep).code == 0
    weights = load(Path("kept"), "weights.json")
    assert all(weights[name]["start"] == weights[name]["end"] for name in ("J[0,1]", "h[0]"))
    assert weights["h[1]"]["start"] != weights["h[1]"]["end"]
    assert 0.99 <= weights["h[1]"]["end"] <= 1.01


def test_folders_are_numbered(qep, here):
    """A second run of the same file gets a folder of its own."""
    assert [qep("train", "exact.toml").out.splitlines()[-1] for _ in range(2)] == [
        "wrote runs/exact",
        "wrote runs/exact-2",
    ]
    assert {path.name for path in Path("runs").iterdir()} == {"exact", "exact-2"}


def test_table_at_the_end(qep, here):
    result = qep("train", "flowers.toml", "--out", "there")
    assert result.err == ""
    assert all(len(line) <= 80 for line in result.out.splitlines())
    for row in (r"epochs +3", r"steps +12", r"test accuracy +\d\.\d+ ± \d\.\d+", r"wrote there"):
        assert re.search(row, result.out)


def test_overrides_reach_the_run(qep, here, records, settings):
    qep("train", "exact.toml", "--out", "short", *settings("training.epochs=1", "measurement.shots=7", "name=brief"))
    config = load(Path("short"), "config.json")["config"]
    assert (config["training"]["epochs"], config["measurement"]["shots"], config["name"]) == (1, 7, "brief")
    assert records("short")[-1]["epoch"] == 1
    assert records("short")[-1]["shots"] == 7 * records("short")[-1]["circuits"]


@pytest.mark.parametrize("shots", [1, "'exact'"])
def test_extreme_shots(qep, here, records, shots):
    assert qep("train", "exact.toml", "--out", "run", "--set", f"measurement.shots={shots}").code == 0
    errors = [line["loss_se"] for line in records("run") if line["event"] == "step"]
    assert all(error == 0 if shots != 1 else error is None or error >= 0 for error in errors)


def test_explicit_links(qep, here):
    """Inputs linked one by one: only the named weights are there."""
    assert qep("train", "exact.toml", "--out", "run", "--set", "network.inputs.links=[[0, 0], [1, 1]]").code == 0
    assert [name for name in load(Path("run"), "weights.json") if name[0] == "W"] == ["W[0,0]", "W[1,1]"]


def test_learning(qep, here, settings):
    """Exact expectations on the flowers: the loss falls epoch after epoch."""
    sure = settings("measurement.shots='exact'", "training={epochs=8, batch_size=12}", "update.learning_rate=0.02")
    qep("train", "flowers.toml", "--out", "run", *sure)
    lines = [json.loads(line) for line in (here / "run/metrics.jsonl").read_text().splitlines()]
    losses = [line["train_loss"] for line in lines if line["event"] == "epoch"]
    assert losses[1] == losses[0]  # measured before the one step of the epoch
    assert losses[1:] == sorted(losses[1:], reverse=True)


@pytest.mark.deep
def test_terminal_is_not_needed_and_gets_no_control_codes(here, process):
    out, err = process("train", "exact.toml").communicate(timeout=60)
    assert err == ""
    assert "\x1b" not in out


def test_weights_beyond_all_scales_train_to_the_end(qep, here, settings):
    """Weights of 1e300 leave no excitation that signals could respond by; the gradient of it is zero, not an error."""
    result = qep(
        "train", "flowers.toml", "--out", "run", *settings("update.learning_rate=1e300", "measurement.shots=5")
    )
    assert result.code == 0, result.err
