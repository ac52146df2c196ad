"""Whether sampled states have followed the nudge: judged from slopes as exact states are from gradients."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NO_INPUTS
from variational_cases import KEY, contrast_of, entangled, family_of, prepare
from warned import warns

from qep_qiskit.core.errors import UnconvergedError, UnresolvedContrastWarning
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, StatevectorExecutor
from qep_qiskit.learning import Contrast, GradientEstimator
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import chain
from qep_qiskit.preparation import HardwareEfficient, VariationalPreparation
from qep_qiskit.preparation.energies import Problem, simulated_energies
from qep_qiskit.preparation.resolution import Hidden, contrast_error

CASE = entangled(chain(3), 3)


def spsa(iterations, ansatz=None, **options):
    settings = {"shots": None, "residual_directions": 8} | options
    return VariationalPreparation(
        ansatz=ansatz or HardwareEfficient(1),
        seeds=Seeds(1),
        energies="sampled",
        optimizer="spsa",
        options={"maxiter": iterations, "learning_rate": 0.1},
        **settings,
    )


def judged_exactly(family, states):
    """What the gradients of the very same states say."""

    def gradients(coefficients, points):
        nothing = np.zeros((len(points), 0, points.shape[1]))
        problem = Problem(groups=family.groups, coefficients=coefficients, lower=nothing)
        return simulated_energies(states.program, problem, np.arange(len(points)), points)[1]

    angles = states.parameters.reshape(family.num_samples, len(family.betas), -1)
    phases = [(family.free + beta * family.nudge, angles[:, p]) for p, beta in enumerate(family.betas)]
    residuals = np.stack([gradients(*phase) for phase in phases], axis=1)
    nudged = [points if beta else angles[:, -1] for beta, (_, points) in zip(family.betas, phases, strict=True)]
    forces = np.stack([gradients(family.nudge, points) for points in nudged], axis=1)
    return contrast_error(family.betas, residuals, forces)


def found_and_true(iterations, betas, repeats=12, **options):
    found = []
    for step in range(repeats):
        family = replace(family_of(CASE, betas), key=RequestKey("test", step))
        prepared_states, _ = prepare(spsa(iterations, **options), family)
        found.append((prepared_states.report.hidden, judged_exactly(family, prepared_states.states)))
    return found


@pytest.mark.deep(but=["3-100-3000-betas2"])
@pytest.mark.parametrize(
    ("iterations", "shots", "slope_shots", "betas"),
    [
        (3, None, None, (-0.3, 0.3)),
        (20, None, None, (0.0, 0.3)),
        (3, 100, 3_000, (0.0, 0.3)),
        (20, 100, 3_000, (-0.3, 0.3)),
        (20, 100, 3_000, (-0.6, -0.3, 0.3, 0.6)),
    ],
)
def test_slopes_say_of_sampled_states_what_gradients_would(iterations, shots, slope_shots, betas):
    """Within the standard error that they give: half of them within one, and few beyond two."""
    options = {"shots": shots, "residual_shots": slope_shots, "residual_directions": 32}
    pairs = found_and_true(iterations, betas, **options)
    pulls = np.array([(hidden.part**2 - true**2) / hidden.square_error for hidden, true in pairs])
    assert abs(np.median(pulls)) < 1.0
    assert np.mean(np.abs(pulls) < 2.0) >= 0.75
    assert np.abs(pulls).max() < 5.0


def test_an_optimiser_that_is_stopped_too_early_is_told():
    with warns(UnresolvedContrastWarning, "nudged states have not followed the nudge", detail="lags behind"):
        found = contrast_of(spsa(3), CASE)
    assert found.diagnostics.contrast_error > 0.5
    assert 0.0 < found.diagnostics.contrast_error_se < 0.5


def test_one_that_converged_is_quiet():
    found = contrast_of(spsa(200, HardwareEfficient(0)), entangled(chain(2), 3))
    assert found.diagnostics.contrast_error < 0.05


def test_states_that_shots_leave_beside_their_minima_are_told_apart_from_those_that_lag():
    with warns(UnresolvedContrastWarning, "in random directions") as given:
        estimate(spsa(150, shots=100, residual_shots=100_000), beta=0.1)
    assert [warning.severity for warning in given] == ["warning"]


def test_a_contrast_of_states_that_never_left_the_free_one_is_unknown(monkeypatch):
    """Equal angles need no shots to say so."""

    def nothing(name, options, start, *, simulated):
        return lambda ask: (start, len(ask("energy", start[None])))

    monkeypatch.setattr("qep_qiskit.preparation.minimisers.minimising_work", nothing)
    with warns(UnresolvedContrastWarning, "the gradient is unknown, not zero"):
        found = estimate(spsa(1, shots=10, residual_directions=0), beta=0.3)
    assert found.diagnostics.contrast_error == 1.0


@pytest.mark.parametrize("options", [{"residual_shots": 20}, {"residual_directions": 0}])
def test_what_shots_do_not_tell_is_said_with_the_key_that_would(options):
    with warns(UnresolvedContrastWarning, r"Raise preparation.residual_shots") as given:
        estimate(spsa(10, shots=200, **options), beta=0.3)
    assert [warning.severity for warning in given] == ["note"]


def test_slopes_have_shots_of_their_own_that_are_counted():
    """Slopes of two nudged and one free state, in 8 directions, both ways and in two groups."""
    family = family_of(CASE, (-0.3, 0.3))
    few, many = (prepare(spsa(2, shots=10, residual_shots=shots), family)[1] for shots in (None, 500))
    assert many.circuits == few.circuits
    assert many.shots - few.shots == 490 * 3 * 8 * 2 * 2


def test_a_hidden_contrast_stops_a_run_that_shall_stop():
    with pytest.raises(UnconvergedError, match="residuals hide"):
        prepare(spsa(3, on_unconverged="stop"), family_of(CASE, (-0.3, 0.3)))


def estimate(preparation, beta):
    estimator = GradientEstimator(
        hamiltonian=CASE.hamiltonian, preparation=preparation, contrast=Contrast(beta=beta), shots=100
    )
    return run_measurements(estimator.estimate(CASE.weights, NO_INPUTS, NO_INPUTS, KEY), StatevectorExecutor(Seeds(0)))[
        0
    ]


def test_a_part_of_any_size_has_an_error_bar():
    """Coefficients that ran away make parts whose squares overflow."""
    assert Hidden(part=3.0, square_error=7.0).standard_error == 1.0
    assert Hidden(part=1e200, square_error=1.0).standard_error == np.inf
