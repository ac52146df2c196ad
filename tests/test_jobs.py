"""The number of jobs changes no bit of any result; what goes wrong in a job is told in one line."""

import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
from pool_work import refusing

import qep_qiskit as qep
from qep_qiskit.core import jobs
from qep_qiskit.core.errors import ConfigError, WorkerLostError
from qep_qiskit.core.jobs import current_jobs, in_processes, in_threads, set_jobs
from qep_qiskit.core.warning_log import WarningLog, counting_warnings, warn
from qep_qiskit.evolution import evolve
from qep_qiskit.evolution.matrix_products import evolve_as_matrix_products
from qep_qiskit.execution import statevector
from qep_qiskit.preparation import ThermalPreparation, thermal_response

JOBS = (1, 2, 3)


@pytest.fixture(autouse=True)
def _default_afterwards():
    yield
    set_jobs(None)


def with_each(work, numbers=JOBS):
    """The result of some work with every number of jobs."""
    found = []
    for number in numbers:
        set_jobs(number)
        found.append(work())
    return found


def same_bits(results):
    first, *others = [[array.tobytes() for array in result] for result in results]
    return all(other == first for other in others)


def ramp(num_spins, states, steps=4):
    network = qep.IsingNetwork(
        graph=qep.complete(num_spins), outputs=(0,), inputs=qep.ClampedInputs.all_to(1, range(num_spins))
    )
    rng = np.random.default_rng(5)
    coefficients = network.coefficients(rng.normal(size=network.layout.num_weights), rng.normal(size=(states, 1)))
    return qep.AdiabaticPreparation(steps=steps).program(network.groups), coefficients


@pytest.mark.parametrize(("num_spins", "states"), [(3, 1500), (8, 130), (13, 150)])
def test_states_of_the_engine_are_the_same(num_spins, states):
    program, coefficients = ramp(num_spins, states, steps=2)
    assert same_bits(with_each(lambda: [evolve(program, coefficients)]))


def family(num_spins, samples):
    """A chain with an input on every spin, nudged to both sides."""
    network = qep.IsingNetwork(
        graph=qep.chain(num_spins), outputs=(0,), inputs=qep.ClampedInputs.all_to(1, range(num_spins))
    )
    cost = qep.OperatorCost.from_terms([qep.CostTerm(string=qep.PauliString.of("Z", 0), coefficient=1.0)], num_spins)
    hamiltonian, rng = qep.NudgedHamiltonian(network, cost), np.random.default_rng(3)
    free = hamiltonian.free_coefficients(rng.normal(size=network.layout.num_weights), rng.normal(size=(samples, 1)))
    nudge, _ = hamiltonian.operator_nudge(np.zeros((samples, 0)))
    betas = np.array([0.0, 0.1, -0.1])
    return qep.HamiltonianFamily(
        groups=network.groups, free=free, nudge=nudge, betas=betas, key=qep.RequestKey("demo", 0)
    )


def test_exact_and_gibbs_states_are_the_same():
    exact, thermal = qep.ExactPreparation(), ThermalPreparation(0.5)
    narrow, wide = family(6, 100), family(8, 3)

    def work():
        states, gibbs = exact.prepare(narrow, qep.WarmStart()).states, thermal.prepare(wide, qep.WarmStart()).states
        nudge = np.broadcast_to(wide.nudge, wide.free.shape)
        response = thermal_response(wide.paulis, wide.free, nudge, 0.5)
        return [states.vectors, states.energies, states.gaps, gibbs.vectors, response]

    assert same_bits(with_each(work))


@pytest.fixture
def at_once(monkeypatch):
    """Processes are started however short the work is."""
    monkeypatch.setattr(jobs, "_SECONDS_WORTH_PROCESSES", 0.0)


