"""Noise beyond shots: what it adds, what mitigation takes, and what the two nudges have in common."""

import pytest
from cases import XOR_ON_TWO_SPINS

from qep_qiskit.budget.noise import cancellation_rows, noise_rows, noisy_setups
from qep_qiskit.budget.setup import setup_of
from qep_qiskit.budget.study import Study
from qep_qiskit.config import from_file
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.runs.processes import open_pool

CONFIG = """
seed = 3
[task]
kind = "xor"
[network]
graph = "complete"
num_spins = 2
[preparation]
kind = "adiabatic"
total_time = 4.0
steps = 16
[execution]
backend = "aer"
[execution.noise]
one_qubit = 0.002
two_qubit = 0.02
readout = 0.05
[budget]
samples = 2
shots = [200, 100_000]
betas = [0.1, 0.4]
contrasts = ["symmetric"]
repeats = 4
pilot_shots = 200
reference = "prepared"
[budget.noise]
calibration_shots = 1000
"""
ONE = """
[[budget.noise.mitigations]]
name = "readout"
readout = "calibrated"
"""
TWIRLED = """
[[budget.noise.mitigations]]
name = "twirled"
readout = "twirled"
"""


def experiment_of(folder, text):
    path = folder / "noisy.toml"
    path.write_text(text)
    return from_file(path)


def study_of(experiment):
    setup = setup_of(experiment, experiment.network.layout.initial(experiment.seeds))
    setups = noisy_setups(setup, experiment.config)
    with open_pool(1) as pool:
        study = Study(setup=setup, config=experiment.config.budget, pool=pool)
        return setups, noise_rows(study, setups), cancellation_rows(study, setups), study


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    return experiment_of(tmp_path_factory.mktemp("config"), CONFIG + ONE)


@pytest.fixture(scope="module")
def studied(experiment):
    return study_of(experiment)


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """With the mitigations that are compared where none are given."""
    return study_of(experiment_of(tmp_path_factory.mktemp("config"), CONFIG))


def point(rows, name, beta, shots):
    (found,) = [row for row in rows if (row["execution"], row["beta"], row["shots"]) == (name, beta, shots)]
    return found


NAMES = ("ideal", "noisy", "noisy, readout")
ALL_NAMES = (*NAMES, "noisy, zne", "noisy, readout and zne")


def test_every_setup_has_the_same_grid(studied):
    _, rows, _, _ = studied
    grid = [(beta, shots) for beta in (0.1, 0.4) for shots in (200, 100_000)]
    found = [(row["execution"], row["beta"], row["shots"]) for row in rows]
    assert found == [(name, *place) for name in NAMES for place in grid]
    assert {row["signals"] for row in rows} == {"known"}


def test_noise_adds_a_bias_and_mitigation_takes_some_of_it(studied):
    _, rows, _, _ = studied
    ideal, noisy, mitigated = (
        point(rows, name, 0.1, 100_000)["bias_low" if name == "noisy" else "bias"] for name in NAMES
    )
    assert noisy > 2 * ideal
    assert mitigated < point(rows, "noisy", 0.1, 100_000)["bias"]


def test_mitigation_costs_shots_and_circuits(studied):
    """Two calibration circuits beside those of the gradient."""
    _, rows, _, _ = studied
    plain, mitigated = (point(rows, name, 0.4, 200) for name in NAMES[1:])
    assert mitigated["circuits"] > plain["circuits"]
    assert mitigated["total_shots"] == plain["total_shots"] + 1000 * (mitigated["circuits"] - plain["circuits"])
    assert point(rows, "ideal", 0.4, 200)["total_shots"] == plain["total_shots"]
    assert mitigated["std"] > plain["std"] * 0.8


def test_errors_of_weak_nudges_are_common(studied):
    """Independent errors would give sqrt(2); they differ in proportion to beta."""
    _, _, rows, _ = studied
    assert [(row["execution"], row["beta"]) for row in rows] == [(name, b) for name in NAMES[1:] for b in (0.1, 0.4)]
    for row in rows:
        assert row["common"] == pytest.approx(row["error_of_difference"] / row["error"])
    for name in NAMES[1:]:
        weak, strong = (row["common"] for row in rows if row["execution"] == name)
        assert weak < 0.4
        assert 2 < strong / weak < 5


def test_no_noise_gives_no_error(studied):
    setups, _, _, study = studied
    with open_pool(1) as pool:
        own = Study(setup=study.setup, config=study.config, pool=pool)
        same = {"ideal": setups["ideal"], "ideal again": setups["ideal"]}
        rows = cancellation_rows(own, same)
    assert [row["error"] for row in rows] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert [row["error_of_difference"] for row in rows] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert [row["common"] for row in rows] == [0.0, 0.0]


