"""The user's own circuits: what they become, against Qiskit's state of the same file."""

import re
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qasm3, qpy
from qiskit.circuit import Parameter, ParameterVector
from qiskit.quantum_info import Statevector
from qiskit_aer.primitives import SamplerV2
from reference import derivative

from qep_qiskit.ansatz import initial_state_measurement, read_ansatz
from qep_qiskit.core.errors import AnsatzError, IgnoredMeasurementWarning
from qep_qiskit.core.program import CxLayer, Layer, lower, to_circuit_per_gate
from qep_qiskit.evolution import energy_and_gradient, evolve
from qep_qiskit.network import IsingNetwork, chain

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
SHIPPED = {"alternating": 2, "brick_wall": 4}
FOLDER = Path(__file__).parents[2] / "circuits" / "ansaetze"
SIZE = 4


@pytest.fixture
def read(tmp_path):
    """Writes a file, reads it as an ansatz, and gives Qiskit's circuit of it too."""

    def reader(text, num_qubits=SIZE):
        path = tmp_path / "ansatz.qasm"
        path.write_text(text)
        return read_ansatz(path, num_qubits, ()), qasm3.loads(text)

    return reader


def assert_same_states(program, circuit, rng, states=3):
    angles = rng.uniform(-np.pi, np.pi, (states, program.num_parameters))
    for row, found in zip(angles, evolve(program, angles), strict=True):
        bound = circuit.assign_parameters(dict(zip(program.parameter_names, row, strict=True)))
        expected = Statevector(bound).data
        phase = np.vdot(expected, found)
        assert np.abs(found - phase * expected).max() < 1e-8


FREE = {"rx": (1, 1), "ry": (1, 1), "rz": (1, 1), "p": (1, 1), "u1": (1, 1), "r": (1, 2), "u2": (1, 2), "u": (1, 3)}
FREE |= {"u3": (1, 3), "rxx": (2, 1), "ryy": (2, 1), "rzz": (2, 1), "rzx": (2, 1)}
FREE |= dict.fromkeys(("crx", "cry", "crz", "cp"), (2, 1))
FIXED = dict.fromkeys(("h", "x", "y", "z", "s", "sdg", "t", "tdg", "sx", "sxdg", "id"), 1)
FIXED |= dict.fromkeys(("cx", "cy", "cz", "ch", "swap", "ecr", "iswap", "dcx", "csx"), 2) | {"ccx": 3, "cswap": 3}
RETIRED = {"u1", "u2", "u3"}  # circuits have them no more; files may


def append_free(circuit, name, expressions, qubits):
    if name in RETIRED:
        order = {"u1": (0, 0, expressions[0]), "u2": (np.pi / 2, *expressions[:2]), "u3": expressions[:3]}[name]
        circuit.u(*order, *qubits)
    else:
        getattr(circuit, name)(*expressions[: FREE[name][1]], *qubits)


def random_circuit(rng, size=25):
    """Gates of all kinds on random qubits; angles are random affine functions of six parameters."""
    circuit, theta = QuantumCircuit(SIZE), ParameterVector("t", 6)
    for parameter in theta:
        circuit.ry(parameter, int(rng.integers(SIZE)))
    for _ in range(size):
        if rng.random() < 0.5:
            name = str(rng.choice(list(FREE)))
            picked = rng.integers(6, size=(3, 2))
            affine = [float(rng.normal()) * theta[a] - 0.5 * theta[b] + float(rng.normal()) for a, b in picked]
            append_free(circuit, name, affine, rng.permutation(SIZE)[: FREE[name][0]].tolist())
        else:
            name = str(rng.choice(list(FIXED)))
            getattr(circuit, name)(*rng.permutation(SIZE)[: FIXED[name]].tolist())
    circuit.barrier()
    return circuit


@pytest.mark.parametrize("number", range(12))
def test_random_circuits(number, read, rng):
    program, circuit = read(qasm3.dumps(random_circuit(rng)))
    assert_same_states(program, circuit, rng)


