"""Questions to a finished run on a device: gradients, predictions and evaluations, priced, and asked for once."""

import contextlib
import io
import itertools

import pytest

pytest.importorskip("qiskit_ibm_runtime")

from ibm_runs import SETTINGS

from qep_qiskit.cli import main
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.device.ledger import JobLedger
from qep_qiskit.runs.trained import load_run


def entries(folder):
    return JobLedger.read(folder / "jobs.sqlite")


def test_gradients_and_predictions_of_a_run_are_asked_for_once(qep, service, here, settings):
    folder = here / "run"
    words = settings(*SETTINGS)
    assert qep("train", here / "circuits.toml", "--out", folder, *words).code == 0
    (here / "rows.csv").write_text("s0,s1\n0,1\n1,1\n")
    before = service.posts
    for question in (["gradient", folder, "--sample", "1"], ["predict", folder, here / "rows.csv"]):
        first = qep(*question, "--json")
        assert first.code == 0, first.err
        jobs = service.posts - before
        assert jobs > 0
        assert qep(*question, "--json").object == first.object
        assert service.posts == before + jobs
        before = service.posts
    assert qep("gradient", folder, "--sample", "2", "--json").code == 0
    assert service.posts > before
    assert {entry.state for entry in entries(folder)} == {"applied"}


def test_a_run_of_this_machine_is_measured_on_a_device_once(qep, service, here, settings):
    """Its jobs have a ledger of their own; other shots are another question, another limit is none."""
    folder = here / "run"
    assert qep("train", here / "circuits.toml", "--out", folder, *settings("training.epochs=1")).code == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.lock"}
    posts, found = [service.posts], []
    for text in ("execution.max_qpu_seconds=30", "execution.max_qpu_seconds=40", "measurement.shots=30"):
        words = settings("execution.backend=ibm_stand_in", text)
        result = qep("evaluate", folder, "--json", *words)
        assert result.code == 0, result.err
        found.append(result.object)
        posts.append(service.posts)
    assert found[0] == found[1]
    assert [later > earlier for earlier, later in itertools.pairwise(posts)] == [True, False, True]
    assert {path.name for path in folder.iterdir()} - set(before) >= {"jobs_ibm_stand_in.sqlite"}
    assert all((folder / name).read_bytes() == content for name, content in before.items())
    rows = qep("jobs", folder, "--json").object
    assert [row["ledger"] for row in rows] == ["jobs_ibm_stand_in.sqlite"] * posts[-1]
    assert {row["state"] for row in rows} == {"applied"}
    assert f"jobs of {folder}/jobs_ibm_stand_in.sqlite" in "".join(qep("jobs", folder).out.split("\n"))
    trained = load_run(folder, ["execution.backend=ibm_stand_in"])
    assert trained.evaluate().loss == found[0]["loss"]  # it is in the ledger
    with pytest.raises(ConfigError, match=r"this would send 1 job to ibm_stand_in, about .* give agree=print"):
        trained.predict([[1, 1]])
    prices = []
    assert trained.predict([[1, 1]], agree=prices.append).outputs.shape == (1, 1)
    assert prices[0].jobs == 1
    service.queue_polls = 10**6
    assert qep("evaluate", folder, *settings("execution.backend=ibm_stand_in", "measurement.shots=25")).code == 3
    last = qep("jobs", folder, "--json").object[-1]
    assert (last["state"], last["service"], last["position"]) == ("submitted", "waiting", 3)


@pytest.fixture
def questions(qep, service, here, settings):
    """A run with its first job sent, and two questions about it."""
    assert qep("train", here / "circuits.toml", "--out", here / "run", *settings(*SETTINGS)).code == 0
    (here / "rows.csv").write_text("s0,s1\n0,1\n1,1\n")
    return [("gradient", here / "run", "--sample", "1"), ("predict", here / "run", here / "rows.csv")]


def prices(found):
    """Lines of standard error but for warnings, which the outcomes of a few shots may give."""
    return [line for line in found.err.splitlines() if not line.startswith("qep: warning:")]


def test_a_question_says_its_price_before_anything_is_sent(qep, service, here, questions):
    service.remaining = 512
    for question in questions:
        before = entries(here / "run")
        (line,) = prices(qep(*question))
        new = [entry.description for entry in entries(here / "run")[len(before) :]]
        said = f"qep: ibm_stand_in: {len(new)} job{'s' * (len(new) > 1)}, {sum(own.executions for own in new):,} "
        said += f"executions, about {sum(own.estimated_seconds for own in new):.1f} QPU seconds; the account has 512 "
        assert line == said + "QPU seconds left"
        assert prices(qep(*question)) == []  # it is in the ledger


@pytest.mark.parametrize(("words", "typed", "sent"), [((), "n\n", 0), ((), "", 0), ((), "y\n", 1), (("--yes",), "", 1)])
def test_on_a_terminal_a_question_is_asked_about(qep, service, questions, monkeypatch, words, typed, sent):
    """On a terminal: both streams are."""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    before = service.posts
    for question in questions:
        monkeypatch.setattr("sys.stdin", Terminal(typed))
        out, err = io.StringIO(), Terminal()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(word) for word in (*question, *words)])
        assert code == (0 if sent else 130)
        assert ("send? [y/N]" in err.getvalue()) == (not words)
        assert ("qep: nothing was sent" in err.getvalue()) == (not sent)
    assert (service.posts > before) == bool(sent)
    assert sent or service.posts == before


def test_a_gradient_without_a_folder_has_no_ledger(refused, service, here, settings):
    said = refused("gradient", here / "circuits.toml", "--sample", "0", *settings(*SETTINGS))
    assert "'ibm_stand_in' needs the folder of a run" in said
    assert service.posts == 0
