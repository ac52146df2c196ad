"""The phase sensor of configs/phase_sensor.toml: its Hamiltonian, its nine bases, and that it learns."""

from pathlib import Path

import numpy as np
import pytest
from reference import pauli_matrix

from qep_qiskit.config import from_file
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.evaluation import evaluate
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.measurement import run_measurements

CONFIG = Path(__file__).parents[2] / "configs" / "phase_sensor.toml"
SMALL = ["task.num_samples=10", "task.test_size=10"]
POINT = np.array([1.7, 1.5, 0.8])

pytestmark = pytest.mark.filterwarnings(
    "ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning", "ignore::qep_qiskit.core.errors.BranchJumpWarning"
)


@pytest.fixture(scope="module")
def sensor():
    return from_file(CONFIG, SMALL)


def test_hamiltonian_is_the_ring_and_all_couplings_of_the_sensor(sensor):
    network = sensor.network
    assert network.layout.num_weights == 51
    weights = network.layout.initial(sensor.seeds)
    expected = np.zeros((1024, 1024), dtype=complex)
    for j in range(8):
        k, m = (j + 1) % 8, (j + 2) % 8
        expected += POINT[0] * pauli_matrix(f"Z{j} X{k} Z{m}", 10) - POINT[1] * pauli_matrix(f"Z{j} Z{k}", 10)
        expected -= POINT[2] * pauli_matrix(f"X{j}", 10)
    words = [f"{a}{t} {b}{s}" for t, s in ((0, 8), (0, 9), (1, 8), (1, 9), (8, 9)) for a in "XYZ" for b in "XYZ"]
    words += [f"{a}{s}" for s in (8, 9) for a in "XYZ"]
    assert {name[2:-1] for name in network.layout.names} == set(words)
    for name, weight in zip(network.layout.names, weights, strict=True):
        expected += weight * pauli_matrix(name[2:-1], 10)
    assert np.allclose(network.hamiltonian(weights, POINT).to_matrix(), expected, rtol=0, atol=1e-10)


def test_outputs_are_the_projectors_on_three_outcomes(sensor):
    signs, observables = ((1, 1), (1, -1), (-1, -1)), sensor.estimator.hamiltonian.cost.observables
    for (one, other), observable in zip(signs, observables, strict=True):
        halves = [(np.eye(1024) + sign * pauli_matrix(f"Z{q}", 10)) / 2 for sign, q in ((one, 8), (other, 9))]
        assert np.allclose(observable.to_matrix(), halves[0] @ halves[1])


def test_a_batch_takes_nine_bases_and_one_more_for_the_outputs(sensor):
    """10 samples, 10 shots: 9 bases in 2 nudged phases, and Z Z of the sensor in the free one."""
    plan = sensor.estimator.measurement_plan
    assert len(plan.groups) == 9
    weights, data = sensor.network.layout.initial(sensor.seeds), sensor.task.train
    work = sensor.estimator.estimate(weights, data.inputs, data.targets, RequestKey("test", 0))
    estimate, usage = run_measurements(work, VectorExecutor(Seeds(1)))
    assert (usage.circuits, usage.shots) == (10 * 19, 10 * 190)
    assert np.isfinite(estimate.gradient).all()
    assert np.isfinite(estimate.variance).all()


def test_contrast_of_exact_means_is_near_the_gradient():
    sensor = from_file(CONFIG, [*SMALL, "measurement.shots='exact'", "contrast.beta=0.01", "preparation.tolerance=0.0"])
    weights, data = sensor.network.layout.initial(sensor.seeds), sensor.task.train.take(np.arange(3))
    work = sensor.estimator.estimate(weights, data.inputs, data.targets, RequestKey("test", 0))
    estimate, _ = run_measurements(work, VectorExecutor(Seeds(1)))
    exact = exact_gradient(sensor.estimator.hamiltonian, weights, data.inputs, data.targets)
    assert estimate.gradient == pytest.approx(exact.gradient, abs=2e-3 * np.abs(exact.gradient).max())


# Ten shots a basis: near the end gradients are below their noise, which the run says.
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NoisyGradientWarning")
@pytest.mark.slow
def test_most_likely_outcome_tells_the_phase():
    """2000 batches of the shipped run, about five minutes on one core."""
    sensor = from_file(CONFIG, ["training.epochs=20", "training.evaluate_every=0"])
    trainer = sensor.trainer()
    trainer.run()
    weights = trainer.state.weights
    found = evaluate(sensor.estimator, sensor.executor, weights, sensor.task.test, purpose="judge", index=0)
    assert found.tally.accuracy > 0.9
