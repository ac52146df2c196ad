"""Tasks against networks and costs: sizes, numbers that are not finite, and targets out of reach."""

import numpy as np
import pytest

import qep_qiskit as qep
from qep_qiskit.core.errors import DataError, NetworkError, ResultError, UnreachableTargetWarning, UnscaledInputsWarning
from qep_qiskit.execution import RequestKey, VectorExecutor
from qep_qiskit.learning.task_check import check_task, warn_of_inputs
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network.checked_loss import CheckedLoss
from qep_qiskit.tasks import Dataset, Task
from qep_qiskit.tasks.scaling import Scaling

SEEDS = qep.Seeds(3)
NETWORK = qep.IsingNetwork(graph=qep.chain(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(2, range(2)))
KEY = RequestKey("test", 0)
COPIES = ["network.copies=2", "cost.copies=each"]
THERMAL = ["preparation.kind=thermal", "preparation.temperature=0.5"]


def problem(cost):
    return qep.NudgedHamiltonian(NETWORK, cost)


def loss(which=None):
    return problem(qep.LossOnExpectations.on_spins((1,), 2, which))


def task(targets):
    inputs = np.array([[1.0, -1.0], [-1.0, 1.0]])
    data = Dataset(inputs=inputs, targets=np.array(targets), labels=None, classes=(), input_names=("a", "b"))
    scaling = Scaling.fit(inputs, "none")
    return Task(name="t", train=data, test=None, scaling=scaling, target_columns=("y",) * data.num_targets)


@pytest.mark.parametrize("cost", [loss(), problem(qep.OperatorCost.squared_error((1,), 2))])
def test_targets_beyond_reach_are_told(cost):
    check_task(cost, task([[1.0], [-1.0]]))
    with pytest.warns(UnreachableTargetWarning, match="beyond what the outputs can reach") as found:
        check_task(cost, task([[1.3], [0.2]]))
    assert found[0].message.detail == "output 0 reaches -1 to 1, its targets run from 0.2 to 1.3"


def test_targets_of_other_costs_are_no_outputs():
    check_task(loss(qep.CustomLoss(lambda o, y: (o * y).sum(axis=1))), task([[13.0], [0.2]]))


def test_reach_of_sums_and_positions():
    from qiskit.quantum_info import SparsePauliOp

    observable = SparsePauliOp(["II", "ZI", "XX"], [0.2, 1.0, -0.5])
    assert problem(qep.LossOnExpectations((observable,))).output_reach.tolist() == [[-1.3, 1.7]]


def test_a_trainer_in_python_looks_too():
    def parts(which):
        estimator = qep.GradientEstimator(
            hamiltonian=loss(which), preparation=qep.ExactPreparation(), contrast=qep.Contrast(beta=0.1), shots=None
        )
        return {
            "estimator": estimator,
            "executor": VectorExecutor(SEEDS),
            "update": qep.Update(),
            "settings": qep.TrainingSettings(epochs=1),
            "seeds": SEEDS,
        }

    with pytest.raises(NetworkError, match=r"expected shape \(samples,\)"):
        qep.Trainer(task=task([[0.3], [0.2]]), **parts(qep.CustomLoss(lambda o, y: (o - y) ** 2)))
    with pytest.raises(DataError, match="cross_entropy needs targets that are probabilities"):
        qep.Trainer(task=task([[0.3], [0.2]]), **parts(qep.CrossEntropy()))


def estimate(cost, inputs, targets, contrast="symmetric"):
    estimator = qep.GradientEstimator(
        hamiltonian=cost,
        preparation=qep.ExactPreparation(),
        contrast=qep.Contrast(kind=contrast, beta=0.1),
        shots=None,
    )
    weights = NETWORK.layout.initial(SEEDS)
    return run_measurements(
        estimator.estimate(weights, np.array(inputs), np.array(targets), KEY), VectorExecutor(SEEDS)
    )


@pytest.mark.parametrize("cost", [loss(), problem(qep.OperatorCost.squared_error((1,), 2))])
@pytest.mark.parametrize(
    ("inputs", "targets", "words"),
    [
        ([[np.nan, 1.0]], [[0.5]], r"inputs: expected finite numbers, got nan at \(0, 0\)"),
        ([[1.0, 1.0, 1.0]], [[0.5]], r"inputs: expected shape \(samples, 2\), got \(1, 3\)"),
        ([[1.0, 1.0]], [[np.inf]], "targets: .*inf"),
        ([[1.0, 1.0]], [[0.5, 0.5]], "targets: "),
        ([[1.0, 1.0], [1.0, -1.0]], [[0.5]], "targets: "),
    ],
)
def test_arrays_that_do_not_fit_are_one_line(cost, inputs, targets, words):
    with pytest.raises(DataError, match=words) as error:
        estimate(cost, inputs, targets)
    assert "\n" not in str(error.value)


def test_a_loss_that_leaves_its_domain_on_the_way_ends_the_run():
    """Finite wherever it was looked at, but not at what is measured."""
    checked = CheckedLoss(qep.CustomLoss(lambda o, y: np.where(np.abs(o) < 0.999, o, np.nan).sum(axis=1)), "steep")
    with pytest.raises(NetworkError, match=r"loss: value of 'steep' is not finite for sample 1"):
        checked.value(np.array([[0.5], [1.0]]), np.zeros((2, 1)))


@pytest.mark.parametrize("cost", [loss(), problem(qep.OperatorCost.squared_error((1,), 2))])
def test_means_that_are_not_finite_are_no_zeros(cost, monkeypatch):
    from qep_qiskit.learning import free_phase

    whole = free_phase.measure

    def broken(*arguments, **options):
        moments = yield from whole(*arguments, **options)
        moments.means[...] = np.nan
        return moments

    monkeypatch.setattr(free_phase, "measure", broken)
    weights = NETWORK.layout.initial(SEEDS)
    free = cost.free_coefficients(weights, np.array([[1.0, 1.0]]))
    work = free_phase.measure_free(cost, qep.ExactPreparation(), free, np.array([[0.5]]), shots=[None] * 2, key=KEY)
    with pytest.raises(ResultError, match="the mean of Z1 of sample 0 is nan"):
        run_measurements(work, VectorExecutor(SEEDS))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_inputs_that_drown_everything_else_are_told(unit):
    weights = unit * NETWORK.layout.initial(SEEDS)
    warn_of_inputs(loss(), weights, np.array([[3.0, -2.0], [20.0, 0.0]]))
    with pytest.warns(UnscaledInputsWarning, match="inputs dominate the Hamiltonian") as found:
        warn_of_inputs(loss(), weights, np.array([[3.0, -2.0], [1000.0, 0.0]]))
    assert "inputs up to 1000 give terms" in found[0].message.detail


@pytest.mark.parametrize(
    ("pulling", "right"),
    [
        (["task.amplitude=0.8"], ["task.amplitude=1"]),
        (["task.amplitude=0.8", *COPIES], ["task.amplitude=1", *COPIES]),
        (["cost.label_smoothing=0.1", "cost.loss=cross_entropy"], ["cost.loss=cross_entropy"]),
        (["task.amplitude=0.8", "preparation.kind=annealing"], ["task.amplitude=0.8", *THERMAL]),
    ],
)
def test_right_outputs_that_are_pulled_back_are_told(pulling, right):
    with pytest.warns(UnreachableTargetWarning, match="right outputs are pulled back") as found:
        qep.from_file("configs/classical_ising.toml", pulling)
    assert len(found) == 1
    qep.from_file("configs/classical_ising.toml", right)
