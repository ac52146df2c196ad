"""Training with mitigation: calibrations and foldings are counted, and a run that is resumed ends as the whole one."""

from dataclasses import replace

import numpy as np
import pytest
from chi_square import LIMIT, variance_p_value

from qep_qiskit.config import build, check_config
from qep_qiskit.execution import ReadoutErrors, RequestKey
from qep_qiskit.learning import Callback
from qep_qiskit.learning.evaluation import evaluate
from qep_qiskit.learning.pilot import measure_pilot
from qep_qiskit.learning.shot_schedule import batches_per_group
from qep_qiskit.learning.state import load_state, save_state
from qep_qiskit.measurement import Extrapolation, run_measurements

CALIBRATION, SHOTS, EPOCHS, SAMPLES = 600, 50, 3, 4
FLIPPED = 0.1
READOUT = {"readout": "calibrated", "calibration_shots": CALIBRATION, "calibrate_every": 1}
ZNE = {"mitigation": {"noise_factors": [1, 3]}}
BOTH = {"mitigation": {"noise_factors": [1, 3], **READOUT}}


def experiment(**execution):
    noise = {"noise": {"readout": FLIPPED, "two_qubit": 0.01}}
    content = {
        "seed": 3,
        "task": {"kind": "xor"},
        "network": {"graph": "chain", "num_spins": 2},
        "preparation": {"kind": "adiabatic", "steps": 6, "total_time": 2.0},
        "measurement": {"shots": SHOTS},
        "execution": noise | {"mitigation": READOUT} | execution,
        "training": {"epochs": EPOCHS, "batch_size": 2},
    }
    return build(check_config(content, "run.toml"))


class Watch(Callback):
    """Notes requests and records; stops the trainer after some requests."""

    def __init__(self, stop_after=None):
        self.left, self.records, self.calibrations = stop_after, [], []

    def on_request(self, trainer):
        self.calibrations.append(set(trainer.state.calibrations))
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                trainer.request_stop()

    def on_step(self, trainer, record):
        self.records.append({key: value for key, value in record.items() if key != "seconds"})

    on_epoch = on_step

    def on_end(self, trainer, outcome):
        self.outcome = outcome


@pytest.fixture(scope="module")
def whole():
    watch = Watch()
    trainer = experiment().trainer([watch])
    assert trainer.run() == "finished"
    return trainer, watch


def test_every_epoch_calibrates_once_and_counts_it(whole):
    trainer, _ = whole
    plain = experiment(mitigation={}).trainer()
    plain.run()
    assert trainer.state.shots - plain.state.shots == EPOCHS * 2 * CALIBRATION
    assert trainer.state.circuits - plain.state.circuits == EPOCHS * 2


def test_calibrations_of_epochs_differ_and_show_the_noise():
    found = []

    class Collect(Watch):
        def on_step(self, trainer, record):
            found.append(*trainer.state.calibrations.values()) if trainer.state.calibrations else None

    experiment().trainer([Collect()]).run()
    flips = np.array([errors.flip_probabilities for errors in found if isinstance(errors, ReadoutErrors)])
    sigma = np.sqrt(FLIPPED * (1 - FLIPPED) / CALIBRATION)
    assert (np.abs(flips - FLIPPED) < 5 * sigma).all()
    assert len(np.unique(flips[:, 0, 0])) > 1


@pytest.mark.deep(but=["3"])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_a_run_stopped_again_and_again_is_the_same(whole, every, tmp_path):
    assert_same_in_parts(*whole, every, tmp_path)


@pytest.mark.deep
@pytest.mark.parametrize(("every", "calibrations"), [(2, 2), (3, 1), (None, 1)])
def test_a_calibration_holds_for_some_epochs(every, calibrations, tmp_path):
    """Those of epochs 0 and 2 where every is 2; also in a run that is stopped after every or every other request."""
    mitigation = {"readout": "calibrated", "calibration_shots": CALIBRATION, "calibrate_every": every}
    watch = Watch()
    trainer = experiment(mitigation=mitigation).trainer([watch])
    trainer.run()
    plain = experiment(mitigation={}).trainer()
    plain.run()
    assert trainer.state.shots - plain.state.shots == calibrations * 2 * CALIBRATION
    assert trainer.state.circuits - plain.state.circuits == calibrations * 2
    assert_same_in_parts(trainer, watch, calibrations, tmp_path, mitigation=mitigation)


def test_bits_of_measured_circuits_are_kept_too(tmp_path):
    watch = Watch()
    trainer = experiment(measured_circuits=True).trainer([watch])
    trainer.run()
    assert_same_in_parts(trainer, watch, 4, tmp_path, measured_circuits=True)


