"""Neural states on the command line: what is refused, in one line, before anything is written."""

import json
import sys

import pytest

KEYS = ("preparation={kind='neural'}", "contrast={kind='linear_response'}", "measurement.shots='exact'")

BAD = {
    "shots": (("measurement.shots=100",), "preparation.kind: 'neural' states are sampled by their Markov chains"),
    "test shots": (("measurement.test_shots=100",), "and no measurement.test_shots"),
    "samples": (("preparation.samples=100",), "preparation.samples: expected a multiple of 8 times the chains"),
    "automatic nudge": (("contrast.beta='auto'",), "'linear_response' has no nudges, which contrast.beta = 'auto'"),
    "a level": (("preparation.level=1",), "preparation.level: does not go with kind = 'neural'"),
    "classical": (("network.kind='classical_ising'",), "preparation.kind: 'neural' is for quantum networks"),
    "no extra": ((), "pip install 'qep_qiskit[neural]'"),
}


@pytest.mark.parametrize("case", BAD)
def test_one_line_and_nothing_written(case, refused, settings, monkeypatch):
    changed, message = BAD[case]
    if case == "no extra":
        monkeypatch.setitem(sys.modules, "netket", None)
    elif case == "automatic nudge":
        pytest.importorskip("netket")
    assert message in refused("train", "exact.toml", *settings(*KEYS, *changed))


WITH_NETKET = {
    "nudged": (("contrast.kind='symmetric'",), "contrast.kind: a neural state answers a nudge at beta = 0 only"),
    "imaginary": (
        (
            "network={kind='pauli', num_spins=2, outputs=[1], terms=[{pauli='Z0', input=0}, {pauli='Z1', input=1}, "
            "{pauli='Y0 X1', weight='a'}]}",
        ),
        "'Y0 X1' has an odd number of Y",
    ),
}


@pytest.mark.deep
def test_a_run_trains_evaluates_and_compares(qep, refused, here, settings):
    pytest.importorskip("netket")
    small = ("preparation={kind='neural', alpha=1, samples=512, chains=16}", "training.epochs=1")
    for changed, message in WITH_NETKET.values():
        assert message in refused("train", "exact.toml", *settings(*KEYS, *changed))
    assert qep("train", "exact.toml", *settings(*KEYS, *small), "--out", "run").code == 0
    lines = [json.loads(line) for line in (here / "run" / "metrics.jsonl").read_text().splitlines()]
    step = next(line for line in lines if line["event"] == "step")
    assert step["shots"] == 0
    assert step["gradient_noise"] > 0.0
    assert step["loss_se"] > 0.0
    compared = json.loads(qep("gradient", "run", "--sample", "1", "--compare", "exact", "--json").out)
    assert compared["cosine"] > 0.9
    assert "±" in qep("evaluate", "run").out
