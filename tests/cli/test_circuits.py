import re

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import SparsePauliOp, Statevector

from qep_qiskit.cli.circuits import gradient_circuits
from qep_qiskit.config import from_file

pytest.importorskip("qiskit_qasm3_import")

PHASES = {
    ("symmetric", 0.3): {"free": 0.0, "nudged_plus": 0.3, "nudged_minus": -0.3},
    ("one_sided", -0.2): {"free": 0.0, "nudged_minus": -0.2},
    ("four_point", 0.1): {
        "free": 0.0,
        "nudged_plus": 0.1,
        "nudged_minus": -0.1,
        "nudged2x_plus": 0.2,
        "nudged2x_minus": -0.2,
    },
}


def choose(contrast):
    return f"contrast={{kind='{contrast[0]}', beta={contrast[1]}}}"


def state_of(circuit):
    return Statevector(circuit.remove_final_measurements(inplace=False))


def state_in(folder, name):
    return state_of(qasm3.loads((folder / f"{name}.qasm").read_text()))


@pytest.fixture
def written(qep, here):
    """Writes the circuits of a configuration to a folder."""

    def write(config, *words):
        result = qep("circuits", config, "--out", "circuits", *words)
        assert (result.code, result.err) == (0, "")
        return here / "circuits"

    return write


@pytest.mark.parametrize("contrast", PHASES, ids=lambda contrast: contrast[0])
def test_names(written, contrast):
    """Each phase in each group, as OpenQASM 3 and as a drawing."""
    folder = written("circuits.toml", "--set", choose(contrast))
    names = {f"{phase}_{group}.{kind}" for phase in PHASES[contrast] for group in "ZX" for kind in ("qasm", "txt")}
    assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("contrast", PHASES, ids=lambda contrast: contrast[0])
def test_files_give_the_states_that_are_drawn(written, here, settings, contrast):
    folder = written("circuits.toml", "--set", choose(contrast), "--sample", 2)
    experiment = from_file("circuits.toml", [choose(contrast)])
    start = experiment.network.layout.initial(experiment.seeds)
    for named in gradient_circuits(experiment, start, 2):
        drawn = state_of(named.circuit)
        assert abs(np.vdot(state_in(folder, named.name), drawn)) == pytest.approx(1, abs=1e-10)
        assert (folder / f"{named.name}.txt").read_text() == named.drawing + "\n"


def test_files_measure_every_qubit_into_its_own_bit(written):
    for path in written("circuits.toml").glob("*.qasm"):
        circuit = qasm3.loads(path.read_text())
        measured = [i for i in circuit.data if i.operation.name == "measure"]
        found = {(circuit.find_bit(i.qubits[0]).index, circuit.find_bit(i.clbits[0]).index) for i in measured}
        assert found == {(k, k) for k in range(circuit.num_qubits)}


def test_x_circuit_is_the_z_circuit_in_another_basis(written):
    folder = written("circuits.toml")
    for phase in PHASES["symmetric", 0.3]:
        flipped, turned = (state_in(folder, f"{phase}_{group}") for group in "ZX")
        for k in range(2):
            words = [SparsePauliOp.from_sparse_list([(p, [k], 1)], 2) for p in "XZ"]
            assert flipped.expectation_value(words[0]) == pytest.approx(turned.expectation_value(words[1]), abs=1e-10)


@pytest.mark.deep(but=["one_sided"])
@pytest.mark.parametrize("kind", ["one_sided", "symmetric"])
def test_files_give_the_gradient(qep, written, settings, kind):
    """An operator cost needs no error signals, so the files alone give every number of `qep gradient`."""
    choice = settings(f"contrast={{kind='{kind}', beta=0.2}}", "measurement.shots='exact'")
    folder = written("aim.toml", *choice)
    low, span = ("nudged_minus", 0.4) if kind == "symmetric" else ("free", 0.2)
    for weight in qep("gradient", "aim.toml", "--sample", 0, "--json", *choice).object["weights"]:
        spins = [int(k) for k in weight["name"][2:-1].split(",")]
        group = "X" if weight["name"][0] == "h" else "Z"
        term = SparsePauliOp.from_sparse_list([("Z" * len(spins), spins, -1)], 3)
        plus, minus = (state_in(folder, f"{phase}_{group}").expectation_value(term) for phase in ("nudged_plus", low))
        assert weight["gradient"] == pytest.approx((plus - minus).real / span, abs=1e-9)


def test_free_circuit_gives_the_cost(qep, written, settings):
    choice = settings("measurement.shots='exact'")
    state = state_in(written("circuits.toml", *choice, "--sample", 1), "free_Z")
    output = state.expectation_value(SparsePauliOp("ZI")).real
    target = from_file("circuits.toml").task.train.targets[1, 0]
    cost = qep("gradient", "circuits.toml", "--sample", 1, "--json", *choice).object["cost"]
    assert cost == pytest.approx((output - target) ** 2, abs=1e-9)


def test_printed_circuits(qep, here, written):
    folder = written("circuits.toml")
    printed = qep("circuits", "circuits.toml").out
    for path in folder.glob("*.qasm"):
        assert path.read_text() in printed
        assert path.with_suffix(".txt").read_text() in printed
        assert f"{path.stem}\n" in printed
    assert list(here.glob("runs")) == []


@pytest.mark.parametrize("contrast", PHASES, ids=lambda contrast: contrast[0])
def test_table_names_every_circuit_in_80_columns(qep, here, contrast):
    table = qep("circuits", "circuits.toml", "--out", "c", "--set", choose(contrast)).out
    assert all(len(line) <= 80 for line in table.splitlines())
    assert all(f"{phase}_{group} " in table for phase in PHASES[contrast] for group in "ZX")


def test_table_counts_gates(qep, here):
    """Five steps of second order on two spins: X five times between six layers of Z, and no barrier counted."""
    lines = qep("circuits", "circuits.toml", "--out", "c").out.splitlines()
    row = next(line for line in lines if "free_Z" in line)
    numbers = [int(cell) for cell in re.split(r"[│\s]+", row) if cell.isdigit()]
    assert numbers[:-1] == [0, 2, 2 + 6 * (1 + 2) + 5 * 2, 6]  # beta, qubits, gates, two-qubit gates


def test_circuits_of_a_run_have_its_weights(qep, copied, here):
    run, config = copied("circuits"), here / "circuits.toml"
    for source, folder in ((run, "trained"), (config, "start")):
        assert qep("circuits", source, "--out", folder).code == 0
    states = [state_in(here / folder, "free_Z") for folder in ("trained", "start")]
    assert abs(np.vdot(*states)) < 1 - 1e-6
