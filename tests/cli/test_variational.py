"""Variational preparations and excited levels through every command, held against exact states."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector

from qep_qiskit.config import from_file
from qep_qiskit.evolution import evolve
from qep_qiskit.execution import RequestKey
from qep_qiskit.learning import evaluate
from qep_qiskit.measurement import run_measurements
from qep_qiskit.preparation import HamiltonianFamily, WarmStart

SURE = ("measurement.shots='exact'", "preparation.tolerance=1e-8")
DEEP = (*SURE, "preparation.ansatz={kind='hamiltonian', depth=3}")
STOPPING = ("preparation.on_unconverged='stop'", "preparation.max_evaluations=30", "preparation.tolerance=1e-5")
STOPS_AT_STEP = 3


def state_in(folder, name):
    circuit = qasm3.loads((folder / f"{name}.qasm").read_text())
    return Statevector(circuit.remove_final_measurements(inplace=False))


def written(qep, source, folder, *words):
    result = qep("circuits", source, "--out", folder, *words)
    assert (result.code, result.err) == (0, "")
    return Path(folder)


def network_energy(weights, x, num_spins):
    """The free Hamiltonian, from names and values of weights."""
    terms = []
    for weight in weights:
        spins = [int(k) for k in weight["name"][2:-1].split(",")]
        match weight["name"][0]:
            case "J":
                terms.append(("ZZ", spins, -weight["value"]))
            case "h":
                terms.append(("X", spins, -weight["value"]))
            case "b":
                terms.append(("Z", spins, -weight["value"]))
            case "W":
                terms.append(("Z", spins[1:], -weight["value"] * x[spins[0]]))
    return SparsePauliOp.from_sparse_list(terms, num_spins)


COST = SparsePauliOp.from_sparse_list([("ZZ", [0, 1], 1.0), ("Z", [2], 0.5)], 3)
VARIATIONAL_AIM = "preparation={kind='variational', tolerance=1e-8}"


@pytest.mark.parametrize(("name", "beta"), [("free", 0.0), ("nudged_plus", 0.3), ("nudged_minus", -0.3)])
def test_circuits_are_the_ground_states(qep, here, settings, name, beta):
    """The files alone, with an aim: their energies are the lowest of H + beta C, in both groups the same state."""
    choice = settings(VARIATIONAL_AIM)
    weights = qep("gradient", "aim.toml", "--sample", 0, "--json", *choice).object["weights"]
    hamiltonian = network_energy(weights, (), 3) + beta * COST
    lowest = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]
    folder = written(qep, "aim.toml", here / "circuits", *choice)
    state = state_in(folder, f"{name}_Z")
    assert state.expectation_value(hamiltonian).real == pytest.approx(lowest, abs=1e-9)
    turned = state_in(folder, f"{name}_X")
    for k in range(3):
        z, x = (SparsePauliOp.from_sparse_list([(letter, [k], 1)], 3) for letter in "ZX")
        assert turned.expectation_value(z) == pytest.approx(state.expectation_value(x), abs=1e-9)


def test_circuits_give_the_gradient(qep, here, settings):
    choice = settings(VARIATIONAL_AIM, "measurement.shots='exact'")
    folder = written(qep, "aim.toml", here / "circuits", *choice)
    for weight in qep("gradient", "aim.toml", "--sample", 0, "--json", *choice).object["weights"]:
        group = "X" if weight["name"][0] == "h" else "Z"
        spins = [int(k) for k in weight["name"][2:-1].split(",")]
        term = SparsePauliOp.from_sparse_list([("Z" * len(spins), spins, -1)], 3)
        plus, minus = (
            state_in(folder, f"{phase}_{group}").expectation_value(term) for phase in ("nudged_plus", "nudged_minus")
        )
        assert weight["gradient"] == pytest.approx((plus - minus).real / 0.6, abs=1e-6)


@pytest.mark.parametrize(("name", "tolerance"), [("vqe", ("preparation.tolerance=1e-8",)), ("sampled", ())])
def test_circuits_are_those_of_the_preparation(qep, here, settings, name, tolerance):
    """Also where the states are no eigenstates: means of the files equal those of the states that are prepared.

    A tolerance that is left out follows the nudge, and free states alone have none.
    """
    folder = written(qep, f"{name}.toml", here / "circuits", "--sample", 1, *settings(*tolerance))
    experiment = from_file(f"{name}.toml", tolerance)
    hamiltonian, data = experiment.estimator.hamiltonian, experiment.task.train.take(np.array([1]))
    family = HamiltonianFamily.of_free(
        hamiltonian.groups,
        hamiltonian.free_coefficients(experiment.network.layout.initial(experiment.seeds), data.inputs),
        RequestKey("circuits", 1),
    )
    prepared, _ = run_measurements(experiment.estimator.preparation.prepare(family, WarmStart()), experiment.executor)
    expected = Statevector(evolve(prepared.states.program, prepared.states.parameters)[0])
    assert abs(np.vdot(expected.data, state_in(folder, "free_Z").data)) == pytest.approx(1, abs=1e-9)


def test_circuits_of_a_file_are_written_in_its_gates(qep, here):
    """Three angles of the user's circuit come out as numbers of his own gates."""
    folder = written(qep, "sampled.toml", here / "circuits")
    circuit = qasm3.loads((folder / "free_Z.qasm").read_text())
    assert {step.operation.name for step in circuit.data} <= {"ry", "rz", "cx", "barrier", "measure"}
    assert circuit.count_ops()["cx"] == 2