@pytest.mark.deep
@pytest.mark.parametrize("measured_circuits", [False, True])
def test_twirled_readout_survives_stops_too(measured_circuits, tmp_path):
    mitigation = {"readout": "twirled", "calibration_shots": CALIBRATION, "calibrate_every": 1, "randomizations": 8}
    how = {"measured_circuits": measured_circuits, "mitigation": mitigation}
    watch = Watch()
    trainer = experiment(**how).trainer([watch])
    trainer.run()
    plain = experiment(mitigation={}).trainer()
    plain.run()
    assert trainer.state.shots - plain.state.shots == EPOCHS * CALIBRATION
    assert trainer.state.circuits - plain.state.circuits == EPOCHS
    assert_same_in_parts(trainer, watch, 4, tmp_path, **how)


def assert_same_in_parts(trainer, watch, every, tmp_path, **execution):
    """Run to the end in stops of some requests, each part from the checkpoint of the last."""
    state, records = None, []
    for _ in range(100):
        part = Watch(stop_after=every)
        resumed = experiment(**execution).trainer([part], state)
        outcome = resumed.run()
        records += part.records
        save_state(tmp_path / "checkpoint.npz", resumed.state, "run")
        state = load_state(tmp_path / "checkpoint.npz", "run")
        if outcome == "finished":
            break
    assert np.array_equal(state.weights, trainer.weights)
    assert (state.shots, state.circuits) == (trainer.state.shots, trainer.state.circuits)
    assert records == watch.records


def test_predictions_calibrate_too(whole):
    trainer, _ = whole
    made = experiment()
    found = evaluate(made.estimator, made.executor, trainer.weights, made.task.train, purpose="predict", index=0)
    assert found.usage.circuits == SAMPLES + 2
    assert found.usage.shots == SAMPLES * SHOTS + 2 * CALIBRATION
    raw = replace(made.estimator, mitigation=None)
    other = evaluate(raw, made.executor, trainer.weights, made.task.train, purpose="predict", index=0)
    stretched = found.outputs / other.outputs
    assert (np.abs(stretched[np.abs(other.outputs) > 0.2] - 1 / (1 - 2 * FLIPPED)) < 0.2).all()
    assert (found.output_errors > other.output_errors).all()


def test_predictions_under_flips_are_stretched_alike(whole):
    trainer, _ = whole
    made = experiment(mitigation={"readout": "twirled", "calibration_shots": CALIBRATION})
    found, other = (
        evaluate(estimator, made.executor, trainer.weights, made.task.train, purpose="predict", index=0)
        for estimator in (made.estimator, replace(made.estimator, mitigation=None))
    )
    assert found.usage.shots == SAMPLES * SHOTS + CALIBRATION
    errors = np.hypot(found.output_errors, other.output_errors / (1 - 2 * FLIPPED))
    assert (np.abs(found.outputs - other.outputs / (1 - 2 * FLIPPED)) < 5 * errors).all()


@pytest.mark.deep(but=["False"])
@pytest.mark.parametrize("measured_circuits", [False, True])
def test_on_the_snapshot_of_a_device(measured_circuits):
    pytest.importorskip("qiskit_ibm_runtime")
    trainer = experiment(backend="fake_nairobi", noise=None, measured_circuits=measured_circuits).trainer()
    assert trainer.run() == "finished"
    raw = experiment(backend="fake_nairobi", noise=None, mitigation={}).trainer()
    raw.run()
    assert trainer.state.shots - raw.state.shots == EPOCHS * 2 * CALIBRATION


def test_every_circuit_runs_in_every_folding_and_is_counted():
    plain, zne, both = (experiment(**execution).trainer() for execution in ({"mitigation": {}}, ZNE, BOTH))
    for trainer in (plain, zne, both):
        trainer.run()
    assert (zne.state.shots, zne.state.circuits) == (2 * plain.state.shots, 2 * plain.state.circuits)
    assert both.state.shots == zne.state.shots + EPOCHS * 2 * CALIBRATION
    assert not np.array_equal(zne.weights, plain.weights)


@pytest.mark.deep
@pytest.mark.parametrize("execution", [BOTH, {**BOTH, "measured_circuits": True}])
def test_answers_of_every_folding_survive_stops(execution, tmp_path):
    """Answers are kept as they came, every folding by itself."""
    watch = Watch()
    trainer = experiment(**execution).trainer([watch])
    trainer.run()
    assert_same_in_parts(trainer, watch, 3, tmp_path, **execution)


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
