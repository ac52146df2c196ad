"""What a variational preparation, its levels, its backend and its circuit cannot be: one line, nothing written."""

import pytest

START = 'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float[64] a;\nqubit[2] q;\n'
SAMPLED = ("preparation.energies='sampled'", "preparation.optimizer='spsa'")

ANSATZ_FILES = {
    "no text": (b"\xff\xfe\x00\x9c", "expected OpenQASM 3 text, got bytes that are not UTF-8 text"),
    "half": (START + "ry(a q;\n", "line 5: expected OpenQASM 3, got text that does not parse"),
    "qubits": (
        START.replace("[2] q", "[3] q") + "ry(a) q;\n",
        "expected the 2 qubits of the network, got 3",
    ),
    "field": (START.replace(" a;", " h_0;") + "ry(h_0) q;\n", "'h_0' named as 'h[0]' of the network"),
}


@pytest.mark.parametrize(("content", "words"), ANSATZ_FILES.values(), ids=ANSATZ_FILES)
@pytest.mark.parametrize("command", [("train",), ("gradient", "--sample", "0")], ids=lambda command: command[0])
def test_ansatz_file(refused, here, command, content, words):
    """What else is no ansatz is in tests/ansatz."""
    (here / "mine.qasm").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refused(*command, "vqe.toml", "--set", "preparation.ansatz={kind='file', file='mine.qasm'}")
    assert words in message
    assert f"ansatz file {here}/mine.qasm" in message


SECTION = [
    ("preparation.ansatz={kind='file'}", "preparation.ansatz.file: this key is missing"),
    ("preparation.ansatz={deepth=2}", "preparation.ansatz.deepth: unknown key; did you mean 'depth'?"),
    ("preparation.ansatz={file='a.qasm'}", "ansatz.file: does not go with kind = 'hamiltonian'; leave it out, or give"),
    (
        "preparation.ansatz={kind='file', file='nothing.qasm'}",
        "nothing.qasm: expected a file that can be read, got: No such file or directory",
    ),
    ("preparation.ansatz=3", "preparation.ansatz: expected a section of keys, got 3"),
    ("preparation.ansatz.kind='uccsd'", "expected one of 'hamiltonian', 'hardware_efficient', 'file', got 'uccsd'"),
    ("preparation.ansatz.depth=0", "preparation.ansatz.depth: expected at least 1, got 0"),
    ("preparation.ansatz={kind='hardware_efficient', depth=-1}", "depth: expected at least 0, got -1"),
    (
        "preparation.ansatz={kind='hardware_efficient', entanglement='star'}",
        "preparation.ansatz.entanglement: expected",
    ),
    ("preparation.ansatz.reps=2", "preparation.ansatz.reps: unknown key"),
    ("preparation.energies='exact'", "preparation.energies: expected 'simulated' or 'sampled', got 'exact'"),
    ("preparation.on_unconverged='ignore'", "expected 'warn', 'stop' or 'go_on', got 'ignore'"),
    ("preparation.tolerance=0", "preparation.tolerance: expected more than 0, got 0"),
    ("preparation.tolerance=-1.0", "preparation.tolerance: expected more than 0, got -1.0"),
    ("preparation.tolerance=nan", "preparation.tolerance: expected a finite number"),
    ("preparation.max_evaluations=-3", "preparation.max_evaluations: expected at least 1, got -3"),
    ("preparation.restarts=0", "preparation.restarts: expected at least 1, got 0"),
    ("preparation.residual_directions=-1", "preparation.residual_directions: expected at least 0"),
    ("preparation.shots=0", "preparation.shots: expected at least 1, got 0"),
    ("preparation.shots=10", "preparation.shots: goes with energies = 'sampled'; leave it out"),
    ("preparation.steps=3", "preparation.steps: does not go with kind = 'variational'; leave it out"),
    ("preparation.options.maxiter=3", "preparation.options: 'bfgs' takes none, got maxiter"),
    ("preparation.options=3", "preparation.options: expected a section of keys, got 3"),
    ("preparation.energies='sampled'", "preparation.optimizer: 'bfgs' needs exact gradients"),
    ("preparation.optimizer='magic'", "preparation.optimizer: there is no 'magic'"),
    ("preparation.optimizer='optimizer'", "preparation.optimizer: there is no 'optimizer'"),
    (
        "execution.max_bond_dimension=4",
        "execution.max_bond_dimension: goes with method = 'matrix_product_state' or backend = 'mps' only",
    ),
    ("execution.max_bond_dimension=0", "execution.max_bond_dimension: expected at least 1, got 0"),
    ("execution={backend='statevector', method='density_matrix'}", "execution.method: does not go with"),
    ("execution={backend='statevector', measured_circuits=true}", "execution.measured_circuits: does not go with"),
    ("execution={backend='statevector', noise={readout=0.1}}", "execution.noise: 'statevector' is ideal; leave it out"),
    (
        "execution.backend='Statevector'",
        "expected 'aer', 'statevector', 'mps', 'fake_...', 'rehearse:ibm_...', 'ibm_...', "
        "'ocean:...' or 'package.module:factory', got 'Statevector'",
    ),
]