@pytest.mark.parametrize("name", [*FREE, *FIXED])
def test_every_gate_alone(name, read, rng):
    circuit, theta = QuantumCircuit(SIZE), ParameterVector("t", SIZE + 3)
    for qubit in range(SIZE):
        circuit.ry(theta[qubit], qubit)
        circuit.rz(0.3 + qubit, qubit)
    if name in FREE:
        append_free(circuit, name, list(theta[SIZE:]), [2, 1][: FREE[name][0]])
    else:
        getattr(circuit, name)(*[2, 0, 3][: FIXED[name]])
    circuit.rx(theta[SIZE] + theta[SIZE + 1] - theta[SIZE + 2], 3)
    assert_same_states(*read(qasm3.dumps(circuit)), rng)


@pytest.mark.parametrize("gate", ["u1(a)", "u2(a, b)", "u3(a, b, a - b)", "U(b, a, 0.3)", "phase(b)", "inv @ rx(a)"])
def test_gates_that_only_files_have(gate, read, rng):
    text = (
        HEAD + f"input float[64] a;\ninput angle[32] b;\nqubit[2] q;\nh q[0];\n{gate} q[0];\nrx(a) q[1]; ry(b) q[0];\n"
    )
    assert_same_states(*read(text, 2), rng)


def test_modifiers_and_gates_of_the_file(read, rng):
    text = HEAD + (
        "input float a;\ninput float b;\nqubit[2] q;\nqubit r;\n"
        "gate twist(t, s) x, y { rx(t / 2) x; cz x, y; rz(s - t) y; gphase(t); }\n"
        "ry(a) q; twist(b, 2 * a) q[0], r; barrier q; pow(2) @ ry(b) r; ctrl @ rx(0.3) q[1], r;\n"
        "ctrl @ h r, q[0]; gphase(a); id r; negctrl @ x q[0], q[1];\n"
    )
    assert_same_states(*read(text, 3), rng)


def test_controlled_rotations_with_free_angles_in_every_writing(read, rng):
    text = HEAD + (
        "input float a;\ninput float b;\nqubit[3] q;\nU(1, 2, 3) q; gate mine(t) x, y { h x; crz(t) x, y; }\n"
        "ctrl @ rx(a) q[0], q[1]; negctrl @ rz(b) q[1], q[2]; mine(a - b) q[2], q[0]; cphase(a + 0.3) q[0], q[2];\n"
        "cu(a, b, 0.3, a) q[1], q[2]; ctrl(2) @ ry(b) q[0], q[1], q[2];\n"
    )
    assert_same_states(*read(text, 3), rng)


def test_inputs_may_be_named_like_gates(read, tmp_path, rng):
    text = HEAD + (
        "input float {t};\ninput angle {x};\ninput float {mine};\nqubit[2] q;\ngate mine(s) x {{ rx(s) x; h x; }}\n"
        "x q[0]; rz({t}) q; t q[1]; ry(2 * {x} - {t}) q[0]; mine({mine}) q[1]; ctrl @ x q[0], q[1]; mine({x}) q;\n"
    )
    _, circuit = read(text.format(t="a", x="b", mine="c"), 2)
    path = tmp_path / "named.qasm"
    path.write_text(text.format(t="t", x="x", mine="mine"), encoding="utf-8")
    program = read_ansatz(path, 2, ())
    assert program.parameter_names == ("t", "x", "mine")
    back = dict(zip(circuit.parameters, map(Parameter, ("t", "x", "mine")), strict=True))
    assert_same_states(program, circuit.assign_parameters(back), rng)


@pytest.mark.parametrize(
    "end",
    [
        "measure q;",
        "bit[2] c;\nc = measure q;",
        "creg c[2];\nmeasure q[0] -> c[0];\nbarrier q;\nmeasure q[1] -> c[1];",
        "bit c = measure q[0]; ry(a) q[1]; bit d = measure q[1];",
    ],
)
def test_final_measurements_are_ignored_with_a_note(end, tmp_path, rng):
    path = tmp_path / "measured.qasm"
    path.write_text(HEAD + f"input float a;\nqubit[2] q;\nry(a) q; cx q[0], q[1];\n{end}\n", encoding="utf-8")
    with pytest.warns(IgnoredMeasurementWarning, match="final measurements of the ansatz are ignored"):
        program = read_ansatz(path, 2, ())
    circuit, a = QuantumCircuit(2), Parameter("a")
    circuit.ry(a, [0, 1])
    circuit.cx(0, 1)
    if "ry(a)" in end:
        circuit.ry(a, 1)
    assert_same_states(program, circuit, rng)


