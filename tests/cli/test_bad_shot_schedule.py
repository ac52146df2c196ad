"""Keys of shots and nudges that cannot be used: one line, exit code 2, nothing written."""

import pytest

from qep_qiskit.config import build
from qep_qiskit.config.load import load_config
from qep_qiskit.runs.other_settings import SETTINGS, with_settings

AUTO = "contrast.beta='auto'"
OPTIMAL = "measurement.allocation='optimal'"

RANGES = [
    ("contrast.beta='best'", "contrast.beta: expected"),
    ("contrast.beta=1e300", "contrast.beta: expected a magnitude from 1e-100 to 1e+100, got 1e+300"),
    ("contrast.beta=1e-300", "contrast.beta: expected a magnitude from 1e-100 to 1e+100, got 1e-300"),
    ("contrast.pilot.first_beta=1e300", "contrast.pilot.first_beta: expected at most 1e+100, got 1e+300"),
    ("measurement.shots=1e22", "measurement.shots: expected"),
    (f"measurement.shots={10**22}", "measurement.shots: expected at most 1e+15, got 10000"),
    (f"measurement.test_shots={10**22}", "measurement.test_shots: expected at most 1e+15, got 10000"),
    ("contrast.pilot.every=-1", "contrast.pilot.every: expected at least 0, got -1"),
    ("contrast.pilot.every=1.5", "contrast.pilot.every: expected a whole number, got 1.5"),
    ("contrast.pilot.levels=1", "contrast.pilot.levels: expected at least 2, got 1"),
    ("contrast.pilot.levels=13", "contrast.pilot.levels: expected at most 12, got 13"),
    ("contrast.pilot.first_beta=0", "contrast.pilot.first_beta: expected at least 1e-100, got 0"),
    ("contrast.pilot.first_beta=-0.1", "contrast.pilot.first_beta: expected at least 1e-100, got -0.1"),
    ("contrast.pilot.first_beta=nan", "contrast.pilot.first_beta: expected a finite number"),
    ("contrast.pilot=3", "contrast.pilot: expected"),
    ("contrast.pilot.level=3", "contrast.pilot.level: unknown key; did you mean 'levels'?"),
    ("measurement.allocation='best'", "measurement.allocation: expected 'equal' or 'optimal', got 'best'"),
    (
        "measurement.grouping='none'",
        "measurement.grouping: expected 'shared', 'qubit_wise', 'cover' or 'per_weight', got 'none'",
    ),
    ("measurement.adaptive=true", "measurement.adaptive: expected"),
    ("measurement.adaptive={growth=1.0}", "measurement.adaptive.growth: expected more than 1, got 1.0"),
    ("measurement.adaptive={max_shots=0}", "measurement.adaptive.max_shots: expected at least 1, got 0"),
    ("measurement.adaptive={max_shots=20.5}", "measurement.adaptive.max_shots: expected a whole number, got 20.5"),
    (
        "measurement.adaptive={signal_to_noise=-1}",
        "measurement.adaptive.signal_to_noise: expected at least 0, got -1",
    ),
    ("measurement.adaptive={max_shot=9}", "measurement.adaptive.max_shot: unknown key; did you mean 'max_shots'?"),
    ("measurement.adaptive={max_shots=19}", "measurement.adaptive.max_shots: expected at least measurement.shots (20)"),
]

EXACT = [
    ((AUTO,), "measurement.shots: contrast.beta = 'auto' weighs shot noise"),
    ((OPTIMAL,), "measurement.shots: measurement.allocation = 'optimal' weighs shot noise"),
    (("measurement.adaptive={growth=2.0}",), "measurement.shots: measurement.adaptive weighs shot noise"),
    ((AUTO, OPTIMAL, "measurement.adaptive={growth=2.0}"), "measurement.shots: contrast.beta = 'auto' weighs"),
]


@pytest.mark.parametrize(("setting", "words"), RANGES, ids=lambda text: text[:40])
def test_range(refused, setting, words):
    assert words in refused("train", "exact.toml", "--set", setting)


@pytest.mark.parametrize(("changes", "words"), EXACT)
def test_exact_expectations_have_no_shot_noise_to_weigh(refused, settings, changes, words):
    message = refused("train", "exact.toml", *settings("measurement.shots='exact'", *changes))
    assert words in message
    assert "expected a number of shots, got 'exact'" in message


def test_a_split_needs_shared_batches(refused, settings):
    message = refused("train", "exact.toml", *settings(OPTIMAL, "measurement.grouping='per_weight'"))
    assert "measurement.allocation: 'optimal' splits shots between shared batches" in message
    assert "use 'equal'" in message


@pytest.mark.deep(but=["exact-shared", "aim-qubit_wise"])
@pytest.mark.parametrize("grouping", ["shared", "qubit_wise", "per_weight"])
@pytest.mark.parametrize("config", ["exact", "aim"])
def test_what_goes_together_trains(qep, here, settings, grouping, config):
    """Operator cost and loss on expectations, with every grouping and all that a pilot may choose in it."""
    chosen = [AUTO, f"measurement.grouping='{grouping}'", "measurement.adaptive={max_shots=40}", "training.epochs=2"]
    chosen += [OPTIMAL] if grouping != "per_weight" else []
    assert qep("train", f"{config}.toml", "--out", here / "run", *settings(*chosen)).code == 0


@pytest.mark.parametrize("key", ["contrast.pilot.every=5", "contrast.pilot.levels=5", "contrast.pilot.first_beta=0.01"])
def test_keys_of_pilots_go_with_pilots(refused, qep, here, settings, key):
    message = refused("train", "exact.toml", *settings(key))
    assert f"{key.split('=')[0]}: goes with contrast.beta = 'auto' or measurement.allocation = 'optimal'" in message
    for pilots in (AUTO, OPTIMAL):
        assert qep("gradient", "exact.toml", "--sample", 0, *settings(key, pilots)).code == 0


@pytest.mark.parametrize("given", ["contrast.beta=0.2", "measurement.shots='exact'"])
def test_a_run_without_its_pilots_leaves_their_keys(here, given):
    pilots = AUTO if "beta" in given else OPTIMAL
    config = load_config(here / "exact.toml", ["contrast.pilot.every=5", pilots])
    build(with_settings(config, [given], SETTINGS))


def test_replicates_go_with_replicated_error_bars(refused, settings):
    message = refused("train", "exact.toml", *settings("measurement.replicates=5"))
    assert "measurement.replicates: goes with measurement.error_bars = 'replicated'; leave it out" in message
