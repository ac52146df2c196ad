"""Classical spins and Gibbs states through every command, and what they cannot do in one line."""

import json
import re

import numpy as np
import pytest
from cases import FAR_NUDGES

CLASSICAL, WHOLE = "network.kind='classical_ising'", "task.amplitude=1.0"
ANNEALER, OCEAN = "preparation={kind='annealer'}", "execution.backend='ocean:exact'"
THERMAL = "preparation={kind='thermal', temperature=0.5}"
FLUCTUATIONS = "contrast.kind='fluctuations'"
WAYS = {
    "search": (CLASSICAL, WHOLE),
    "annealing": (CLASSICAL, WHOLE, "preparation={kind='annealing', sweeps=20}"),
    "annealer": (CLASSICAL, WHOLE, ANNEALER, "execution.backend='ocean:simulated_annealing'"),
    "all reads": (
        CLASSICAL,
        "preparation={kind='annealer', answer='mean', reads=5, cold_temperature=0.5}",
        "execution.backend='ocean:simulated_annealing'",
        "measurement.shots=5",
    ),
    "quantum ramp": (CLASSICAL, "preparation={kind='adiabatic', total_time=4.0, steps=8}"),
    "thermal": (CLASSICAL, THERMAL),
    "fluctuations": (CLASSICAL, THERMAL, FLUCTUATIONS),
    "thermal quantum": (THERMAL,),
    "thermal quantum fluctuations": (THERMAL, FLUCTUATIONS, "measurement.shots='exact'"),
}
CERTAIN = {"search", "annealing", "annealer"}
OF_OCEAN = {"annealer", "all reads"}

pytestmark = FAR_NUDGES


@pytest.fixture
def flowers(settings):
    """Words of a call on the small configuration with data."""

    def call(way):
        if way in OF_OCEAN:
            pytest.importorskip("dwave.samplers")
        return ("flowers.toml", *settings(*WAYS[way]))

    return call


@pytest.mark.deep(but=["search", "annealer", "thermal", "thermal quantum fluctuations"])
@pytest.mark.parametrize("way", WAYS)
def test_training_evaluation_and_prediction(qep, here, flowers, way):
    result = qep("train", *flowers(way), "--out", "run")
    assert (result.code, result.err) == (0, "")
    summary = json.loads((here / "run" / "summary.json").read_text())
    assert np.isfinite(summary["train_loss"])
    exact = way in CERTAIN or "exact" in str(WAYS[way])
    assert (summary["shots"] == 0) == exact
    (here / "new.csv").write_text("length,width\n0.1,1\n0.7,-1\n")
    predicted = qep("predict", "run", "new.csv", "--json")
    assert predicted.code == 0, predicted.err
    outputs = np.array([row["outputs"] for row in predicted.object["predictions"]])
    assert outputs.shape == (2, 1)
    assert np.all(np.abs(outputs) == 1) == (way in CERTAIN)


@pytest.mark.parametrize("way", WAYS)
def test_gradient_beside_the_exact_one(qep, here, flowers, way):
    result = qep("gradient", *flowers(way), "--sample", 0, "--compare", "exact", "--json")
    assert result.code == 0, result.err
    rows = result.object["weights"]
    if way in CERTAIN:
        assert all(row["exact"] == 0 for row in rows)
        assert [row["gradient"] for row in rows] == [row["exact_contrast"] for row in rows]
    elif "fluctuations" in way and "quantum" not in way:
        assert all(abs(row["gradient"] - row["exact"]) < 5 * row["standard_error"] + 0.5 for row in rows)
    elif way == "thermal quantum fluctuations":
        assert [row["gradient"] for row in rows] == pytest.approx([row["exact"] for row in rows], abs=1e-10)


@pytest.mark.deep(but=["annealing"])
@pytest.mark.parametrize("way", ["annealing", "all reads", "fluctuations", "thermal quantum"])
def test_a_stopped_run_goes_on_to_the_same_end(survives_a_stop, flowers, way):
    flowers(way)
    survives_a_stop("flowers.toml", 3, WAYS[way])