def test_circuits_and_qpy_files(tmp_path, rng):
    circuit = random_circuit(rng)
    path = tmp_path / "mine.qpy"
    with path.open("wb") as file:
        qpy.dump(circuit, file)
    for source in (circuit, path):
        program = read_ansatz(source, SIZE, ())
        assert program.parameter_names == tuple(f"t[{i}]" for i in range(6))
        assert_same_states(program, circuit, rng)


def test_circuits_that_are_no_ansatz(tmp_path):
    fixed, reset, two = QuantumCircuit(2), QuantumCircuit(2), QuantumCircuit(2, 1)
    fixed.h([0, 1])
    reset.ry(Parameter("a"), 0)
    reset.reset(0)
    two.measure(0, 0)
    two.rx(Parameter("b"), 0)
    for circuit, words in [
        (fixed, "expected at least one free angle, got none; give gates a Parameter('a') for an angle"),
        (reset, "expected gates that are rotations or fixed, got 'reset'; remove it"),
        (two, "got a measurement of qubit 0 before its gate 'rx'; remove it"),
    ]:
        with pytest.raises(AnsatzError, match=re.escape(words)):
            read_ansatz(circuit, 2, ())
    with pytest.raises(AnsatzError, match="expected the 3 qubits of the network, got 2; make the circuit of 3 qubits"):
        read_ansatz(fixed, 3, ())
    path = tmp_path / "half.qpy"
    with path.open("wb") as file:
        qpy.dump([fixed, reset], file)
    with pytest.raises(AnsatzError, match="expected one circuit, got 2; save the ansatz alone"):
        read_ansatz(path, 2, ())
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(AnsatzError, match="expected QPY that this version of Qiskit reads, got: "):
        read_ansatz(path, 2, ())


def test_parameters_come_in_the_order_of_declaration(read):
    names = [f"t_{i}" for i in (10, 2, 1, 0)]
    inputs = "".join(f"input float[64] {name};\n" for name in names)
    gates = "".join(f"rx({name}) q[0];\n" for name in sorted(names))
    assert read(HEAD + inputs + "qubit[1] q;\n" + gates, 1)[0].parameter_names == tuple(names)


def test_a_byte_order_mark_and_greek_names(tmp_path):
    path = tmp_path / "greek.qasm"
    path.write_text(HEAD + "input float θ;\nqubit[1] q;\nrx(θ) q;\n", encoding="utf-8-sig")
    assert read_ansatz(path, 1, ()).parameter_names == ("θ",)


def kinds(program):
    """Letters and number of rotations of every layer, or its CX gates."""
    return [
        list(layer.pairs)
        if isinstance(layer, CxLayer)
        else (program.groups[layer.group].basis.letters, len(layer.source))
        for layer in program.layers
    ]


@pytest.mark.parametrize("by_qubit", [True, False])
def test_neighbours_become_one_layer_in_whatever_order_they_are_written(by_qubit, read):
    circuit, theta = QuantumCircuit(3), ParameterVector("t", 9)
    positions = (
        [(k, g) for k in range(3) for g in range(2)] if by_qubit else [(k, g) for g in range(2) for k in range(3)]
    )
    for qubit, gate in positions:
        getattr(circuit, ("ry", "rz")[gate])(theta[2 * qubit + gate], qubit)
    circuit.cx(0, 1)
    circuit.rx(theta[6], 0)
    circuit.cx(1, 2)
    circuit.rx(theta[7], 1)
    circuit.rx(theta[8], 2)
    found = kinds(read(qasm3.dumps(circuit), 3)[0])
    assert found == [("YYY", 3), ("ZZZ", 3), [(0, 1), (1, 2)], ("XXX", 3)]


