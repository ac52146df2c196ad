import json

import pytest

pytest.importorskip("qiskit_ibm_runtime")

TORINO = ["--backend", "fake_torino"]


@pytest.fixture
def plan(qep, here, settings):
    """The JSON object of a plan on a snapshot."""

    def make(config, *texts):
        result = qep("plan", f"{config}.toml", *TORINO, "--json", *settings(*texts))
        assert (result.code, result.err) == (0, "")
        return result.object

    return make


def test_counts_are_those_that_a_run_writes_down(qep, here, settings, plan, tmp_path):
    """One epoch of training on ideal circuits: its metrics count what the plan foresees."""
    found = plan("circuits", "training.epochs=1", "training.evaluate_final=true")
    folder = tmp_path / "run"
    words = settings("training.epochs=1", "execution.backend='statevector'")
    assert qep("train", "circuits.toml", "--out", folder, *words).code == 0
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert (found["run"]["executions"], found["run"]["circuits"]) == (lines[-1]["shots"], lines[-1]["circuits"])
    steps = [line for line in lines if line["event"] == "step"]
    assert found["steps"] == len(steps)
    assert found["step"]["executions"] == steps[1]["shots"] - steps[0]["shots"]


def test_object(plan):
    found = plan("circuits")
    (program,) = found["programs"]
    assert found["device"] == "fake_torino"
    assert found["rep_delay"] == 250e-6
    assert len(set(program["qubits"])) == 2
    assert all(0 <= qubit < 133 for qubit in program["qubits"])
    assert 0 < program["signal"] < program["gate_signal"] < 1
    assert found["would_start"] == (found["run"]["qpu_seconds"] <= found["max_qpu_seconds"] == 60.0)
    assert found["remaining_seconds"] is None
    assert all(saving["qpu_seconds"] > 0 for saving in found["savings"])


def test_seconds_of_the_run_are_those_of_its_parts(plan):
    found = plan("circuits")
    assert sum(share["qpu_seconds"] for share in found["shot_fractions"]) == pytest.approx(found["run"]["qpu_seconds"])


def test_tables_hold_the_numbers_of_the_object(qep, here, plan):
    shown, found = qep("plan", "circuits.toml", *TORINO), plan("circuits")
    assert (shown.code, shown.err) == (0, "")
    assert all(len(line) <= 80 for line in shown.out.splitlines())
    (program,) = found["programs"]
    text = " ".join(shown.out.split())
    for wanted in (
        f"{found['run']['executions']:,}",
        f"physical qubits {', '.join(map(str, program['qubits']))}",
        f"two-qubit gates {program['two_qubit_gates']}",
        f"{found['run']['qpu_seconds']:,.1f}",
        "a crude estimate",
        "what would make it cheaper",
        "this run would not start" if not found["would_start"] else "this run would start",
    ):
        assert wanted in text


@pytest.mark.deep(but=["1.0-would not start"])
@pytest.mark.parametrize(("limit", "verdict"), [(1.0, "would not start"), (1e6, "would start")])
def test_the_limit_decides(qep, here, settings, limit, verdict):
    result = qep("plan", "circuits.toml", *TORINO, *settings(f"execution.max_qpu_seconds={limit}"))
    assert result.code == 0
    assert verdict in " ".join(result.out.split())


def test_backend_of_the_configuration_is_the_default(qep, here, settings):
    result = qep("plan", "circuits.toml", "--json", *settings("execution.backend='fake_manila'"))
    assert result.object["device"] == "fake_manila"


def test_counts_that_answers_decide_are_called_an_estimate(qep, here):
    assert "Counts are an estimate" in qep("plan", "sampled.toml", *TORINO).out
    assert "Counts are an estimate" not in qep("plan", "circuits.toml", *TORINO).out


def test_nothing_is_written(qep, here, plan):
    before = sorted(here.iterdir())
    plan("circuits")
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["circuits.toml"], "execution.backend: 'statevector' charges nothing; name a device with --backend"),
        (["circuits.toml", "--backend", "fake_nothing"], "there is no 'fake_nothing'; the nearest names are"),
        (
            ["circuits.toml", "--backend", "nonsense"],
            "execution.backend: expected 'aer', 'statevector'",
        ),
        (
            ["circuits.toml", "--backend", 'a"b'],
            "execution.backend: expected 'aer', 'statevector'",
        ),
        (["circuits.toml", *TORINO, "--set", "measurement.shots=exact"], "measurement.shots: a device has no exact"),
        (["exact.toml", *TORINO], "use preparation.kind = 'adiabatic'"),
        (["circuits.toml", *TORINO, "--set", "execution.max_qpu_seconds=0"], "execution.max_qpu_seconds: expected"),
        (["flowers.toml", "--backend", "statevector"], "execution.backend: 'statevector' charges nothing"),
        (  # before the data are read
            ["flowers.toml", "--set", "task.file='nowhere.csv'"],
            "execution.backend: 'statevector' charges nothing",
        ),
        (["nowhere.toml", *TORINO], "nowhere.toml: there is no such file"),
        (["circuits.toml", "--backend"], "expected one argument"),
    ],
)
def test_bad_input_is_one_line(qep, here, words, message):
    result = qep("plan", *words)
    assert (result.code, result.out) == (2, "")
    assert len(result.err.splitlines()) == 1
    assert message in result.err


@pytest.mark.deep
def test_registers_too_wide_to_simulate_have_a_plan(qep, here, settings, plan):
    """Their requests are counted as those of narrow ones are; only training simulates states, and is refused."""
    words = ("training.epochs=2", "network.graph='chain'", "preparation.steps=1", "measurement.shots=50")
    narrow, wide = (plan("circuits", *words, f"network.num_spins={spins}") for spins in (4, 60))
    assert len(wide["programs"][0]["qubits"]) == 60
    for part in ("jobs", "circuits", "executions"):
        assert wide["run"][part] == narrow["run"][part]
    assert wide["programs"][0]["signal"] < narrow["programs"][0]["signal"]
    assert wide["programs"][0]["two_qubit_depth"] == narrow["programs"][0]["two_qubit_depth"]
    refused = qep(
        "train", "circuits.toml", *settings(*words, "network.num_spins=60", "execution.backend='fake_torino'")
    )
    assert refused.code == 2
    assert "state vector simulation of 60 qubits does not fit" in refused.err
