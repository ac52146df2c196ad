"""A run goes on after its end, as if it had been begun with that many epochs."""

import json

import pytest

DECAY = ("update={kind='adam', decay='linear', final_fraction=0.1, learning_rate=0.2}",)


def weights(folder):
    return json.loads((folder / "weights.json").read_text())


@pytest.mark.parametrize("name", ["exact", "circuits"])
def test_a_finished_run_goes_on_as_one_that_was_begun_with_more(qep, here, settings, copied, warm_start, name):
    folder = copied(name)
    result = qep("resume", folder, "--epochs", 5)
    assert (result.code, result.err) == (0, "")
    assert qep("train", f"{name}.toml", "--out", "whole", *settings("training.epochs=5")).code == 0
    assert weights(folder) == weights(here / "whole")
    assert warm_start(folder) == warm_start(here / "whole")
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["epochs"], summary["steps"]) == (5, 10)
    assert "this run is finished" in qep("resume", folder).out
    assert weights(folder) == weights(here / "whole")


def test_a_rate_that_has_decayed_stays(qep, here, settings):
    """The planned decay and then its final value, not a second decay, and no jump back."""
    assert qep("train", "exact.toml", "--out", "run", *settings(*DECAY)).code == 0
    assert qep("resume", "run", "--epochs", 4).code == 0
    assert qep("resume", "run", "--epochs", 5).code == 0
    for out, more in (
        ("planned", ("training.epochs=5", "training.decay_epochs=3")),
        ("longer", ("training.epochs=5",)),
    ):
        assert qep("train", "exact.toml", "--out", out, *settings(*DECAY, "training.epochs=5", *more)).code == 0
    assert weights(here / "run") == weights(here / "planned") != weights(here / "longer")


@pytest.mark.parametrize("steps", [3, 7])
def test_stopped_before_or_after_the_end(qep, here, settings, stopped, copied, records, steps):
    """In the planned epochs and in the added ones; every line of metrics comes once."""
    if steps < 6:
        folder = stopped(here / "exact.toml", here / "halted", steps)
        assert qep("resume", folder, "--epochs", 5).code == 0
    else:
        folder = copied("exact")
        content = json.loads((folder / "config.json").read_text())
        assert qep("resume", folder, "--epochs", 4).code == 0
        assert qep("resume", folder, "--epochs", 5).code == 0
        assert json.loads((folder / "config.json").read_text())["config"]["training"]["epochs"] == 5
        assert content["config"]["training"]["epochs"] == 3
    assert qep("train", "exact.toml", "--out", "whole", *settings("training.epochs=5")).code == 0
    assert weights(folder) == weights(here / "whole")
    assert [(record["event"], record["step"]) for record in records(folder)] == [
        (record["event"], record["step"]) for record in records(here / "whole")
    ]


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        (2, "--epochs: expected more epochs in all than are done (3), got 2"),
        (0, "expected more epochs in all than are done (3)"),
    ],
)
def test_fewer_epochs_than_are_done(refused, copied, epochs, words):
    assert words in refused("resume", copied("exact"), "--epochs", epochs)


def test_a_folder_in_use(refused, copied):
    from qep_qiskit.core.files import hold

    folder = copied("exact")
    lock = hold(folder / "run.lock")
    assert "another process is working in this folder" in refused("resume", folder, "--epochs", 9)
    lock.release()
