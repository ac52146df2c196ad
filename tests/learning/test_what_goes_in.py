"""Numbers that are none, do not fit or count nothing: one line that names them, and no run goes on."""

from dataclasses import replace

import numpy as np
import pytest
from qiskit.primitives import StatevectorSampler
from qiskit.quantum_info import SparsePauliOp

import qep_qiskit as qep
from qep_qiskit.core.errors import ConfigError, DataError, NetworkError, QepError
from qep_qiskit.execution import GroupMeasurement, RequestKey
from qep_qiskit.execution.aer import AerExecutor
from qep_qiskit.execution.sampler_options import SamplerOptions
from qep_qiskit.execution.twirled_readout import TwirledErrors
from qep_qiskit.measurement import run_measurements
from qep_qiskit.network import WeightInitialisation, chain, complete, from_edges, lattice, layered
from qep_qiskit.preparation import HamiltonianFamily

RAMP = qep.AdiabaticPreparation(total_time=2.0, steps=4)
EXACT = qep.ExactPreparation()
SEEDS = qep.Seeds(2)
EXECUTORS = {
    "Aer": (RAMP, lambda: AerExecutor(SEEDS)),
    "engine": (RAMP, lambda: qep.StatevectorExecutor(SEEDS)),
    "sampler": (RAMP, lambda: qep.SamplerExecutor(StatevectorSampler(), SEEDS)),
    "exact states": (EXACT, lambda: qep.VectorExecutor(SEEDS)),
}


def xor_estimator(preparation=EXACT, shots=None, cost=None, **options):
    network = qep.IsingNetwork(graph=complete(2), outputs=(1,), inputs=qep.ClampedInputs.all_to(2, (0, 1)))
    hamiltonian = qep.NudgedHamiltonian(network, cost or qep.LossOnExpectations.on_outputs(network))
    return qep.GradientEstimator(
        hamiltonian=hamiltonian, preparation=preparation, contrast=qep.Contrast(), shots=shots, **options
    )


def ask(estimator, executor, weights=None, inputs=None, targets=None):
    weights = estimator.hamiltonian.network.layout.initial(SEEDS) if weights is None else weights
    inputs = np.array([[1.0, -1.0], [1.0, 1.0]]) if inputs is None else np.asarray(inputs)
    targets = np.array([[0.5], [-0.5]]) if targets is None else np.asarray(targets)
    return run_measurements(estimator.estimate(weights, inputs, targets, RequestKey("test", 0)), executor)[0]


@pytest.mark.parametrize("name", EXECUTORS)
@pytest.mark.parametrize("shots", [None, 20])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_weight_that_is_no_number_is_named_whoever_executes(name, shots, value):
    preparation, executor = EXECUTORS[name]
    estimator = xor_estimator(preparation, shots)
    weights = estimator.hamiltonian.network.layout.initial(SEEDS)
    weights[3] = value
    with pytest.raises(NetworkError, match=r"^weight b\[0\] is (nan|inf); expected a finite number$"):
        ask(estimator, executor(), weights)
    network = estimator.hamiltonian.network
    with pytest.raises(NetworkError, match=r"weight b\[0\]"):
        network.hamiltonian(weights, [1.0, 1.0])
    with pytest.raises(NetworkError, match=r"weight b\[0\]"):
        network.weights_from({"b[0]": value})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"weights": np.zeros(3)}, NetworkError, r"weights: expected shape \(9,\), got \(3,\)"),
        ({"weights": np.zeros((1, 9))}, NetworkError, r"weights: expected shape \(9,\), got \(1, 9\)"),
        ({"inputs": [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]}, DataError, r"inputs: expected shape \(samples, 2\)"),
        ({"inputs": [[1.0, np.nan], [1.0, 2.0]]}, DataError, r"got nan at \(0, 1\)"),
        ({"targets": [[0.5]]}, DataError, "targets: expected one row for every sample, 2 in all, got 1"),
        ({"targets": [[0.5], [np.inf]]}, DataError, "targets: "),
        (
            {"inputs": [[1e308, 1.0], [1e308, 1.0]], "weights": np.full(9, 10.0)},
            NetworkError,
            "H: the coefficient of Z0",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changes, error, words):
    with pytest.raises(error, match=words) as caught:
        ask(xor_estimator(), qep.VectorExecutor(SEEDS), **changes)
    assert "\n" not in str(caught.value)


