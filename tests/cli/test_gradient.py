import json

import numpy as np
import pytest

KEYS = {"name", "value", "gradient", "standard_error"}
EXACT = ["preparation={kind='exact'}", "measurement.shots='exact'"]
ADIABATIC = ["preparation={kind='adiabatic', total_time=40.0, steps=400}", "measurement.shots='exact'"]
CONFIGS = ["circuits", "flowers", "aim"]


@pytest.fixture
def gradient(qep, here, settings):
    """The JSON object of a gradient."""

    def measure(config, *texts, sample=1, compare=False):
        words = ["--compare", "exact"] if compare else []
        result = qep("gradient", f"{config}.toml", "--sample", sample, "--json", *words, *settings(*texts))
        assert result.code == 0
        told = [line.split(": ")[2] for line in result.err.splitlines()]
        assert set(told) <= {"NudgeBeyondGapWarning", "NoisyGradientWarning"}  # few shots are few
        return result.object

    return measure


def column(found, name):
    return np.array([weight[name] for weight in found["weights"]], dtype=float)


def pulls_of(noisy, ideal):
    """Deviations in standard errors, of the weights that have one (an input of zero leaves none)."""
    errors = column(noisy, "standard_error")
    deviations = column(noisy, "gradient") - column(ideal, "gradient")
    assert np.allclose(deviations[errors == 0], 0, atol=1e-12)
    return deviations[errors > 0] / errors[errors > 0]


def test_object(gradient):
    found = gradient("circuits")
    assert {"cost", "circuits", "shots", "weights"} <= set(found)
    assert all(set(weight) >= KEYS for weight in found["weights"])
    names = ["J[0,1]", "h[0]", "h[1]", "b[0]", "b[1]", "W[0,0]", "W[0,1]", "W[1,0]", "W[1,1]"]
    assert [weight["name"] for weight in found["weights"]] == names


@pytest.mark.parametrize(("kind", "batches"), [("one_sided", 4), ("symmetric", 5), ("four_point", 9)])
@pytest.mark.parametrize("shots", [1, 20])
def test_circuits_and_shots(gradient, kind, batches, shots):
    """The free outputs (and X where a contrast needs it), then two groups in every nudged phase."""
    found = gradient("circuits", f"contrast.kind='{kind}'", f"measurement.shots={shots}")
    assert (found["circuits"], found["shots"]) == (batches, batches * shots)


def test_exact_values_cost_no_shots_and_have_no_errors(gradient):
    found = gradient("circuits", "measurement.shots='exact'")
    assert found["shots"] == 0
    assert not column(found, "standard_error").any()
    assert found["cost_standard_error"] == 0


def test_one_shot_has_no_error_of_its_own(gradient):
    found = gradient("circuits", "measurement.shots=1")
    assert all(weight["standard_error"] is None for weight in found["weights"])


@pytest.mark.parametrize("config", ["flowers", "circuits"])
def test_exact_gradient_is_the_slope_of_the_cost(gradient, config):
    """Central differences of the printed cost along every weight, through the configuration."""
    found, step = gradient(config, *EXACT, compare=True), 1e-4
    sections = {"J": "couplings", "h": "fields", "b": "biases", "W": "inputs"}
    for weight in found["weights"]:
        place = f"network.{sections[weight['name'][0]]}.values"
        up, down = (
            gradient(config, *EXACT, f"{place}={{'{weight['name']}' = {weight['value'] + shift!r}}}")["cost"]
            for shift in (step, -step)
        )
        assert (up - down) / (2 * step) == pytest.approx(weight["exact"], abs=1e-6)


@pytest.mark.parametrize("config", CONFIGS)
def test_small_nudges_give_the_exact_gradient(gradient, config):
    found = gradient(config, *EXACT, "contrast.beta=0.001", sample=0, compare=True)
    assert column(found, "gradient") == pytest.approx(column(found, "exact"), abs=1e-4)
    assert found["relative_error"] < 1e-4
    assert found["cosine"] == pytest.approx(1, abs=1e-8)
    assert found["exact_cost"] == pytest.approx(found["cost"], abs=1e-9)


@pytest.mark.parametrize("config", CONFIGS)
def test_slow_ideal_circuits_give_the_contrast_of_exact_states(gradient, config):
    found = gradient(config, *ADIABATIC, sample=0, compare=True)
    assert column(found, "gradient") == pytest.approx(column(found, "exact_contrast"), abs=0.02)


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", ["one_sided", "symmetric", "four_point"])
def test_shots_agree_with_the_ideal_circuits_within_their_errors(gradient, config, kind):
    """Every weight within 4.5 standard errors."""
    ideal = gradient(config, f"contrast.kind='{kind}'", "measurement.shots='exact'", sample=0)
    noisy = gradient(config, f"contrast.kind='{kind}'", "measurement.shots=20000", sample=0)
    assert 0 < np.abs(pulls_of(noisy, ideal)).max() < 4.5


