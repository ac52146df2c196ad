"""Files that are no ansatz: one line that says which file, what was expected, what came, and what to do."""

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qep_qiskit.ansatz import read_ansatz
from qep_qiskit.errors import AnsatzError
from qep_qiskit.evolution import evolve

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
TWO = HEAD + "input float[64] a;\ninput float[64] b;\nqubit[2] q;\n"  # the next line is line 6
RESERVED = ("J[0,1]", "h[0]", "Z0 Z1")


@pytest.fixture
def refused(tmp_path, capfd):
    """The message about a file with this text; nothing is printed on the way."""

    def refuse(text, num_qubits=2):
        path = tmp_path / "mine.qasm"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(AnsatzError) as caught:
            read_ansatz(path, num_qubits, RESERVED)
        message = str(caught.value)
        assert message.startswith(f"ansatz file {path}")
        assert "\n" not in message
        assert "Traceback" not in message
        assert capfd.readouterr() == ("", "")
        return message.removeprefix(f"ansatz file {path}")

    return refuse


@pytest.mark.parametrize("name", ["nothing.qasm", "."])
def test_file_that_cannot_be_read(name, tmp_path):
    with pytest.raises(AnsatzError, match=r"expected a file that can be read, got: .*; check its path"):
        read_ansatz(tmp_path / name, 2, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe\x00", "got bytes that are not UTF-8 text"),
        ("", "got an empty file"),
        ("// only this\n", "got text that does not parse"),
        (TWO + "rx(a+) q[0];", ", line 6: expected OpenQASM 3, got text that does not parse"),
        (TWO + "rx(a) q[0]", ", line 6: expected OpenQASM 3, got text that does not parse"),
        (TWO + "rx(a) q;\n$$$;", ", line 7: expected OpenQASM 3, got text that does not parse (token"),
    ],
)
def test_text_that_does_not_parse(text, message, refused):
    assert message in refused(text)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("foo(a) q[0];", ", line 6: expected gates that Qiskit can import from OpenQASM 3, got: gate 'foo'"),
        ("rx(c) q[0];", ", line 6: expected gates that Qiskit can import from OpenQASM 3, got: Undefined symbol 'c'"),
        ("rx(a) q[5];", ", line 6: expected gates that Qiskit can import from OpenQASM 3, got: index out of range"),
        ("h q;\nrx(a, b) q;", ", line 7: expected gates that Qiskit can import"),
        ("rx q;", "got: a gate with the wrong number of angles; use"),
        ("u3(a) q;", "got: a gate with the wrong number of angles; use"),
        ("cx q[0], q[0];", "got: duplicate bit arguments; use"),
        ("cx q[0];", ", line 6: expected gates that Qiskit can import from OpenQASM 3, got: The amount of qubit(1)"),
        (
            "input int k;",
            "line 6: expected gates that Qiskit can import from OpenQASM 3, got: only 'float' and 'angle'",
        ),
        ("const float c = 0.3;", ", line 6: expected only gates, got a named constant; write its number"),
        ("delay[10ns] q[0];", ", line 6: expected only gates, got a delay"),
        ("output bit k;", "the 'output' keyword is not supported"),
    ],
)
def test_statements_that_cannot_be_imported(statement, message, refused):
    assert message in refused(TWO + statement + "\nrx(a) q; ry(b) q;")


def test_another_language_version(refused):
    assert "line 2: expected gates that Qiskit can import" in refused(
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];'
    )


@pytest.mark.parametrize("num_qubits", [1, 3])
def test_other_number_of_qubits(num_qubits, refused):
    message = refused(TWO + "rx(a) q; ry(b) q;", num_qubits)
    assert f"expected the {num_qubits} qubits of the network, got 2; declare qubit[{num_qubits}]" in message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("measure q[0];", "a measurement; remove it"),
        ("bit c = measure q[0];", "a classical variable; remove it"),
        ("bit[2] c;", "a classical variable; remove it"),
        ("creg c[2];", "a classical variable; remove it"),
        ("float x = 0.3;", "a classical variable; remove it"),
        ("reset q[0];", "a reset; remove it"),
        ("if (a > 1) { x q[0]; }", "control flow; write the gates out"),
        ("for int i in [0:1] { rx(a) q[i]; }", "control flow; write the gates out"),
        ("while (true) { rx(a) q[0]; }", "control flow; write the gates out"),
        ("switch (1) { case 0 { x q[0]; } }", "control flow; write the gates out"),
    ],
)
def test_statements_that_are_no_gates(statement, message, refused):
    found = refused(TWO + statement + "\nrx(a) q; ry(b) q;")
    assert f", line 6: expected only gates, got {message}" in found


