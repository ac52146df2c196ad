"""Published numbers of Pauli networks: the antiferromagnetic chain and the cluster-Ising phase exploration."""

from pathlib import Path

import numpy as np
import pytest
from cases import NO_INPUTS, exact_contrast
from reference import ground, pauli_matrix
from scipy.linalg import eigh

from qep_qiskit.config import from_file
from qep_qiskit.core.errors import BranchJumpWarning, NudgeBeyondGapWarning
from qep_qiskit.core.pauli_strings import PauliString, sparse_pauli_op
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.execution import VectorExecutor
from qep_qiskit.learning import (
    Callback,
    Contrast,
    GradientDescent,
    GradientEstimator,
    Schedule,
    Trainer,
    TrainingSettings,
    Update,
)
from qep_qiskit.learning.exact_gradient import exact_gradient
from qep_qiskit.network import PauliNetwork, WeightInitialisation
from qep_qiskit.network.cost import LossOnExpectations
from qep_qiskit.network.losses import CustomLoss
from qep_qiskit.network.nudge import NudgedHamiltonian
from qep_qiskit.preparation import ExactPreparation
from qep_qiskit.tasks import no_data_task

CONFIG = Path(__file__).parents[2] / "configs" / "antiferromagnet.toml"
CLUSTER = CONFIG.with_name("cluster_ising.toml")
TARGET = np.array([[1.0]])


@pytest.fixture(scope="module")
def chain():
    """The Hamiltonian of configs/antiferromagnet.toml, and its starting weights (Omega, Delta)."""
    experiment = from_file(CONFIG)
    return experiment.estimator.hamiltonian, experiment.network.layout.initial(experiment.seeds)


def chain_matrix(omega, delta, size=5):
    """(Omega/2) sum X - Delta sum n + sum n n, with n = (1 + Z) / 2."""
    n = [(np.eye(1 << size) + pauli_matrix(f"Z{k}", size)) / 2 for k in range(size)]
    run_measurements = sum(pauli_matrix(f"X{k}", size) for k in range(size))
    return omega / 2 * run_measurements - delta * sum(n) + sum(n[k] @ n[k + 1] for k in range(size - 1))


def test_antiferromagnet_is_the_hamiltonian_and_the_order_parameter(chain):
    hamiltonian, weights = chain
    assert hamiltonian.network.layout.names == ("Omega", "Delta")
    assert weights.tolist() == [0.5, 1.5]
    matrix = chain_matrix(*weights)
    assert np.allclose(hamiltonian.network.hamiltonian(weights).to_matrix(), matrix, rtol=0, atol=1e-12)
    order = sum((-1) ** k * pauli_matrix(f"Z{k}", 5) for k in range(5)) / 5
    assert np.allclose(hamiltonian.cost.observables[0].to_matrix(), order @ order, rtol=0, atol=1e-12)
    _, state, gap = ground(matrix)
    assert gap == pytest.approx(0.39423, abs=0.5e-5)
    assert np.vdot(state, order @ order @ state).real == pytest.approx(0.671697, abs=0.5e-6)


def test_antiferromagnet_has_the_published_gradient_and_contrasts(chain):
    hamiltonian, weights = chain
    exact = exact_gradient(hamiltonian, weights, NO_INPUTS, TARGET)
    assert exact.outputs[0, 0] == pytest.approx(0.671697, abs=0.5e-6)
    assert exact.cost == pytest.approx((0.671697 - 1) ** 2, abs=1e-6)
    assert exact.gradient == pytest.approx([0.693343, 0.341460], abs=0.5e-6)
    one_sided = exact_contrast(hamiltonian, weights, Contrast(kind="one_sided", beta=0.1), NO_INPUTS, TARGET)
    assert one_sided.gradient == pytest.approx([0.67902, 0.32337], abs=0.5e-5)
    symmetric = exact_contrast(hamiltonian, weights, Contrast(beta=0.1), NO_INPUTS, TARGET)
    assert symmetric.gradient - exact.gradient == pytest.approx([-2.45e-3, -3.7e-4], abs=0.5e-5)


def cluster_ising(size=10):
    """-(gX sum X + gZZ sum ZZ + 0.5 sum ZXZ), three-body terms from the second spin on; two tied weights."""

    def minus(words):
        return sparse_pauli_op([(PauliString.parse(word), -1.0) for word in words], size)

    return PauliNetwork.from_operators(
        {
            "gX": minus([f"X{j}" for j in range(size)]),
            "gZZ": minus([f"Z{j} Z{j + 1}" for j in range(size - 1)]),
        },
        0.5 * minus([f"Z{j} X{j + 1} Z{j + 2}" for j in range(1, size - 2)]),
        start=WeightInitialisation(values=[-0.1, 0.4]),
    )


class Losses(Callback):
    """Collects the loss of every step."""

    def __init__(self):
        self.found = []

    def on_step(self, trainer, record):
        self.found.append(record["loss"])


def explored(iterations):
    """-|<X_0 X_4>| before every step of gradients of length one, from one-sided nudges on the error signal."""
    network, seeds, losses = cluster_ising(), Seeds(0), Losses()
    loss = CustomLoss(lambda outputs, _: -np.abs(outputs[:, 0]), lambda outputs, _: -np.sign(outputs))
    correlation = sparse_pauli_op([(PauliString.parse("X0 X4"), 1.0)], network.num_qubits)
    trainer = Trainer(
        estimator=GradientEstimator(
            hamiltonian=NudgedHamiltonian(network, LossOnExpectations((correlation,), loss)),
            preparation=ExactPreparation(),
            contrast=Contrast(kind="one_sided", beta=0.1),
            shots=None,
        ),
        executor=VectorExecutor(seeds),
        update=Update(optimizer=GradientDescent(), schedule=Schedule(learning_rate=0.1), normalize=True),
        task=no_data_task(),
        settings=TrainingSettings(epochs=iterations, batch_size=1, evaluate_every=0),
        seeds=seeds,
        callbacks=[losses],
    )
    trainer.run()
    return losses.found