def test_a_cost_that_is_no_number_names_term_and_sample():
    def of_target(y):
        return SparsePauliOp(["ZI", "IX"], [1.0, y[0]])

    known = np.array([[0.5], [1.0]])
    estimator = xor_estimator(cost=qep.OperatorCost.from_function(of_target, known, 2))
    broken = qep.OperatorCost(estimator.hamiltonian.cost.terms, 2, lambda y: (np.full((len(y), 2), np.nan), y[:, 0]))
    narrow = qep.OperatorCost(estimator.hamiltonian.cost.terms, 2, lambda y: (np.ones((len(y), 1)), y[:, 0]))
    for cost, words in ((broken, "cost: the coefficient of Z1 for sample 0 is nan"), (narrow, "cost: expected shape")):
        with pytest.raises(NetworkError, match=words):
            ask(xor_estimator(cost=cost), qep.VectorExecutor(SEEDS))
    with pytest.raises(NetworkError, match="cost: coefficient of 'Z0'"):
        qep.CostTerm(string=qep.PauliString.of("Z", 0), coefficient=np.nan)


def test_a_nudge_that_overflows_names_its_beta():
    groups = xor_estimator().hamiltonian.groups
    ones = np.full((1, sum(group.num_terms for group in groups)), 10.0)
    with pytest.raises(NetworkError, match=r"H \+ beta C at beta = 1e\+308: the coefficient of Z0 Z1"):
        HamiltonianFamily(groups=groups, free=ones, nudge=ones, betas=np.array([1e308]), key=RequestKey("test", 0))
    with pytest.raises(NetworkError, match=r"beta: a nudge is nan"):
        HamiltonianFamily(groups=groups, free=ones, nudge=ones, betas=np.array([np.nan]), key=RequestKey("test", 0))


def test_a_calibration_that_is_no_number_is_refused():
    for frequencies in ([np.nan, 1.0], [0.2, 0.2]):
        with pytest.raises(ConfigError, match="expected frequencies that sum to 1"):
            TwirledErrors(strings=np.zeros((2, 1), dtype=np.uint8), frequencies=np.array(frequencies))


def trainer(estimator, update=None, **options):
    return qep.Trainer(
        estimator=estimator,
        executor=qep.VectorExecutor(SEEDS),
        update=update or qep.Update(),
        task=qep.xor_task(),
        settings=qep.TrainingSettings(epochs=3, batch_size=2),
        seeds=SEEDS,
        **options,
    )


def test_a_run_whose_weights_leave_the_numbers_stops_and_names_weight_and_step():
    steep = qep.Update(optimizer=qep.GradientDescent(), schedule=qep.Schedule(learning_rate=1.7e308))
    terms = [qep.CostTerm(string=qep.PauliString.of("Z", spin), coefficient=1e3) for spin in (0, 1)]
    estimator = replace(xor_estimator(cost=qep.OperatorCost.from_terms(terms, 2)), contrast=qep.Contrast(beta=1e-6))
    run = trainer(estimator, steep)
    overflow = pytest.raises(NetworkError, match=r"^step 1: weight .* is -?inf.*update\.learning_rate")
    with np.errstate(all="ignore"), overflow as caught:
        run.run()
    assert "\n" not in str(caught.value)
    assert run.state.step == 0
    assert np.isfinite(run.weights).all()