@pytest.mark.parametrize(
    ("gate", "advice"),
    [
        ("crx(a)", "write crx(t) a, b; as h b; rz(t/2) b; cx a, b; rz(-t/2) b; cx a, b; h b;"),
        ("cry(a)", "write cry(t) a, b; as ry(t/2) b; cx a, b; ry(-t/2) b; cx a, b;"),
        ("crz(a + 0.3)", "write crz(t) a, b; as rz(t/2) b; cx a, b; rz(-t/2) b; cx a, b;"),
        ("cp(a)", "write cp(t) a, b; as rz(t/2) a; rz(t/2) b; cx a, b; rz(-t/2) b; cx a, b;"),
        ("cphase(a)", "write cp(t) a, b; as"),
        ("cu(a, 0, 0, 0)", "got 'cu'; write rotations and cx gates"),
        ("ctrl @ rx(a)", "write crx(t) a, b; as"),
        ("negctrl @ rz(a)", "write rotations and cx gates"),
        ("mine(a)", "write crz(t) a, b; as"),
    ],
)
def test_controlled_rotations_with_free_angles(gate, advice, refused):
    message = refused(TWO + f"gate mine(t) x, y {{ h x; crz(t) x, y; }}\n{gate} q[0], q[1];\nrx(b) q;")
    assert "expected no controlled rotation with a free angle, which simulators bind wrongly, got '" in message
    assert advice in message


@pytest.mark.parametrize("gate", ["crx", "cry", "crz", "cp"])
def test_what_to_write_instead_is_the_same_gate(gate, refused, tmp_path):
    advice = refused(TWO + f"{gate}(a) q[0], q[1];\nrx(b) q;").split(" a, b; as ")[1]
    path = tmp_path / "instead.qasm"
    use = "input float turn;\nqubit[2] q;\nU(1, 2, 3) q; mine(turn) q[0], q[1];"
    path.write_text(HEAD + f"gate mine(t) a, b {{ {advice} }}\n" + use)
    angle, circuit = 1.3, QuantumCircuit(2)
    circuit.u(1, 2, 3, [0, 1])
    getattr(circuit, gate)(angle, 0, 1)
    found = evolve(read_ansatz(path, 2, ()), np.array([[angle]]))[0]
    assert abs(np.vdot(Statevector(circuit).data, found)) == pytest.approx(1.0, abs=1e-10)


@pytest.mark.parametrize("angle", ["a * b", "a * a", "1 / a", "a / b", "(a + b) * a", "a * (b + 1) / 2"])
def test_angles_that_are_not_affine(angle, refused):
    message = refused(TWO + f"rx({angle}) q[0];\nry(a) q; rz(b) q;")
    assert "expected angles that are affine in the parameters, such as 2*a - b + pi/2, got rx(" in message
    assert "use a free parameter of its own" in message


def test_angles_that_are_not_affine_in_the_gates_of_the_file(refused):
    assert "affine" in refused(TWO + "gate foo(t) x { ry(2 * t) x; }\nfoo(a * b) q[0]; rx(b) q;")


def test_functions_of_angles(refused):
    assert ", line 6: expected only gates, got a function; write its number, or" in refused(TWO + "rx(sin(a)) q;")


def test_no_free_parameters(refused):
    assert "expected at least one free angle, got none" in refused(HEAD + "qubit[2] q;\nh q; rx(0.3) q;")


@pytest.mark.parametrize("gates", ["rx(a) q;", "rx(a) q; gphase(b);", "rx(a + b - b) q;"])
def test_parameters_that_turn_nothing(gates, refused):
    message = refused(TWO + gates)
    assert "expected every parameter to turn a gate, got 'b', on which the state does not depend" in message


@pytest.mark.parametrize(
    ("name", "meant"), [("J_0_1", "J[0,1]"), ("J01", "J[0,1]"), ("h_0", "h[0]"), ("Z0_Z1", "Z0 Z1")]
)
def test_parameters_named_like_weights(name, meant, refused):
    message = refused(HEAD + f"input float a;\ninput float {name};\nqubit[2] q;\nrx(a) q;\nrz({name}) q;")
    assert f"expected free angles only, got the parameter '{name}' named as '{meant}' of the network" in message
    assert "let every angle be free" in message
