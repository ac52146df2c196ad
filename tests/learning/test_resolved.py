"""Contrasts that residuals or rounding hide: right at small nudges by default, and told where they cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from warned import warns

from qep_qiskit.config import Experiment, from_file
from qep_qiskit.core.errors import UnresolvedContrastWarning
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements

CONFIGS = Path(__file__).parents[2] / "configs"
NOTHING_FOLLOWED = "nudged states have not followed the nudge"


def errors_of(config: str, beta: float, *texts: str) -> tuple[float, float]:
    """Relative error of a gradient against the exact one, and what the diagnostics say of it."""
    run: Experiment = from_file(CONFIGS / config, [f"contrast.beta={beta}", "measurement.shots='exact'", *texts])
    sample = run.task.train.take([1])
    weights = run.network.layout.initial(run.seeds)
    data = weights, sample.inputs, sample.targets
    estimator = replace(run.estimator, measures_free_cost=True)
    found = run_measurements(estimator.estimate(*data, RequestKey("test", 0)), run.executor)[0]
    level = getattr(run.config.preparation, "level", 0)
    known = {"reference": run.reference} if run.network.num_qubits == 0 else {"level": level}
    exact = exact_gradient(run.estimator.hamiltonian, *data, **known).gradient
    assert np.linalg.norm(exact) > 1e-3
    return float(np.linalg.norm(found.gradient - exact) / np.linalg.norm(exact)), found.diagnostics.contrast_error


@pytest.mark.deep(but=["0.001-symmetric-0", "1e-05-one_sided-1", "1e-09-four_point-0"])
@pytest.mark.parametrize("level", [0, 1])
@pytest.mark.parametrize("kind", ["symmetric", "one_sided", "four_point"])
@pytest.mark.parametrize("beta", [1e-3, 1e-4, 1e-5, 1e-7, 1e-9])
def test_tolerances_of_an_ansatz_follow_the_nudge(beta, kind, level):
    texts = "preparation={kind='variational'}", f"preparation.level={level}", f"contrast.kind='{kind}'"
    error, claimed = errors_of("xor.toml", beta, *texts)
    assert error < 1e-2
    assert claimed < 1e-2


@pytest.mark.parametrize("aim", ["{kind='loss'}", "{kind='operator', operator='squared_error'}"])
@pytest.mark.parametrize("kind", ["symmetric", "one_sided"])
@pytest.mark.parametrize("beta", [1e-4, 1e-8, 1e-11])
def test_tolerances_of_equilibria_follow_the_nudge(beta, kind, aim):
    error, claimed = errors_of("elastic.toml", beta, f"contrast.kind='{kind}'", f"cost={aim}")
    assert error < 1e-2
    assert claimed < 1e-2


@pytest.mark.parametrize(
    ("beta", "texts", "least", "most"),
    [
        (1e-5, ("preparation={kind='variational'}", "preparation.tolerance=1e-4"), 0.9, 1.1),
        (1e-4, ("preparation={kind='variational'}", "preparation.tolerance=1e-4"), 0.2, 0.7),
        (1e-5, ("preparation={kind='variational'}", "preparation.tolerance=1e-4", "preparation.level=1"), 0.9, 1.1),
        (1e-14, ("preparation={kind='variational'}",), 0.9, 2.0),
        (1e-14, ("preparation={kind='exact'}",), 0.05, 0.5),
    ],
)
def test_states_that_did_not_follow_are_told(beta, texts, least, most):
    """A nudge too small for the tolerance that was given, and one too small for rounding."""
    with warns(UnresolvedContrastWarning, NOTHING_FOLLOWED, detail="would determine it to 1 %"):
        error, claimed = errors_of("xor.toml", beta, *texts)
    assert least < claimed < most
    assert error == pytest.approx(claimed, rel=1.0)


def test_the_nudge_that_is_recommended_resolves():
    with warns(UnresolvedContrastWarning, NOTHING_FOLLOWED) as given:
        errors_of("xor.toml", 1e-5, "preparation={kind='variational'}", "preparation.tolerance=1e-4")
    wanted = float(given[0].detail.split("differ by ")[1].split()[0])
    error, claimed = errors_of("xor.toml", wanted, "preparation={kind='variational'}", "preparation.tolerance=1e-4")
    assert error < 0.02
    assert claimed < 0.02


def test_an_elastic_network_whose_given_tolerance_hides_the_nudge_is_told():
    texts = "preparation={kind='equilibrium', tolerance=1e-6}", "contrast.beta=1e-9"
    with warns(UnresolvedContrastWarning, NOTHING_FOLLOWED):
        error, claimed = errors_of("elastic.toml", 1e-9, *texts)
    assert error == pytest.approx(1.0, abs=0.1)
    assert claimed == pytest.approx(1.0, abs=0.1)