def exact_and_variational(qep, settings, level):
    for config, choice in (("exact.toml", ("measurement.shots='exact'",)), ("vqe.toml", DEEP)):
        words = settings(*choice, f"preparation.level={level}", "contrast.beta=0.02")
        result = qep("gradient", config, "--sample", 1, "--json", "--compare", "exact", *words)
        assert result.code == 0, result.err
        yield result.object


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_levels_agree_with_exact_ones(qep, here, settings, level):
    exact, variational = exact_and_variational(qep, settings, level)
    assert variational["cost"] == pytest.approx(exact["cost"], abs=1e-5)
    one, other = ([weight["gradient"] for weight in found["weights"]] for found in (variational, exact))
    assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize(
    "level",
    [
        0,
        *(level for level in (1, 3)),
    ],
)
def test_exact_numbers_are_of_the_same_level(qep, here, settings, level):
    exact, _ = exact_and_variational(qep, settings, level)
    assert exact["cost"] == pytest.approx(exact["exact_cost"], abs=1e-9)
    contrasts = [weight["exact_contrast"] for weight in exact["weights"]]
    assert [weight["gradient"] for weight in exact["weights"]] == pytest.approx(contrasts, abs=1e-9)


@pytest.mark.parametrize(
    "level",
    [0, 1],
)
def test_nudged_circuits_follow_the_error_signal_of_their_level(qep, here, settings, level):
    choice = settings(*DEEP, f"preparation.level={level}")
    folder = written(qep, "vqe.toml", here / "circuits", "--sample", 1, *choice)
    experiment = from_file("vqe.toml")
    data = experiment.task.train
    weights = qep("gradient", "vqe.toml", "--sample", 1, "--json", *choice).object["weights"]
    z = SparsePauliOp.from_sparse_list([("Z", [1], 1.0)], 2)
    signal = 2.0 * (state_in(folder, "free_Z").expectation_value(z).real - data.targets[1, 0])
    matrix = (network_energy(weights, data.inputs[1], 2) + 0.3 * signal * z).to_matrix()
    nudged = state_in(folder, "nudged_plus_Z").data
    energy = np.vdot(nudged, matrix @ nudged)
    assert np.linalg.norm(matrix @ nudged - energy * nudged) < 1e-4


BACKENDS = [
    "execution.backend='statevector'",
    "execution.measured_circuits=true",
    "execution.method='density_matrix'",
    "execution={method='matrix_product_state', max_bond_dimension=2}",
    "execution.noise={two_qubit=0.0, readout=0.0, one_qubit=0.0}",
]


