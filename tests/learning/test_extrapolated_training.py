"""Training with extrapolated means: circuits counted, the price known to pilots, and the same runs when resumed."""

from dataclasses import replace

import numpy as np
import pytest
from chi_square import LIMIT, variance_p_value
from stopping import StopAtRequest

from qep_qiskit.config import build, check_config
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning.evaluation import evaluate
from qep_qiskit.learning.pilot import measure_pilot
from qep_qiskit.learning.shot_schedule import batches_per_group
from qep_qiskit.learning.state import load_state, save_state
from qep_qiskit.measurement import Extrapolation, run_measurements

CALIBRATION, SHOTS, EPOCHS, SAMPLES = 600, 50, 3, 4
ZNE = {"mitigation": {"noise_factors": [1, 3]}}
READOUT = {"readout": "calibrated", "calibration_shots": CALIBRATION, "calibrate_every": 1}
BOTH = {"mitigation": {"noise_factors": [1, 3], **READOUT}}


def experiment(**execution):
    content = {
        "seed": 3,
        "task": {"kind": "xor"},
        "network": {"graph": "chain", "num_spins": 2},
        "preparation": {"kind": "adiabatic", "steps": 6, "total_time": 2.0},
        "measurement": {"shots": SHOTS},
        "execution": {"noise": {"readout": 0.1, "two_qubit": 0.01}} | execution,
        "training": {"epochs": EPOCHS, "batch_size": 2},
    }
    return build(check_config(content, "run.toml"))


def test_every_circuit_runs_in_every_folding_and_is_counted():
    plain, zne, both = (experiment(**execution).trainer() for execution in ({"mitigation": {}}, ZNE, BOTH))
    for trainer in (plain, zne, both):
        trainer.run()
    assert (zne.state.shots, zne.state.circuits) == (2 * plain.state.shots, 2 * plain.state.circuits)
    assert both.state.shots == zne.state.shots + EPOCHS * 2 * CALIBRATION
    assert not np.array_equal(zne.weights, plain.weights)


@pytest.mark.deep
@pytest.mark.parametrize("execution", [BOTH, {**BOTH, "measured_circuits": True}])
def test_a_run_stopped_again_and_again_is_the_same(execution, tmp_path):
    """Answers are kept as they came, every folding by itself."""
    whole = experiment(**execution).trainer([StopAtRequest(0)])
    whole.run()
    state, outcome = None, "stopped"
    while outcome == "stopped":
        part = experiment(**execution).trainer([StopAtRequest(3)], state)
        outcome = part.run()
        save_state(tmp_path / "checkpoint.npz", part.state, "run")
        state = load_state(tmp_path / "checkpoint.npz", "run")
    assert np.array_equal(state.weights, whole.weights)
    assert (state.shots, state.circuits) == (whole.state.shots, whole.state.circuits)


def test_predictions_are_extrapolated_too():
    made = experiment(**ZNE)
    weights = made.network.layout.initial(made.seeds)
    found = evaluate(made.estimator, made.executor, weights, made.task.train, purpose="predict", index=0)
    assert (found.usage.circuits, found.usage.shots) == (2 * SAMPLES, 2 * SAMPLES * SHOTS)


@pytest.mark.deep
def test_error_bars_of_gradients_are_those_of_repeats():
    made = experiment(**ZNE)
    estimator = made.estimator
    weights, data = made.network.layout.initial(made.seeds), made.task.train
    found = [
        run_measurements(
            estimator.estimate(weights, data.inputs, data.targets, RequestKey("repeat", k)), made.executor
        )[0]
        for k in range(100)
    ]
    gradients, claimed = (np.array([getattr(one, name) for one in found]) for name in ("gradient", "variance"))
    assert variance_p_value(gradients, claimed.mean(axis=0)) > LIMIT
    longer = np.sum(np.square(estimator.extrapolation.coefficients))
    assert variance_p_value(gradients, claimed.mean(axis=0) / longer) < LIMIT


def test_pilots_see_the_larger_variance():
    """2.5 times that of a plain batch, less what the noise of the folded circuits adds; and twice the batches."""
    made = experiment(noise={"two_qubit": 0.001}, mitigation={})
    weights, data = made.network.layout.initial(made.seeds), made.task.train
    measured = []
    for extrapolation in (None, Extrapolation((1, 3))):
        estimator = replace(made.estimator, shots=20_000, extrapolation=extrapolation)
        given = (estimator, weights, data.inputs, data.targets, RequestKey("pilot", 0))
        pilot = run_measurements(
            measure_pilot(*given, beta=0.05, levels=2, trainable=np.ones(len(weights), bool)), made.executor
        )[0]
        measured.append((np.array(pilot.model.shot_variance), batches_per_group(estimator)))
    (plain, batches), (larger, more) = measured
    assert larger / plain == pytest.approx(np.full(len(plain), 2.5), rel=0.1)
    assert np.array_equal(more, 2 * batches)