@pytest.mark.parametrize(("setting", "words"), SECTION, ids=lambda text: text[:60])
def test_setting(refused, setting, words):
    assert words in refused("train", "vqe.toml", "--set", setting)


def test_keys_of_another_kind(refused):
    assert "preparation.optimizer: does not go with kind = 'adiabatic'; leave it out" in refused(
        "train", "circuits.toml", "--set", "preparation.optimizer='spsa'"
    )


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ("direct_l", "pip install nlopt"),
        ("esch", "pip install nlopt"),
        ("bobyqa", "pip install scikit-quant"),
        ("snobfit", "pip install scikit-quant"),
    ],
)
def test_optimizers_whose_package_is_missing(refused, settings, optimizer, words):
    pytest.importorskip("qiskit_algorithms")
    for name in ("nlopt", "skquant"):
        try:
            __import__(name)
        except ImportError:
            continue
        pytest.skip(f"here there is {name}")
    message = refused("train", "vqe.toml", *settings(*SAMPLED, f"preparation.optimizer='{optimizer}'"))
    assert f"preparation.optimizer: '{optimizer}' needs a package that is not installed" in message
    assert words in message


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("maxiterations=3", "'spsa' has no 'maxiterations'; it takes maxiter"),
        ("fidelity='x'", "'spsa' has no 'fidelity'; it takes maxiter"),
        ("maxiter=[3]", "preparation.options.maxiter: expected true or false or a number or text"),
        ("maxiter={a=3}", "preparation.options.maxiter: expected true or false or a number or text"),
        ("maxiter=nan", "preparation.options.maxiter: expected"),
    ],
)
def test_option(refused, settings, option, words):
    assert words in refused("train", "vqe.toml", *settings(*SAMPLED, f"preparation.options={{{option}}}"))


@pytest.mark.parametrize(
    ("optimizer", "option"),
    [
        ("spsa", "maxiter='many'"),
        ("spsa", "callback='x'"),
        ("spsa", "maxiter=-1"),
        ("cobyla", "maxiter='many'"),
        ("nelder_mead", "maxiter='many'"),
        ("slsqp", "ftol='small'"),
        ("qnspsa", "resamplings=0"),
        ("nft", "maxiter=1.5"),
    ],
)
def test_value_of_an_option(refused, settings, optimizer, option):
    choice = settings(*SAMPLED, f"preparation.optimizer='{optimizer}'", f"preparation.options={{{option}}}")
    assert "preparation.options" in refused("train", "vqe.toml", *choice)


@pytest.mark.parametrize("config", ["exact.toml", "circuits.toml", "vqe.toml"])
@pytest.mark.parametrize(
    ("level", "words"),
    [
        (4, "preparation.level: 4 is beyond the spectrum; 2 spins have levels 0 to 3"),
        (-1, "preparation.level: expected at least 0, got -1"),
        (1.0, "preparation.level: expected a whole number, got 1.0"),
    ],
)
@pytest.mark.parametrize("command", [("train",), ("gradient", "--sample", "0")], ids=lambda command: command[0])
def test_level(refused, command, config, level, words):
    assert words in refused(*command, config, "--set", f"preparation.level={level}")