@pytest.mark.deep(but=["execution.backend='statevector'", "execution.method='density_matrix'"])
@pytest.mark.parametrize("setting", BACKENDS)
def test_backends_read_the_same_states(qep, runs, here, settings, setting):
    """Simulated energies: the angles do not depend on what reads them out, and the shots are as many."""
    many = settings("measurement.shots=20000", setting)
    first = qep("gradient", "vqe.toml", "--sample", 1, "--json", "--set", "measurement.shots='exact'").object
    found = qep("gradient", "vqe.toml", "--sample", 1, "--json", *many).object
    assert found["shots"] == 20000 * found["circuits"]
    for weight, sure in zip(found["weights"], first["weights"], strict=True):
        assert abs(weight["gradient"] - sure["gradient"]) < 5 * weight["standard_error"]


@pytest.mark.deep
def test_sampled_energies_on_a_device(qep, here, settings):
    pytest.importorskip("qiskit_ibm_runtime")
    choice = settings("execution.backend='fake_manila'", "training.epochs=1", "task.test_fraction=0.0")
    assert qep("train", "sampled.toml", "--out", "run", *choice).code == 0


def test_predictions_of_a_minimised_network(qep, here, settings):
    """The outputs are those of the ground states of the trained weights, to the errors of the shots."""
    choice = settings("measurement.shots=4000", "training.epochs=1", "preparation={kind='variational', tolerance=1e-6}")
    assert qep("train", "flowers.toml", "--out", "run", *choice).code == 0
    weights = [{"name": n, "value": w["end"]} for n, w in json.loads(Path("run/weights.json").read_text()).items()]
    (here / "rows.csv").write_text("length,width\n0.3,-1\n0.9,1\n0.2,0\n")
    found = qep("predict", "run", "rows.csv", "--json").object
    assert found["shots"] == 3 * 4000
    for row, x in zip(found["predictions"], [(0.3, -1), (0.9, 1), (0.2, 0)], strict=True):
        ground = np.linalg.eigh(network_energy(weights, x, 3).to_matrix())[1][:, 0]
        output = (np.abs(ground) ** 2) @ (1 - 2 * (np.arange(8) >> 2))  # <Z> of the last spin
        assert abs(row["outputs"][0] - output) < 5 * row["standard_error"][0]


def test_an_ansatz_in_qpy_is_kept_by_its_run(qep, here, settings, stopped):
    circuit, a, b = QuantumCircuit(2), Parameter("a"), Parameter("b")
    circuit.ry(a, [0, 1])
    circuit.crx(b, 0, 1)
    with open("mine.qpy", "wb") as file:
        qpy.dump(circuit, file)
    chosen = "preparation.ansatz={kind='file', file='mine.qpy'}"
    folder = stopped("vqe.toml", here / "half", 2, [chosen])
    assert qep("train", "vqe.toml", "--out", "whole", "--set", chosen).code == 0
    (here / "mine.qpy").unlink()
    assert qep("resume", folder).code == 0
    assert (folder / "weights.json").read_bytes() == Path("whole/weights.json").read_bytes()


def test_predictions_start_from_the_nearest_training_sample(qep, here, settings, monkeypatch):
    """A state that is prepared anew from nothing may end on another branch than the one that was trained."""
    assert qep("train", "sampled.toml", "--out", "run").code == 0
    with np.load("run/data.npz") as file:
        inputs = file["train_inputs"]
    with np.load("run/checkpoint.npz") as file:
        angles = file["warm_start_angles"]
    seen = {}

    def watched(*arguments, warm_start, **options):
        seen["memory"], seen["inputs"] = warm_start, arguments[3].inputs
        return evaluate(*arguments, warm_start=warm_start, **options)

    monkeypatch.setattr("qep_qiskit.runs.trained.evaluate", watched)
    source = json.loads(Path("run/config.json").read_text())["config"]["task"]["file"]
    assert qep("predict", "run", source, "--json").code == 0
    nearest = [int(np.sum((inputs - row) ** 2, axis=1).argmin()) for row in seen["inputs"]]
    assert np.array_equal(seen["memory"]["angles"], angles[nearest])