def test_a_cost_that_breaks_on_the_way_stops_the_run_and_names_the_step():
    cost, calls = qep.OperatorCost.squared_error((1,), 2), []

    def breaking(targets):
        calls.append(None)
        coefficients, constants = cost.expand(targets)
        return (coefficients if len(calls) < 7 else np.nan * coefficients), constants

    run = trainer(xor_estimator(cost=qep.OperatorCost(cost.terms, 2, breaking)))
    with pytest.raises(NetworkError, match=r"^step \d: cost: the coefficient of Z1 for sample 0 is nan"):
        run.run()
    assert run.state.step > 0


def test_a_trainer_does_not_move_the_weights_it_is_given_onto_their_bounds():
    state = trainer(xor_estimator()).state
    below = replace(state, weights=state.weights.copy())
    below.weights[1] = 0.05
    with pytest.raises(NetworkError, match=r"weight h\[0\]: 0.05 is not a number between minimum 0.1 and maximum inf"):
        trainer(xor_estimator(), state=below)


@pytest.mark.parametrize("shots", [0, -1, 2.5, 2.0, True, "10", np.nan])
@pytest.mark.parametrize(
    "door",
    [
        lambda shots: xor_estimator(shots=shots),
        lambda shots: xor_estimator(shots=(10, shots)),
        lambda shots: xor_estimator(shots=10, test_shots=shots),
        lambda shots: GroupMeasurement(group=None, states=np.arange(1), shots=shots),
        lambda shots: qep.ReadoutMitigation(calibration_shots=shots),
        lambda shots: qep.FiniteDifferences(delta=0.1, shots=shots),
        lambda shots: qep.ParameterShift(shots=shots),
        lambda shots: qep.SPSA(perturbation=0.1, perturbations=2, shots=shots, seeds=SEEDS),
        lambda shots: qep.VariationalPreparation(ansatz=qep.HardwareEfficient(depth=1), seeds=SEEDS, shots=shots),
    ],
)
def test_shots_are_whole_numbers_from_one_on(door, shots):
    with pytest.raises(ConfigError, match=r"shots: expected (a whole number of )?at least 1, got") as caught:
        door(shots)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("shots", [1, np.int64(7), None])
def test_shots_of_numpy_and_none_are_fine(shots):
    assert xor_estimator(shots=shots).shots == shots


@pytest.mark.parametrize(
    "door",
    [
        lambda n: from_edges(3, [(0, n)]),
        lambda n: from_edges(n, [(0, 1)]),
        chain,
        complete,
        lambda n: lattice(n, 2),
        lambda n: layered([2, n]),
        lambda n: qep.IsingNetwork(graph=chain(4), outputs=(n,)),
        lambda n: qep.IsingNetwork(graph=chain(4), outputs=(0,), inputs=qep.ClampedInputs.all_to(1, (n,))),
        lambda n: qep.OperatorCost.squared_error((n,), 4),
        lambda n: qep.LossOnExpectations.on_spins((n,), 4),
        lambda n: qep.SpringNetwork(graph=chain(4), outputs=(n,), anchored=(0,)),
        lambda n: qep.SpringNetwork(graph=chain(4), outputs=(0,), anchored=(n,)),
        lambda n: qep.CostTerm(string=qep.PauliString.of("Z", 0), coefficient=1.0, target=n),
        lambda n: qep.AdiabaticPreparation(steps=n),
        lambda n: qep.TrainingSettings(epochs=n),
        lambda n: qep.Seeds(n),
        lambda n: SamplerOptions(randomizations=n),
    ],
)
@pytest.mark.parametrize("number", [1.7, 2.0, True, "2"])
def test_what_counts_or_names_something_is_a_whole_number(door, number):
    with pytest.raises(QepError, match="expected a whole number") as caught:
        door(number)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_starts_and_couplings_that_are_no_numbers_are_refused(value):
    with pytest.raises(NetworkError, match="expected a finite number"):
        WeightInitialisation(mean=value)
    with pytest.raises(NetworkError, match=r"couplings.values"):
        qep.IsingNetwork(graph=chain(2), outputs=(1,), couplings=WeightInitialisation(values=[value]))