@pytest.mark.parametrize("config", ["exact.toml", "circuits.toml", "vqe.toml"])
def test_last_level_is_not_beyond_the_spectrum(qep, here, config):
    """The bound of the message above, from below."""
    assert qep("gradient", config, "--sample", 0, "--set", "preparation.level=3").code == 0


def test_level_that_lanczos_cannot_give(refused, settings):
    choice = settings("network.num_spins=3", "preparation.solver='lanczos'", "preparation.level=7")
    assert "preparation.level" in refused("train", "exact.toml", *choice)


def test_driver_of_equal_fields_has_no_first_level(refused, settings):
    choice = settings("preparation.level=1", "preparation.driver_width=0.0")
    assert "preparation.driver_width: level 1 needs driver fields that differ" in refused(
        "train", "circuits.toml", *choice
    )


@pytest.mark.parametrize("spread", [2.0, -0.1])
def test_driver_spread(refused, spread):
    assert "preparation.driver_width: expected" in refused(
        "train", "circuits.toml", "--set", f"preparation.driver_width={spread}"
    )


WIDE = "network={graph='chain', num_spins=40}"


@pytest.mark.parametrize(
    ("config", "choices"),
    [
        ("exact.toml", ()),
        ("exact.toml", ("preparation.level=1",)),
        ("circuits.toml", ("execution.backend='statevector'",)),
        ("vqe.toml", ()),
        ("vqe.toml", ("execution.backend='statevector'",)),
        ("vqe.toml", SAMPLED),
        ("vqe.toml", (*SAMPLED, "execution.backend='statevector'")),
    ],
)
def test_forty_spins(refused, settings, config, choices):
    message = refused("train", config, *settings(WIDE, *choices))
    assert "of 40 qubits does not fit in memory" in message
    assert "qubits would" in message


def test_simulated_energies_of_forty_spins_beside_matrix_products(refused, settings):
    choice = settings(WIDE, "execution.method='matrix_product_state'")
    assert "of 40 qubits does not fit in memory" in refused("train", "vqe.toml", *choice)


NOISY = [
    "execution={noise={readout=0.01}, measured_circuits=true}",
    "execution.measured_circuits=true",
    "execution.method='density_matrix'",
]


@pytest.mark.parametrize("setting", NOISY)
def test_exact_expectations_of_measured_circuits(refused, settings, setting):
    message = refused("train", "vqe.toml", *settings(setting, "measurement.shots='exact'"))
    assert "measurement.shots: 'exact' needs the ideal state vector" in message


@pytest.mark.parametrize("setting", NOISY)
def test_exact_energies_of_measured_circuits(refused, settings, setting):
    message = refused("train", "vqe.toml", *settings(*SAMPLED, setting, "preparation.shots='exact'"))
    assert "preparation.shots: 'exact' needs" in message


@pytest.mark.parametrize("optimizer", ["cg", "gradientdescent", "tnc"])
def test_optimizers_that_difference_energies(qep, here, settings, optimizer):
    """They work, or are refused in one line."""
    choice = settings(*SAMPLED, f"preparation.optimizer='{optimizer}'", "preparation.options={maxiter=2}")
    result = qep("gradient", "vqe.toml", "--sample", 0, *choice)
    assert result.code in (0, 2)
    assert all(line.startswith("qep: ") for line in result.err.splitlines())


@pytest.mark.parametrize(
    "choices",
    [
        (*SAMPLED, "preparation.restarts=3"),
        (*SAMPLED, "preparation.max_evaluations=10"),
        (*SAMPLED, "preparation.tolerance=0.1", "preparation.residual_directions=0"),
        ("preparation.residual_directions=2",),
        ("preparation.optimizer='slsqp'", "preparation.max_evaluations=10"),
        ("execution={backend='fake_manila', method='matrix_product_state', max_bond_dimension=2}",),
    ],
)
def test_keys_without_effect(refused, settings, choices):
    assert "leave it out" in refused("train", "vqe.toml", *settings(*choices))