def test_one_key_changes_the_network(qep, here):
    """The same file, the same data and starting couplings; only the fields are gone."""
    for kind in ("ising", "classical_ising"):
        assert qep("train", "exact.toml", "--set", f"network.kind={kind}", "--out", kind).code == 0
    quantum, classical = (
        json.loads((here / kind / "weights.json").read_text()) for kind in ("ising", "classical_ising")
    )
    starts = [{name: value["start"] for name, value in found.items()} for found in (quantum, classical)]
    assert {name: value for name, value in starts[0].items() if name[0] != "h"} == starts[1]
    assert len(starts[0]) == len(starts[1]) + 2


def test_fields_of_a_classical_network_are_told_to_be_unused(qep, here, settings):
    result = qep("train", "exact.toml", *settings(CLASSICAL, WHOLE, "network.fields.mean=2.0"), "--out", "run")
    assert result.code == 0
    assert "network.fields: a classical network has no transverse fields; the section is not used" in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("way", sorted(OF_OCEAN))
def test_an_annealer_has_no_circuits_and_no_plan(refused, flowers, way):
    assert "'annealer' has no circuits" in refused("circuits", *flowers(way))
    assert "runs no circuits, of which a plan counts the cost; execution.max_qpu" in refused("plan", *flowers(way))
    needs = "preparation.kind: 'annealer' needs an annealer"
    assert needs in refused("plan", *flowers(way), "--backend", "fake_torino")


@pytest.mark.parametrize("way", sorted({*WAYS} - OF_OCEAN - {"quantum ramp"}))
def test_there_are_no_circuits(refused, settings, way):
    kind = way if way == "annealing" else "exact" if way == "search" else "thermal"
    assert f"'{kind}' has no circuits" in refused("circuits", "exact.toml", *settings(*WAYS[way]))
    on_device = ("--backend", "fake_torino", *settings(*WAYS[way]))
    assert f"{kind} states are sampled without circuits" in refused("plan", "exact.toml", *on_device)


def test_circuits_of_a_classical_network_have_one_group(qep, here, settings):
    out = qep("circuits", "circuits.toml", *settings(CLASSICAL), "--out", "c").out
    assert "nudged_plus_Z" in out
    assert "_X" not in out
    assert re.search(r"J\[0,1\] +Z", out)


@pytest.mark.parametrize("way", sorted(CERTAIN - OF_OCEAN))
def test_certain_outcomes_have_no_budget(refused, settings, way):
    assert "there is no shot noise to budget" in refused("budget", "exact.toml", *settings(*WAYS[way]))