def test_a_sum_of_parameters_is_a_rotation_for_each(read, rng):
    text = HEAD + "input float a;\ninput float b;\nqubit q;\nrx(2 * a - b / 3 + 0.4) q;\n"
    program, circuit = read(text, 1)
    rotations = [(source, scale, offset) for _, _, source, scale, offset in program.rotations()]
    assert np.allclose(rotations, [(0, 1.0, 0.2), (1, -1 / 6, 0.0)], rtol=0, atol=1e-12)
    assert_same_states(program, circuit, rng)


def test_cx_rz_cx_is_one_rotation(read, rng):
    text = HEAD + (
        "input float a;\ninput float b;\ninput float c;\nqubit[3] q;\nry(c) q;\n"
        "cx q[0], q[1]; rz(a) q[1]; ry(b) q[2]; cx q[0], q[1];\n"
        "cx q[1], q[2]; rz(a + b) q[2]; cx q[1], q[2];\n"
        "cx q[1], q[2]; ry(a) q[2]; cx q[1], q[2]; cx q[0], q[1]; rz(b) q[1]; cx q[1], q[0]; cx q[1], q[2];\n"
    )
    program, circuit = read(text, 3)
    assert_same_states(program, circuit, rng)
    two = [str(word) for _, word, *_ in program.rotations() if len(word.factors) == 2]
    assert sorted(two) == ["Z0 Z1", "Z1 Z2", "Z1 Z2"]


@pytest.mark.parametrize(
    ("gates", "letters", "outcome"),
    [("h q[0]; x q[1];", "XZ", 2), ("x q[0]; h q[0]; sx q[1];", "XY", 3), ("h q[1]; sdg q[1];", "ZY", 2)],
)
def test_fixed_gates_at_the_start_become_the_product_state(gates, letters, outcome, read, rng):
    program, circuit = read(HEAD + f"input float a;\nqubit[2] q;\n{gates}\nrx(a) q[0]; ry(a) q[1];\n", 2)
    assert_same_states(program, circuit, rng)
    reading = initial_state_measurement(program)
    assert (reading.group.basis.letters, reading.outcome) == (letters, outcome)
    assert all(isinstance(layer, Layer) and (layer.source >= 0).all() for layer in program.layers)


def test_other_fixed_gates_at_the_start_stay_gates(read, rng):
    program, circuit = read(HEAD + "input float a;\nqubit q;\nh q; ry(0.3) q; rz(a) q;\n", 1)
    assert_same_states(program, circuit, rng)
    assert initial_state_measurement(program).group.basis.letters == "X"


def test_adjoint_gradient_is_that_of_differences(read, rng):
    program, _ = read(qasm3.dumps(random_circuit(rng)))
    network = IsingNetwork(graph=chain(SIZE), outputs=(0,))
    coefficients = rng.normal(size=(1, sum(group.num_terms for group in network.groups)))
    point = rng.normal(size=program.num_parameters)

    def energy(p):
        return energy_and_gradient(program, p[None], network.groups, coefficients)[0][0]

    _, gradient = energy_and_gradient(program, point[None], network.groups, coefficients)
    for direction, found in zip(np.eye(len(point)), gradient[0], strict=True):
        assert found == pytest.approx(derivative(lambda h, d=direction: energy(point + h * d)), abs=1e-7)


@pytest.mark.parametrize("synthesis", [lower, to_circuit_per_gate])
def test_values_bound_by_a_pub_are_values_bound_before(synthesis, read, rng):
    circuit = synthesis(read(qasm3.dumps(random_circuit(rng)))[0])
    circuit.measure_all()
    values = rng.normal(size=(1, circuit.num_parameters))
    together = SamplerV2(seed=5).run([(circuit, values)], shots=2000).result()[0].data.meas.array
    alone = SamplerV2(seed=5).run([circuit.assign_parameters(values[0])], shots=2000).result()[0].data.meas.array
    assert np.array_equal(together[0], alone)


def test_every_shipped_file_is_tested():
    assert {path.stem for path in FOLDER.iterdir()} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files(name, rng):
    path = FOLDER / f"{name}.qasm"
    program = read_ansatz(path, SHIPPED[name], ["J[0,1]", "h[0]", "Z0 Z1"])
    assert_same_states(program, qasm3.loads(path.read_text()), rng)
    initial_state_measurement(program)