@pytest.mark.deep
@pytest.mark.parametrize(("num_spins", "states"), [(5, 1200), (10, 70), (13, 20)])
def test_shots_of_the_engine_are_the_same_in_processes(num_spins, states, at_once, monkeypatch):
    """Also of states in any order, measured twice; parts of a batch that share a field evolve as the whole does."""
    monkeypatch.setattr(statevector, "_WORTH_PROCESSES", 0)
    program, coefficients = ramp(num_spins, states, steps=2)
    coefficients[: states // 2] = coefficients[0]
    chosen = np.random.default_rng(0).integers(states, size=states + 5)
    measurements = tuple(
        qep.GroupMeasurement(group=group, states=chosen[:count], shots=shots)
        for group, shots, count in [
            (program.groups[0], 20, None),
            (program.groups[1], 9, 30),
            (program.groups[1], None, 3),
        ]
    )
    prepared = qep.CircuitStates(program=program, parameters=coefficients)
    request = qep.Request(key=qep.RequestKey("demo", 0), prepared=prepared, measurements=measurements)

    def work():
        executor = qep.StatevectorExecutor(qep.Seeds(0))
        return [found.packed()[1] for found in executor.collect(executor.submit(request)).outcomes]

    one, two = with_each(work, (1, 2))
    assert same_bits([one, two])
    exact = qep.VectorStates(
        vectors=evolve(program, coefficients)[chosen[:3]], energies=np.zeros(3), gaps=np.ones(3)
    ).probabilities(program.groups[1], np.arange(3))
    assert np.allclose(two[2], exact, rtol=0, atol=1e-12)  # the order is that of the measurement


@pytest.mark.deep
@pytest.mark.parametrize("mitigation", [None, qep.ReadoutMitigation(calibration_shots=50)])
def test_the_next_request_begins_while_one_is_awaited(mitigation, at_once, monkeypatch):
    """Not where it needs a calibration that the one before measures; results and shots are the same."""
    monkeypatch.setattr(statevector, "_WORTH_PROCESSES", 0)
    events = []

    def noted(name):
        function = getattr(statevector, name)
        monkeypatch.setattr(statevector, name, lambda *given: events.append(name) or function(*given))

    noted("start_in_processes")
    noted("joined")
    network = qep.IsingNetwork(graph=qep.chain(10), outputs=(0, 1), inputs=qep.ClampedInputs.all_to(1, range(10)))
    estimator = qep.GradientEstimator(
        hamiltonian=qep.NudgedHamiltonian(network, qep.LossOnExpectations.on_spins((0, 1), 10)),
        preparation=qep.AdiabaticPreparation(total_time=0.5, steps=2),
        contrast=qep.Contrast(beta=0.2),
        shots=20,
        mitigation=mitigation,
    )
    rng, weights = np.random.default_rng(0), network.layout.initial(qep.Seeds(0))
    inputs, targets = rng.normal(size=(140, 1)), rng.choice([-1.0, 1.0], size=(140, 2))
    data = qep.Dataset(inputs=inputs, targets=targets, labels=None, classes=(), input_names=("x",))

    def work():
        executor = qep.StatevectorExecutor(qep.Seeds(0))
        found = qep.evaluate(estimator, executor, weights, data, purpose="demo", index=0)
        step = estimator.estimate(weights, inputs[:32], targets[:32], qep.RequestKey("step", 0))
        estimate = qep.run_measurements(step, executor)[0]
        counts = np.array([found.usage.shots, found.tally.cost, found.tally.cost_variance])
        return [found.outputs, counts, estimate.gradient, estimate.standard_error, estimate.cost.variances]

    assert same_bits(with_each(work, (2, 1)))
    begin, join = "start_in_processes", "joined"
    first = [begin, join, begin, join, begin] if mitigation else [begin, begin, join, begin, join]
    assert events[: len(first)] == first


@pytest.mark.deep
def test_states_of_lanczos_are_the_same(at_once):
    states = family(9, 34)  # two chains of rows, and one of two

    def work():
        free = qep.ExactPreparation().solve(states.paulis, states.free)
        nudged = states.free[:6] + 0.1 * states.nudge[:6]
        known = qep.ExactPreparation().solve(states.paulis, nudged, near=free.vectors[:6])
        return [free.vectors, free.energies, free.gaps, known.vectors]

    assert same_bits(with_each(work, (1, 2)))


@pytest.mark.deep
def test_angles_that_an_optimiser_finds_are_the_same(at_once):
    """SPSA draws its directions from a global generator; it gives the same ones in every process."""
    states = family(3, 3)
    options = {"maxiter": 4, "learning_rate": 0.1, "perturbation": 0.1}
    search = qep.VariationalPreparation(
        ansatz=qep.HamiltonianVariational(1),
        optimizer="spsa",
        options=options,
        seeds=qep.Seeds(0),
        on_unconverged="go_on",
    )

    def work():
        found, _ = qep.run_measurements(search.prepare(states, qep.WarmStart()), qep.StatevectorExecutor(qep.Seeds(0)))
        return [found.states.parameters]

    assert same_bits(with_each(work, (1, 2)))


@pytest.mark.deep
def test_levels_and_equilibria_are_the_same(at_once):
    spins, level = family(5, 6), qep.ExactPreparation(level=2, solver="lanczos")
    springs = qep.SpringNetwork(graph=qep.chain(4), outputs=(1,), clamped=(0, 3), inputs=((0, 0),))
    free = springs.coefficients(np.array([1.0, 2.0, 3.0]), np.linspace(-1.0, 1.0, 6)[:, None])
    atoms = qep.HamiltonianFamily.of_free(springs.groups, free, qep.RequestKey("demo", 0))
    resting = qep.EquilibriumPreparation(rest_positions=np.zeros((4, 1)))

    def work():
        states = level.prepare(spins, qep.WarmStart()).states
        return [states.vectors, states.energies, states.gaps, resting.prepare(atoms, qep.WarmStart()).states.points]

    assert same_bits(with_each(work, (1, 2)))


@pytest.mark.deep
def test_matrix_product_states_are_the_same(at_once):
    program, coefficients = ramp(6, 5)

    def work():
        states = evolve_as_matrix_products(program, coefficients, qep.BondLimits(max_bond_dimension=4))
        return [tensor for state in states for tensor in state.tensors]

    assert same_bits(with_each(work, (1, 2)))


def test_an_error_in_a_process_comes_out_as_it_is(at_once):
    set_jobs(2)
    with pytest.raises(qep.QepError, match="of item 3"):
        in_processes(refusing, range(8))
    assert in_processes(str, range(3)) == ["0", "1", "2"]


def test_a_process_that_dies_is_one_line_and_the_next_call_works(at_once):
    set_jobs(2)
    with pytest.raises(WorkerLostError, match=r"a worker process died .* execution.jobs"):
        in_processes(os._exit, [3, 3, 3])
    others = multiprocessing.active_children()
    assert in_processes(str, range(3)) == ["0", "1", "2"]
    children = [child for child in multiprocessing.active_children() if child not in others]
    threading.Timer(0.05, children[0].kill).start()
    with pytest.raises(WorkerLostError):
        in_processes(time.sleep, [60.0] * 2)
    assert all(gone_within(child, 10.0) for child in children)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="kills where signals cannot be ignored")
