"""Files that are no ansatz: one line that says which file, what was expected, what came, and what to do."""

import re

import pytest

from qep_qiskit.ansatz import read_ansatz
from qep_qiskit.core.amounts import amount
from qep_qiskit.core.errors import AnsatzError

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


def test_one_qubit_twice(refused):
    """Qiskit 2.2 calls it a qubit, newer ones a bit."""
    message = refused(TWO + "cx q[0], q[0];\nrx(a) q; ry(b) q;")
    assert re.search(r", line 6: expected gates that .*, got: duplicate (qu)?bit arguments; use", message)


OLD = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n// more\nqreg q[3];\ncreg c[3];\n'


@pytest.mark.parametrize("before", ["", "// 3.0\n\n"])
def test_version_2_has_no_free_angles_and_one_line_says_how_to_have_them(before, refused):
    message = refused(before + OLD + "ry(0.3) q[0];\ncu1(pi/4) q[0], q[1];\nmeasure q -> c;")
    assert message == (
        ": expected at least one free angle, got OpenQASM 2, where all angles are numbers; write it in OpenQASM 3 and "
        'declare the angles that train, as in \'OPENQASM 3.0; include "stdgates.inc"; input angle a; qubit[3] q; '
        "ry(a) q[0];'"
    )


def test_version_2_that_does_not_parse(refused):
    assert ":6,0: 'rr' is not defined" in refused(OLD + "rr(0.3) q[0];")


@pytest.mark.parametrize(
    "measurement",
    ["measure q[0];", "bit c = measure q[0];", "bit[2] c; c[0] = measure q[0];", "creg c[2]; measure q -> c;"],
)
def test_measurements_before_gates(measurement, refused):
    message = refused(TWO + measurement + "\nrx(a) q; ry(b) q;")
    assert "expected only gates, got a measurement of qubit 0 before its gate 'rx'; remove it" in message


@pytest.mark.parametrize(
    ("angle", "division", "value"),
    [("1/2*a", "1 / 2", 0), ("a + (1 + 2)/2", "(1 + 2) / 2", 1), ("-1/2*a", "-1 / 2", 0), ("a + 7/4", "7 / 4", 1)],
)
def test_divisions_of_whole_numbers(angle, division, value, refused):
    message = refused(TWO + f"ry({angle}) q; rx(a + b) q;")
    assert f", line 6: expected angles of real numbers, got the division of whole numbers {division}" in message
    assert f"which is {value} in OpenQASM 3; write " in message


@pytest.mark.parametrize("num_qubits", [1, 3])
def test_other_number_of_qubits(num_qubits, refused):
    message = refused(TWO + "rx(a) q; ry(b) q;", num_qubits)
    assert f"expected the {amount(num_qubits, 'qubit')} of the network, got 2; declare qubit[{num_qubits}]" in message


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("bit c = 0;", "a classical variable; remove it"),
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
    assert "got none; declare one, such as 'input angle a;', and use it" in refused(
        HEAD + "qubit[2] q;\nh q; rx(0.3) q;"
    )


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