def metrics(folder):
    lines = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]


@pytest.fixture
def given_up(qep, here, settings):
    """A run that stopped by itself at a state that is not converged, and what it said."""
    result = qep("train", "vqe.toml", "--out", "run", *settings(*STOPPING))
    assert (result.code, result.out) == (2, "")
    return here / "run", result.err


def test_a_state_that_is_not_converged_can_stop_the_run(given_up):
    _, said = given_up
    assert said.count("\n") == 1
    assert said.startswith("qep: error: preparation: ")
    assert "states are not converged to 1.0e-05 (sample " in said
    assert "residual" in said
    assert "on_unconverged = 'stop'" in said


def test_what_was_done_before_is_kept(qep, here, given_up, settings):
    """The metrics are those of a run that goes on, up to the stop; the weights are those of its last step."""
    folder, _ = given_up
    going_on = settings(*STOPPING[1:], "preparation.on_unconverged='go_on'")
    assert qep("train", "vqe.toml", "--out", "through", *going_on).err == ""
    lines = metrics(folder)
    assert lines[-1]["step"] == STOPS_AT_STEP
    assert lines == metrics("through")[: len(lines)]
    assert metrics("through")[len(lines)]["unconverged"] > 0
    assert qep("gradient", folder, "--sample", 0).code in (0, 2)
    assert qep("circuits", folder, "--out", "c").code in (0, 2)


def test_resuming_comes_to_the_same_state(qep, given_up, refused):
    """Nothing is lost and nothing gets worse: the same line, and a folder that is as it was but for seconds."""
    folder, said = given_up
    before = metrics(folder)
    again = qep("resume", folder)
    assert (again.code, again.err) == (2, said)
    assert metrics(folder) == before


def test_a_warning_comes_once(qep, here, settings):
    result = qep("train", "vqe.toml", "--out", "run", *settings("preparation.max_evaluations=8"))
    assert result.code == 0
    assert result.err.count("UnconvergedWarning") == result.err.count("UnresolvedContrastWarning") == 1
    assert result.err.count("\n") == 2
    assert any(line.get("unconverged", 0) > 0 for line in metrics("run"))


def test_resume_does_not_warn_where_nothing_is_wrong(qep, stopped, here):
    folder = stopped(here / "vqe.toml", here / "halted", 2)
    assert qep("resume", folder).err == ""


def test_no_thread_outlives_an_error_of_the_executor(here):
    """A thread that waits for an answer keeps the process from ending."""

    class Broken:
        def submit(self, request):
            return request

        def collect(self, job_handle):
            raise RuntimeError("the machine is gone")

    experiment = from_file("sampled.toml")
    data = experiment.task.train.take(np.array([0]))
    weights = experiment.network.layout.initial(experiment.seeds)
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the machine is gone") as caught:
        run_measurements(
            experiment.estimator.estimate(weights, data.inputs, data.targets, RequestKey("test", 0)), Broken()
        )
    assert threading.active_count() == before
    assert caught.tb is not None


def test_a_run_whose_contrasts_are_not_resolved_says_so(qep, here):
    """A tolerance above the force of the nudge: states count as converged where the free one is."""
    config = Path(__file__).parents[2] / "configs" / "xor.toml"
    texts = ["preparation={kind='variational', tolerance=1e-4}", "measurement.shots='exact'", "training.epochs=2"]
    changes = [word for text in [*texts, "contrast.beta=1e-5"] for word in ("--set", text)]
    result = qep("train", config, "--out", "run", *changes)
    assert result.code == 0
    assert result.err.count("UnresolvedContrastWarning") == 1
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["contrast_error"] > 0.5 for line in lines if line["event"] == "step"] == [True, True]