def test_signals_to_all_processes_are_for_the_parent_alone(at_once):
    set_jobs(2)
    in_processes(str, range(2))

    def to_workers():
        for child in multiprocessing.active_children():
            os.kill(child.pid, signal.SIGTERM)
            os.kill(child.pid, signal.SIGHUP)

    threading.Timer(0.05, to_workers).start()
    assert in_processes(time.sleep, [0.2] * 2) == [None, None]


@pytest.mark.deep
def test_ctrl_c_ends_processes(at_once, monkeypatch):
    """Also with items that wait for one; no thread fails meanwhile."""
    failures = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    set_jobs(2)
    jobs._processes.cache_clear()
    others = multiprocessing.active_children()
    held = jobs._processes(2)  # as the traceback of an interrupted run holds its pool
    threading.Timer(4.0, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            in_processes(time.sleep, [60.0] * 12)
    finally:
        signal.signal(signal.SIGINT, before)
    children = [child for child in multiprocessing.active_children() if child not in others]
    assert all(gone_within(child, 10.0) for child in children)
    for thread in threading.enumerate():
        if "Executor" in type(thread).__name__:
            thread.join(10.0)
    assert held
    assert [failure.exc_value for failure in failures] == []
    assert in_processes(str, range(3)) == ["0", "1", "2"]


def test_another_number_of_jobs_ends_the_processes_of_the_last(at_once):
    set_jobs(3)
    in_processes(str, range(3))
    three = jobs._processes(3)[0]._processes
    children = [child for child in multiprocessing.active_children() if child.pid in three]
    set_jobs(2)
    assert in_processes(str, range(3)) == ["0", "1", "2"]
    assert len(children) == 3
    assert all(gone_within(child, 10.0) for child in children)


def gone_within(process, seconds):
    """No join: the thread of the pool waits for the process, too, and one of both would fail."""
    end = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < end:
        time.sleep(0.01)
    return not process.is_alive()


def test_short_work_starts_no_process(monkeypatch):
    set_jobs(2)
    monkeypatch.setattr(jobs, "_processes", None)
    assert in_processes(str, range(3)) == ["0", "1", "2"]


def test_without_threadpoolctl_all_is_done_here(at_once, monkeypatch):
    set_jobs(2)
    monkeypatch.setattr(jobs, "_controller", lambda: None)
    monkeypatch.setattr(jobs, "_processes", None)
    assert in_processes(str, range(3)) == ["0", "1", "2"]


def test_items_run_side_by_side_and_come_in_order():
    set_jobs(3)
    seen = in_threads(lambda item: (item, current_jobs()), range(7))
    assert seen == [(item, 1) for item in range(7)]  # no threads within threads


def test_an_error_comes_out_as_it_is_and_ends_the_work():
    set_jobs(2)

    def work(item):
        if item == 1:
            raise qep.NetworkError("one line")
        return item

    with pytest.raises(qep.NetworkError, match="one line"):
        in_threads(work, range(200))
    assert in_threads(str, range(3)) == ["0", "1", "2"]


def test_warnings_of_threads_are_counted():
    set_jobs(2)
    with counting_warnings(WarningLog()) as log, pytest.warns(qep.QepWarning):
        in_threads(lambda item: warn(qep.QepWarning, "constant", detail=str(item)), range(4))
    assert [count.times for count in log.given] == [4]


@pytest.mark.parametrize("number", [0, -1, 1.5, "all", True, 62])
def test_no_number_of_jobs(number):
    with pytest.raises(ConfigError, match=r"^jobs: expected .*, got "):
        set_jobs(number)


def test_a_configuration_sets_the_number():
    qep.from_file("configs/xor.toml", ["execution.jobs=2"])
    assert current_jobs() == 2
    qep.from_file("configs/xor.toml")
    set_jobs(1)
    assert current_jobs() == 1