def test_setups(studied, experiment):
    setups, _, _, _ = studied
    assert tuple(setups) == NAMES
    assert len({setup.digest for setup in setups.values()}) == 3
    assert setups["ideal"].config["execution"]["noise"] is None
    readout = [setups[name].config["execution"]["mitigation"]["readout"] for name in NAMES[1:]]
    assert readout == ["none", "calibrated"]


@pytest.mark.deep
def test_every_mitigation_of_the_default_list_is_compared(compared):
    setups, rows, cancellation, _ = compared
    assert tuple(setups) == ALL_NAMES
    assert list(dict.fromkeys(row["execution"] for row in rows)) == list(ALL_NAMES)
    assert list(dict.fromkeys(row["execution"] for row in cancellation)) == list(ALL_NAMES[1:])
    sections = [setups[name].config["execution"]["mitigation"] for name in ALL_NAMES[2:]]
    assert [(one["readout"], one["noise_factors"]) for one in sections] == [
        ("calibrated", []),
        ("none", [1, 3]),
        ("calibrated", [1, 3]),
    ]
    assert [one["calibration_shots"] for one in sections] == [1000, None, 1000]


def test_each_kind_of_error_is_taken_by_its_own_mitigation(compared):
    """Gates and readout both bias the gradient; what takes out both leaves the least."""
    _, rows, _, _ = compared
    raw, readout, zne, both = (point(rows, name, 0.1, 100_000)["bias"] for name in ALL_NAMES[1:])
    assert both < min(readout, zne)
    assert max(readout, zne) < raw
    spread = {name: point(rows, name, 0.1, 100_000)["std"] for name in ALL_NAMES[1:]}
    assert spread["noisy, zne"] > 1.2 * spread["noisy"]


def test_folded_circuits_and_calibrations_are_counted(compared):
    _, rows, _, _ = compared
    plain, readout, zne, both = (point(rows, name, 0.4, 200) for name in ALL_NAMES[1:])
    calibration = readout["total_shots"] - plain["total_shots"]
    assert calibration == 2000
    assert (zne["total_shots"], zne["circuits"]) == (2 * plain["total_shots"], 2 * plain["circuits"])
    assert both["total_shots"] == 2 * plain["total_shots"] + calibration


def test_two_mitigations_of_one_name_are_refused(tmp_path):
    twice = experiment_of(tmp_path, CONFIG + ONE + ONE)
    setup = setup_of(twice, twice.network.layout.initial(twice.seeds))
    with pytest.raises(ConfigError, match=r"budget\.noise\.mitigations: two are named 'readout'"):
        noisy_setups(setup, twice.config)


def test_twirled_readout_is_studied_if_that_is_asked_for(tmp_path):
    setups, rows, cancellation, _ = study_of(experiment_of(tmp_path, CONFIG + TWIRLED))
    assert setups["noisy, twirled"].config["execution"]["mitigation"]["readout"] == "twirled"
    plain, mitigated = (point(rows, name, 0.4, 200) for name in ("noisy", "noisy, twirled"))
    assert mitigated["total_shots"] == plain["total_shots"] + 1000 * (mitigated["circuits"] - plain["circuits"])
    raw, without = (point(rows, name, 0.1, 100_000)["bias"] for name in ("noisy", "noisy, twirled"))
    assert without < raw
    before, after = (
        sum(row["error"] for row in cancellation if row["execution"] == name) for name in ("noisy", "noisy, twirled")
    )
    assert after < before


def test_decoherence_of_a_ramp_has_no_mitigation_by_default(tmp_path):
    gates = "one_qubit = 0.002\ntwo_qubit = 0.02\nreadout = 0.05"
    ramp = experiment_of(tmp_path, CONFIG.replace(gates, "dephasing_rate = 0.01"))
    setup = setup_of(ramp, ramp.network.layout.initial(ramp.seeds))
    setups = noisy_setups(setup, ramp.config)
    assert list(setups) == ["ideal", "noisy"]
    assert setups["noisy"].config["execution"]["noise"]["dephasing_rate"] == 0.01
    assert setups["ideal"].config["execution"]["noise"] is None


def test_exact_states_see_no_noise(tmp_path):
    path = tmp_path / "exact.toml"
    path.write_text(XOR_ON_TWO_SPINS)
    exact = from_file(path)
    setup = setup_of(exact, exact.network.layout.initial(exact.seeds))
    with pytest.raises(ConfigError, match="exact states are sampled without circuits"):
        noisy_setups(setup, exact.config)