BAD = {
    "cold": (("preparation={kind='thermal', temperature=-1.0}",), "preparation.temperature: expected more than 0"),
    "no temperature": (("preparation={kind='thermal'}",), "preparation.temperature: this key is missing"),
    "quantum annealing": (("preparation={kind='annealing'}",), "'annealing' is for classical spins"),
    "no cold end": (
        (CLASSICAL, "preparation={kind='annealing', hot_temperature=1.0, cold_temperature=2.0}"),
        "preparation.cold_temperature: 2.0 is above hot_temperature 1.0",
    ),
    "level": ((CLASSICAL, "preparation={kind='annealing', level=1}"), "preparation.level: does not go with"),
    "fluctuations of ground states": ((FLUCTUATIONS,), "use preparation.kind = 'thermal'"),
    "fluctuations in shots": ((THERMAL, FLUCTUATIONS), "use measurement.shots = 'exact'"),
    "fluctuations by pilots": (
        (CLASSICAL, THERMAL, FLUCTUATIONS, "contrast.beta='auto'"),
        "'fluctuations' has no nudges, which contrast.beta = 'auto' would choose by",
    ),
    "an annealer without a backend": (
        (CLASSICAL, "preparation={kind='annealer'}"),
        "'annealer' needs an annealer; set execution.backend = 'ocean:simulated_annealing' or another 'ocean:...', got",
    ),
    "an annealer without an annealer": (
        (CLASSICAL, OCEAN),
        "'ocean:exact' anneals classical spins; set preparation.kind = 'annealer' and network.kind = 'classical_ising'",
    ),
    "quantum spins on an annealer": (
        (ANNEALER, OCEAN),
        "annealers are for classical spins, and network or cost hold 'X0'; use network.kind = 'classical_ising'",
    ),
    "reads of a search": (
        (CLASSICAL, "preparation={kind='annealer', answer='mean', reads=5}", OCEAN, "measurement.shots=5"),
        "'mean' needs a sampler that draws reads, and 'ocean:exact' lists every state once; use 'lowest'",
    ),
    "an unknown annealer": (
        (CLASSICAL, ANNEALER, "execution.backend='ocean:cold'"),
        "expected 'ocean:simulated_annealing', 'ocean:path_integral', 'ocean:steepest_descent', 'ocean:exact', "
        "'ocean:dwave', 'ocean:dwave:NAME' or 'ocean:package.module:factory', got 'ocean:cold'",
    ),
    "reads that are no shots": (
        (CLASSICAL, "preparation={kind='annealer', answer='mean', reads=7}", OCEAN),
        "'mean' takes every read as one shot; set measurement.shots = 7, the number of reads (got 20)",
    ),
    "a token in the options": (
        (CLASSICAL, ANNEALER, "execution={backend='ocean:dwave', backend_options={token='DEV-1'}}"),
        "backend_options: a token would be stored in the run folder; leave it out, and set DWAVE_API_TOKEN",
    ),
    "sweeps of a device": (
        (CLASSICAL, "preparation={kind='annealer', sweeps=7}", "execution.backend='ocean:dwave'"),
        "preparation.sweeps: goes with samplers of this machine",
    ),
    "no anneals": ((CLASSICAL, "preparation={kind='annealer', reads=0}", OCEAN), "reads: expected at least 1, got 0"),
    "pilots of certain spins": ((CLASSICAL, "contrast.beta='auto'"), "have no shot noise to weigh"),
    "noise": ((THERMAL, "execution.noise={readout=0.1}"), "thermal states are sampled without circuits"),
    "too many spins": (("network.num_spins=30", THERMAL), "simulating Gibbs states of 30 qubits does not fit"),
    "too many spins of a search": (
        (CLASSICAL, "network.num_spins=50"),
        "exact search among all states of 50 qubits does not fit",
    ),
    "too many states of an annealer": (
        (CLASSICAL, WHOLE, ANNEALER, OCEAN, "network.num_spins=50"),
        "execution.backend: the list of all states that the sampler 'exact' makes of 50 qubits does not fit in memory",
    ),
    "too many runs, which the first step refuses": (
        (CLASSICAL, WHOLE, "preparation={kind='annealing', restarts=1000000000000}"),
        "preparation.restarts: 4000000000000 runs need",
    ),
    "wrong kind": (
        ("network.kind='classic'",),
        "expected one of 'ising', 'classical_ising', 'pauli', 'oscillators', 'elastic', 'own', got 'classic'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_settings_are_one_line(refused, settings, case):
    texts, message = BAD[case]
    assert message in refused("train", "exact.toml", *settings(*texts), "--out", "run")


@pytest.mark.parametrize(
    ("backend", "texts", "message"),
    [
        ("steepest_descent", ("sweeps=7",), "preparation.sweeps: the sampler of execution.backend = 'ocean:steepest_"),
        ("steepest_descent", ("cold_temperature=1",), "preparation.cold_temperature: the sampler of"),
        ("exact", ("reads=7",), "preparation.reads: the sampler of execution.backend = 'ocean:exact' makes no use of"),
        ("path_integral", ("reverse=false", "reheat=0.3"), "preparation.reheat: goes with reverse = true"),
        ("simulated_annealing", ("reads=10000000000000",), "preparation.reads: 10000000000000 reads need"),
        ("simulated_annealing", ("h_range=[-1e-3, 1e-3]",), "preparation.h_range: a field (bias, inputs and nudge"),
    ],
)
def test_keys_that_a_sampler_cannot_follow(refused, settings, backend, texts, message):
    pytest.importorskip("dwave.samplers")
    keys = settings(CLASSICAL, WHOLE, ANNEALER, f"execution.backend='ocean:{backend}'")
    more = settings(*(f"preparation.{text}" for text in texts))
    assert message in refused("train", "exact.toml", *keys, *more, "--out", "run")


def test_refused_runs_of_a_sweep_leave_no_folder(qep, here, settings):
    texts = settings(CLASSICAL, WHOLE, "preparation={kind='annealing', restarts=1000000000000}")
    result = qep("sweep", "exact.toml", *texts, "--over", "seed=0,1", "--jobs", 1, "--out", "swept")
    assert "2 of 2 points failed" in result.err
    assert list((here / "swept" / "runs").iterdir()) == []


def test_budget_of_fluctuations(refused, settings):
    texts = settings(*WAYS["fluctuations"])
    assert "a budget is about nudges" in refused("budget", "exact.toml", *texts)