PUBLISHED = {0: -0.008708, 5: -0.756577, 10: -0.940123, 20: -0.984736, 50: -0.997524}
# The start is nearly degenerate (gap 2e-5), so that the first nudge goes far past Weyl's bound and changes the branch.
ROUGH_START = [
    pytest.mark.filterwarnings(f"ignore::qep_qiskit.core.errors.{warning.__name__}")
    for warning in (NudgeBeyondGapWarning, BranchJumpWarning)
]


class TestPhaseExploration:
    pytestmark = ROUGH_START

    def test_first_iterations_are_the_published_ones(self):
        found = explored(51)
        assert {step: found[step] for step in PUBLISHED} == pytest.approx(PUBLISHED, abs=0.5e-6)

    @pytest.mark.slow
    def test_last_iteration_is_the_published_one(self):
        """Later gZZ, zero but for rounding, is blown up by the normalised gradient: the last digit is anybody's."""
        assert explored(100)[99] == pytest.approx(-0.999125, abs=2e-5)


def cluster_parts(size=10):
    """Matrices of sum X, sum ZZ and sum ZXZ, the last without its first term; and of X0 X4."""
    x = sum(pauli_matrix(f"X{j}", size).real for j in range(size))
    zz = sum(pauli_matrix(f"Z{j} Z{j + 1}", size).real for j in range(size - 1))
    zxz = sum(pauli_matrix(f"Z{j} X{j + 1} Z{j + 2}", size).real for j in range(1, size - 2))
    return x, zz, zxz, pauli_matrix("X0 X4", size).real


def explored_densely(iterations):
    """The same exploration with dense matrices and nothing of the package."""
    x, zz, zxz, correlation = cluster_parts()
    weights, losses = np.array([-0.1, 0.4]), []

    def lowest(matrix):
        return eigh(matrix, subset_by_index=[0, 0])[1][:, 0]

    for _ in range(iterations):
        matrix = -weights[0] * x - weights[1] * zz - 0.5 * zxz
        free = lowest(matrix)
        mean = free @ correlation @ free
        losses.append(-abs(mean))
        nudged = lowest(matrix - 0.1 * np.sign(mean) * correlation)
        slope = np.array([-(nudged @ part @ nudged - free @ part @ free) / 0.1 for part in (x, zz)])
        weights = weights - 0.1 * slope / np.linalg.norm(slope)
    return losses


class TestPhaseExplorationFromItsConfig:
    pytestmark = ROUGH_START

    def test_hamiltonian_is_that_of_the_anchor(self):
        experiment = from_file(CLUSTER)
        x, zz, zxz, correlation = cluster_parts()
        weights = experiment.network.layout.initial(experiment.seeds)
        assert experiment.network.layout.names == ("gX", "gZZ")
        assert weights.tolist() == [-0.1, 0.4]
        matrix = 0.1 * x - 0.4 * zz - 0.5 * zxz
        assert np.allclose(experiment.network.hamiltonian(weights).to_matrix(), matrix, rtol=0, atol=1e-12)
        (observable,) = experiment.estimator.hamiltonian.cost.observables
        assert np.allclose(observable.to_matrix(), correlation)

    @pytest.mark.deep
    def test_first_fifty_iterations_are_those_of_dense_matrices(self):
        losses = Losses()
        from_file(CLUSTER, ["training.epochs=51"]).trainer([losses]).run()
        assert losses.found == pytest.approx(explored_densely(51), abs=1e-8)
        assert {step: losses.found[step] for step in PUBLISHED} == pytest.approx(PUBLISHED, abs=0.5e-6)


PUBLISHED_SENSORS = {  # two field strengths, the coupling, and the sensitivity at the end of the published runs
    "first": (-0.4207067481651259, -0.45286580773381535, -0.9122442395417603, 1.864143036911563),
    "second": (0.20929322089342, 0.279383317431698, 0.0, 2.036481361952692),
}


@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.DegenerateGroundStateWarning")
@pytest.mark.parametrize("run", PUBLISHED_SENSORS)
def test_published_sensitivity(run):
    one, two, coupling, sensitivity = PUBLISHED_SENSORS[run]
    experiment = from_file(CONFIG.with_name("sensing.toml"), [f"task.inputs=[[{one}],[{two}]]"])
    data, weights = experiment.task.train, np.array([0.0, coupling])
    found = exact_gradient(experiment.estimator.hamiltonian, weights, data.inputs, data.targets)
    assert found.cost == pytest.approx(-sensitivity, abs=1e-9)


@pytest.mark.deep
@pytest.mark.filterwarnings("ignore::qep_qiskit.core.errors.NudgeBeyondGapWarning")
def test_sensor_is_trained_beyond_the_published_sensitivity():
    """The shipped configuration at a constant rate, in a third of its steps."""
    trainer = from_file(CONFIG.with_name("sensing.toml"), ["training.epochs=30", "update.decay=constant"]).trainer()
    trainer.run()
    data = trainer.task.train
    found = exact_gradient(trainer.estimator.hamiltonian, trainer.weights, data.inputs, data.targets)
    assert found.cost < -2.036