def test_pulls_over_many_seeds_have_unit_spread(gradient):
    """40 independent gradients at the same weights: chi-square of 40, within five of its standard deviations."""
    start = iter(column(gradient("circuits"), "value").tolist())
    sizes = {"couplings": 1, "fields": 2, "biases": 2, "inputs": 4}
    fixed = [f"network.{name}.values={[next(start) for _ in range(size)]}" for name, size in sizes.items()]
    ideal = gradient("circuits", "measurement.shots='exact'", *fixed)
    runs = [gradient("circuits", "measurement.shots=2000", f"seed={seed}", *fixed) for seed in range(40)]
    squares = np.array([pulls_of(run, ideal) ** 2 for run in runs]).sum(axis=0)
    assert np.all(np.abs(squares - 40) < 5 * np.sqrt(80))


def test_comparison_adds_its_columns(gradient):
    found = gradient("circuits", "measurement.shots=200", compare=True)
    assert {"exact_cost", "relative_error", "cosine"} <= set(found)
    for weight in found["weights"]:
        deviation = weight["gradient"] - weight["exact"]
        assert weight["pull"] * weight["standard_error"] == pytest.approx(deviation)


def test_measured_circuits_agree_with_ideal_ones(gradient):
    ideal = gradient("circuits", "measurement.shots='exact'")
    noisy = gradient("circuits", "measurement.shots=20000", "execution.measured_circuits=true")
    assert 0 < np.abs(pulls_of(noisy, ideal)).max() < 4.5


def test_a_gradient_repeats(gradient):
    assert gradient("circuits") == gradient("circuits")
    assert gradient("circuits") != gradient("circuits", sample=2)


def test_gradient_of_a_run_is_at_its_weights(qep, copied):
    folder = copied("circuits")
    found = qep("gradient", folder, "--sample", 0, "--json").object
    end = [weight["end"] for weight in json.loads((folder / "weights.json").read_text()).values()]
    assert [weight["value"] for weight in found["weights"]] == end


@pytest.mark.parametrize("compare", [[], ["--compare", "exact"]])
def test_table_holds_the_numbers_of_the_object(qep, here, gradient, compare):
    shown = qep("gradient", "circuits.toml", "--sample", 1, *compare).out
    found = gradient("circuits")
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert f"{found['circuits']} circuits, {found['shots']} shots" in shown
    for weight in found["weights"]:
        row = next(line.split() for line in shown.splitlines() if weight["name"] in line)
        assert row[1:3] == [f"{weight['value']:+.5f}", f"{weight['gradient']:+.5f}"]


def test_fixed_weights_are_marked(qep, here, settings):
    choice = settings("network.fields.frozen=true")
    found = qep("gradient", "exact.toml", "--sample", 0, "--json", *choice).object
    fixed = {weight["name"] for weight in found["weights"] if not weight["trainable"]}
    assert fixed == {"h[0]", "h[1]"}
    assert "h[0] (fixed)" in qep("gradient", "exact.toml", "--sample", 0, *choice).out


def test_finite_differences_stand_beside_the_gradient(qep, here, settings):
    words = ("gradient", "circuits.toml", "--sample", 1, "--compare", "finite-difference")
    found = qep(*words, "--json").object
    slow = qep(*words, "--json", *settings(*EXACT, "contrast.kind='four_point'", "contrast.beta=0.02")).object
    assert slow["relative_error"] < 1e-4
    assert slow["finite_difference_agrees"] is True
    assert (slow["finite_difference_shots"], slow["idle"]) == (None, [])
    for weight in found["weights"]:
        deviation = weight["gradient"] - weight["finite_difference"]
        assert weight["pull"] * np.hypot(weight["standard_error"], weight["finite_difference_error"]) == pytest.approx(
            deviation
        )
    shown = qep(*words).out
    assert "finite diff." in shown
    assert f"{found['weights'][0]['finite_difference']:+.5f}" in shown
    assert "against finite differences of the reported cost: relative error" in shown


def test_finite_differences_find_a_ramp_that_is_too_fast(qep, here, settings):
    """The contrast of states that are no eigenstates is not the derivative of their cost."""
    words = settings("measurement.shots='exact'", "preparation.total_time=0.5", "preparation.steps=2")
    result = qep("gradient", "circuits.toml", "--sample", 1, "--compare", "finite-difference", *words)
    assert "the gradient is not that of the reported cost" in " ".join(result.out.split())


@pytest.mark.parametrize(
    ("config", "setting", "said"),
    [
        ("sampled", "seed=1", "set preparation.energies = 'simulated'"),
        ("circuits", "execution.backend='ibm_nowhere'", "too many for a device"),
    ],
)
def test_finite_differences_are_refused_where_they_mean_nothing(refused, settings, config, setting, said):
    words = ("--compare", "finite-difference", *settings(setting))
    assert said in refused("gradient", f"{config}.toml", "--sample", 0, *words)
