import os
import re
import resource
import shutil
from pathlib import Path

import pytest
from qiskit_aer import AerSimulator

CIRCUITS = "preparation={kind = 'adiabatic', total_time = 2.0, steps = 5}"

KEYS = [
    ("network.num_spin=3", "network.num_spin: unknown key; did you mean 'num_spins'?"),
    ("netwrk.num_spins=3", "netwrk: unknown key; did you mean 'network'?"),
    ("network.couplings.inti='normal'", "network.couplings.inti: unknown key; did you mean 'init'?"),
    ("execution.noise.one_qbit=0.1", "execution.noise.one_qbit: unknown key; did you mean 'one_qubit'?"),
    ("shots=3", "shots: unknown key"),
    ("network.shots=3", "network.shots: unknown key"),
    ("training.learning_rate=0.1", "training.learning_rate: unknown key"),
    ("preparation.steps=3", "preparation.steps: does not go with kind = 'exact'"),
    ("task.num_bits=3", "task.num_bits: does not go with kind = 'xor'"),
    ("cost={kind='operator', terms=[{paul='Z1'}]}", "did you mean 'pauli'?"),
    ("cost={gain=3.0}", "cost.kind: this key is missing"),
    ("task={}", "task.kind: this key is missing"),
]

TYPES = [
    ("network.num_spins='two'", "network.num_spins: expected a valid integer, got 'two'"),
    ("network.num_spins=2.0", "network.num_spins: expected a valid integer, got 2.0"),
    ("network.outputs=1", "network.outputs: expected a list, got 1"),
    ("seed=1.5", "seed: expected a valid integer"),
    ("seed=-1", "seed: expected greater than or equal to 0, got -1"),
    ("name=3", "name: expected a valid string, got 3"),
    ("task=3", "task: expected"),
    ("network=3", "network: expected"),
    ("network.edges=[[0, 1.5]]", "network.edges"),
    ("network.fields.values=3.0", "network.fields.values: expected"),
    ("network.fields.frozen='h[0]'", "network.fields.frozen: expected"),
]

CHOICES = [
    ("task.kind='mnist'", "task.kind: expected one of 'csv', 'xor'"),
    ("network.graph='star'", "network.graph: expected 'chain', 'ring'"),
    ("preparation.kind='magic'", "preparation.kind: expected one of 'exact', 'adiabatic', got 'magic'"),
    ("preparation={kind='adiabatic', ramp='steep'}", "preparation.ramp: expected 'linear', 'cosine' or 'smoothstep'"),
    ("preparation={kind='adiabatic', order=3}", "preparation.order: expected 1 or 2, got 3"),
    ("preparation={kind='adiabatic', steps=0}", "preparation.steps: expected greater than 0, got 0"),
    ("preparation={kind='adiabatic', total_time=-1.0}", "preparation.total_time: expected greater than 0"),
    ("preparation.solver='magic'", "preparation.solver: expected 'auto', 'dense' or 'lanczos'"),
    ("execution.backend='ibm'", "execution.backend: expected 'aer' or 'fake_...', got 'ibm'"),
    ("execution.method='magic'", "execution.method: expected"),
    ("execution.device='TPU'", "execution.device: expected 'CPU' or 'GPU', got 'TPU'"),
    ("execution.noise.one_qubit=0.1", "preparation.kind = 'adiabatic'"),
    ("execution.noise.one_qubit=2.0", "execution.noise.one_qubit: expected less than or equal to 1"),
    ("cost={kind='magic'}", "cost.kind: expected one of 'loss', 'operator', got 'magic'"),
    ("update.kind='sgd'", "update.kind: expected 'gradient_descent', 'momentum' or 'adam'"),
    ("update.learning_rate=0", "update.learning_rate: expected greater than 0"),
    ("training.epochs=0", "training.epochs: expected greater than 0"),
    ("training.batch_size=0", "training.batch_size: expected greater than 0"),
]

SHOTS_AND_NUDGES = [
    ("measurement.shots=0", "measurement.shots: expected greater than 0, got 0"),
    ("measurement.shots=-5", "measurement.shots: expected greater than 0, got -5"),
    ("measurement.shots=1.5", "measurement.shots: expected a valid integer, got 1.5"),
    ("measurement.shots=200.0", "measurement.shots: expected a valid integer, got 200.0"),
    ("measurement.shots='many'", "measurement.shots: expected"),
    ("contrast.beta=0", "contrast.beta: expected a number other than zero"),
    ("contrast.beta=0.0", "contrast.beta: expected a number other than zero"),
    ("contrast.beta=-0.3", "contrast.beta: symmetric uses both signs"),
    ("contrast.kind='two_sided'", "contrast.kind: expected 'one_sided', 'symmetric' or 'four_point'"),
]

NOT_NUMBERS = [
    ("contrast.beta=nan", "contrast.beta: expected a finite number"),
    ("contrast.beta=inf", "contrast.beta: expected a finite number"),
    ("update.learning_rate=nan", "update.learning_rate: expected a finite number"),
    ("preparation={kind='adiabatic', total_time=nan}", "preparation.total_time: expected a finite number"),
    ("network.couplings.mean=nan", "network.couplings.mean: expected a finite number"),
    ("network.fields.min=nan", "network.fields.min: expected a finite number"),
    ("network.fields.values=[nan, 1.0]", "network.fields.values.0: expected a finite number"),
    ("network.fields.values={'h[0]' = nan}", "network.fields.values.h[0]: expected a finite number"),
]

GRAPHS = [
    ("network={}", "network.num_spins: this key is missing; graph = 'complete' needs it"),
    ("network={graph='edges', num_spins=2}", "network.edges: this key is missing"),
    ("network={graph='lattice'}", "network.shape: this key is missing"),
    ("network={graph='layered'}", "network.layers: this key is missing"),
    ("network={graph='heavy_hex'}", "network.distance: this key is missing"),
    ("network.shape=[1, 2]", "network.shape: does not go with graph = 'complete'"),
    ("network.graph='layered'", "network.num_spins: does not go with graph = 'layered'"),
    ("network.periodic=true", "network.periodic: does not go with graph = 'complete'"),
    ("network={graph='lattice', shape=[0, 2]}", "network.shape: expected sides of at least 1, got [0, 2]"),
    ("network={graph='lattice', shape=[2]}", "network.shape: "),
    ("network={graph='layered', layers=[2]}", "network.layers: expected at least two layers"),
    ("network={graph='heavy_hex', distance=4}", "network.distance: expected an odd number of at least 3, got 4"),
    ("network={graph='ring', num_spins=2}", "network.num_spins: a ring needs at least 3 spins, got 2"),
    ("network.num_spins=0", "network.num_spins: expected greater than or equal to 1, got 0"),
    ("network={graph='edges', num_spins=2, edges=[[0, 1], [1, 0]]}", "network.edges: edge [0, 1] is given twice"),
    ("network={graph='edges', num_spins=2, edges=[[1, 1]]}", "network.edges: edge [1, 1] joins a spin to itself"),
    ("network={graph='edges', num_spins=2, edges=[[0, 5]]}", "edge [0, 5] names a spin out of range"),
    ("network={graph='edges', num_spins=2, edges=[[0, -1]]}", "edge [0, -1] names a spin out of range"),
    ("network={graph='edges', num_spins=2, edges=[[0]]}", "network.edges.0: expected 2 numbers, got [0]"),
]

SPINS = [
    ("network.outputs=[2]", "network.outputs: spin 2 is out of range; there are 2 spins, 0 to 1"),
    ("network.outputs=[-1]", "network.outputs: spin -1 is out of range"),
    ("network.outputs=[0, 0]", "network.outputs: a spin is named twice"),
    ("network.outputs=[]", "network.outputs: expected at least one output spin"),
    ("network.outputs=[0, 1]", "network.outputs"),
    ("network.inputs.spins=[5]", "spin 5 is out of range"),
    ("network.inputs.spins=[0, 0]", "network.inputs"),
    ("network.inputs.spins=[]", "network.inputs.spins"),
    ("network.inputs.links=[[0, 5]]", "spin 5 is out of range"),
    ("network.inputs.links=[[7, 0]]", "names an input out of range"),
    ("network.inputs.links=[[0, 0], [0, 0]]", "linked to the same spin twice"),
    ("network.inputs.links=[[0]]", "network.inputs.links"),
    ("network.inputs={mode='fields', spins=[0]}", "the task has 2 inputs, each needs an input spin of its own"),
    ("network.inputs={mode='fields', spins=[0, 0]}", "network.inputs.spins"),
    ("network.inputs={mode='fields', values=[1.0, 2.0]}", "network.inputs.values"),
]

WEIGHTS = [
    ("network.couplings.values=[1.0, 2.0]", "network.couplings.values: expected 1 numbers (J[0,1]), got 2"),
    ("network.couplings.values={'J[0,5]' = 1.0}", "network.couplings: no weight J[0,5]; there are J[0,1]"),
    ("network.fields.values=[0.01, 1.0]", "network.fields.values: 0.01 is not a number between min 0.1"),
    ("network.fields.values={'h[1]' = -1.0}", "network.fields.values: -1.0 is not a number between min 0.1"),
    ("network.fields.frozen=['h[9]']", "network.fields: no weight h[9]; there are h[0], h[1]"),
    ("network.fields={min=2.0, max=1.0}", "network.fields: min 2.0 is above max 1.0"),
    ("network.couplings.std=-1.0", "network.couplings.std: expected greater than or equal to 0"),
    ("network.couplings.init='gauss'", "network.couplings.init: expected 'constant', 'uniform' or 'normal'"),
    ("network.couplings={init='uniform', low=2.0, high=1.0}", "network.couplings"),
]

COSTS = [
    ("cost={kind='loss', loss='squarederror'}", "cost.loss: expected squared_error, cross_entropy or module:name"),
    ("cost={kind='loss', loss='no_such_module:x'}", "cost.loss: cannot import 'no_such_module:x'"),
    ("cost={kind='loss', loss='json:nothing'}", "cost.loss: cannot import 'json:nothing'"),
    ("cost={kind='loss', loss='json:loads'}", "wrap a plain function in CustomLoss"),
    ("cost={kind='loss', loss=':'}", "cost.loss: "),
    ("cost={kind='loss', loss='..a:b'}", "cost.loss: cannot import '..a:b'"),
    ("cost={kind='loss', loss='broken_syntax:loss'}", "cost.loss: cannot import 'broken_syntax:loss'"),
    ("cost={kind='loss', loss='broken_import:loss'}", "cost.loss: cannot import 'broken_import:loss'"),
    ("cost={kind='loss', observables=['Z5']}", "cost.observables: 'Z5' names a spin out of range"),
    ("cost={kind='loss', observables=['Q0']}", "cost.observables"),
    ("cost={kind='loss', observables=[]}", "cost.observables"),
    ("cost={kind='loss', observables=['I']}", "cost.observables"),
    ("cost={kind='loss', observables=['Z0', 'Z1']}", "observables"),
    ("cost={kind='operator'}", "an operator cost needs either operator = 'squared_error' or a list of terms"),
    ("cost={kind='operator', terms=[{pauli='Z9'}]}", "'Z9' acts on spin 9, out of range"),
    ("cost={kind='operator', terms=[{pauli='Z0', target=4}]}", "cost.terms: target 4 is out of range"),
    ("cost={kind='operator', terms=[{pauli='I'}]}", "cost: expected at least one Pauli term"),
    ("task={kind='none'}", "cost"),
]


@pytest.mark.parametrize(
    ("setting", "words"),
    [*KEYS, *TYPES, *CHOICES, *SHOTS_AND_NUDGES, *NOT_NUMBERS, *GRAPHS, *SPINS, *WEIGHTS, *COSTS],
    ids=lambda text: text[:40],
)
def test_setting(refused, here, setting, words):
    (here / "broken_syntax.py").write_text("def loss(:\n")
    (here / "broken_import.py").write_text("1 / 0\n")
    assert words in refused("train", "exact.toml", "--set", setting)


@pytest.mark.parametrize("text", ["network.num_spins", "=3", "a..b=3", "", "seed.x=3"])
def test_malformed_override(refused, text):
    assert f"--set {text.split('=')[0]}" in refused("train", "exact.toml", "--set", text)


FULL = """
[task]
kind = "parity"
num_bits = 2
[network]
num_spins = 2
[cost]
kind = "loss"
gain = 2.0
[preparation]
kind = "adiabatic"
steps = 5
"""


@pytest.mark.parametrize("setting", ["preparation.kind=exact", "task.kind=xor"])
def test_a_kind_changed_alone_drops_the_keys_of_the_old_kind(qep, here, setting):
    (here / "full.toml").write_text(FULL)
    assert qep("gradient", "full.toml", "--sample", 0, "--set", setting).code == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("task.kind=none", "an aim without data needs an operator cost"),
        ("cost.kind=operator", "an operator cost needs either"),
    ],
)
def test_a_kind_changed_alone_says_what_is_missing(refused, here, setting, words):
    (here / "full.toml").write_text(FULL)
    assert words in refused("gradient", "full.toml", "--sample", 0, "--set", setting)


def test_a_file_with_keys_of_two_kinds_is_refused(refused, here):
    (here / "full.toml").write_text(FULL.replace('"adiabatic"', '"exact"'))
    message = refused("gradient", "full.toml", "--sample", 0)
    assert "preparation.steps: does not go with kind = 'exact'; leave it out" in message


NUMBERED = "length,width,kind\n1,2,rose\n"

TABLES = [
    ("", "flowers.csv: the file is empty"),
    ("length,width,kind\n", "expected data rows from row 2 on"),
    ("length,kind\n1,rose\n", "row 1: no column 'width'; the file has 'length', 'kind'"),
    (NUMBERED + "1,2\n", "row 3: expected 3 cells, got 2 (column 'kind' is missing)"),
    (NUMBERED + "1,2,rose,4\n", "row 3: expected 3 cells, got 4"),
    (NUMBERED + "1,two,iris\n", "row 3, column 'width': expected a number, got 'two'"),
    (NUMBERED + "1,,iris\n", "row 3, column 'width': the cell is empty"),
    (NUMBERED + "1,nan,iris\n", "row 3, column 'width': expected a finite number, got 'nan'"),
    (NUMBERED + "inf,1,iris\n", "row 3, column 'length': expected a finite number, got 'inf'"),
    (NUMBERED + "1,2,\n", "row 3, column 'kind': the cell is empty"),
    (NUMBERED, "expected at least two classes, got only 'rose'"),
    ("length,length,kind\n1,2,rose\n", "row 1: the column 'length' is there twice"),
    (NUMBERED + '1,"2,iris\n', "row 3: not a CSV row"),
]


@pytest.mark.parametrize(("text", "words"), TABLES)
def test_table(refused, here, text, words):
    (here / "flowers.csv").write_text(text)
    assert words in refused("train", "flowers.toml")


def test_missing_table(refused, here):
    (here / "flowers.csv").unlink()
    assert "flowers.csv: no such file" in refused("train", "flowers.toml")


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("task.classes=['rose', 'tulip']", "row 2, column 'kind': expected one of the classes 'rose', 'tulip'"),
        ("task.classes=['rose']", "classes: expected at least two different names"),
        ("task.inputs=['length', 'length']", "the column 'length' is asked for twice"),
        ("task.inputs=[]", "task.inputs: "),
        ("task.targets=['width']", "expected a class column or number columns, got both"),
        ("task.classes=['rose', 'iris', 'tulip', 'daisy']", "network"),
        ("task.test_fraction=1.0", "task.test_fraction: expected less than 1"),
        ("task.amplitude=1.5", "task.amplitude: expected less than or equal to 1"),
        ("task.file='.'", "expected a CSV file, got a folder"),
        ("task.file='a\\u0000b.csv'", "b.csv"),
    ],
)
def test_table_setting(refused, setting, words):
    assert words in refused("train", "flowers.toml", "--set", setting)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "task: this key is missing"),
        (b"a = \n", "is not valid TOML"),
        (b'[task]\nkind = "xor"\n[task]\n', "is not valid TOML"),
        (b"\xff\xfe\x00", "is not valid TOML"),
        (b'[[task]]\nkind = "xor"\n', "task: expected"),
    ],
)
def test_file_that_is_no_configuration(refused, here, content, words):
    (here / "bad.toml").write_bytes(content)
    assert f"bad.toml: {words}" in refused("train", "bad.toml")


def test_configuration_that_is_not_there(refused):
    assert "nothing.toml: there is no such file" in refused("train", "nothing.toml")


def test_configuration_that_is_a_folder(refused, here):
    (here / "folder").mkdir()
    assert "folder: is a folder; expected a configuration in TOML" in refused("train", "folder")


@pytest.mark.parametrize("out", ["exact.toml", "exact.toml/deeper", "/dev/null/run", "n" * 300])
def test_output_folder_that_cannot_be(refused, out):
    assert out in refused("train", "exact.toml", "--out", out)


def test_unreadable_output_folder(refused, here, monkeypatch):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    (here / "locked").mkdir()
    assert "locked: " in refused("train", "exact.toml", "--out", "locked")


def test_train_into_an_existing_run(refused, copied):
    assert "exists already; go on with 'qep resume" in refused("train", "exact.toml", "--out", copied("exact"))


@pytest.mark.parametrize("command", ["gradient", "circuits"])
@pytest.mark.parametrize("sample", [4, -1])
def test_sample_out_of_range(refused, command, sample):
    assert f"--sample: expected 0 to 3, the training samples of this task; got {sample}" in refused(
        command, "circuits.toml", "--sample", sample
    )


@pytest.mark.parametrize(
    "words",
    [
        ("gradient", "exact.toml", "--sample", "x"),
        ("gradient", "exact.toml"),
        ("gradient", "exact.toml", "--sample", "0", "--compare", "foo"),
        ("trian", "exact.toml"),
        ("train",),
        (),
    ],
    ids=" ".join,
)
def test_words_that_are_no_command(refused, words):
    refused(*words)


def test_circuits_of_exact_states(refused):
    assert "'exact' has no circuits; use 'adiabatic'" in refused("circuits", "exact.toml")


def test_circuits_into_a_file(refused):
    assert "--out exact.toml: cannot write there" in refused("circuits", "circuits.toml", "--out", "exact.toml")


def test_overrides_of_a_run(refused, copied):
    assert "--set: goes with a configuration file" in refused(
        "gradient", copied("exact"), "--sample", 0, "--set", "seed=1"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rows.csv: the file is empty"),
        ("length,width\n", "expected data rows from row 2 on"),
        ("length\n1\n", "row 1: no column 'width'"),
        ("length,width\n1,2\n1,x\n", "row 3, column 'width': expected a number, got 'x'"),
        ("length,width\n1\n", "row 2: expected 2 cells, got 1"),
        ("length,width\n1,nan\n", "row 2, column 'width': expected a finite number"),
        ("length,width,kind\n1,2,tulip\n", "row 2, column 'kind': expected one of the classes 'iris', 'rose'"),
    ],
)
def test_rows_to_predict(refused, copied, here, text, words):
    (here / "rows.csv").write_text(text)
    assert words in refused("predict", copied("flowers"), "rows.csv")


def test_rows_that_are_not_there(refused, copied):
    assert "nothing.csv: no such file" in refused("predict", copied("flowers"), "nothing.csv")


def test_prediction_without_inputs(refused, copied):
    assert "inputs" in refused("predict", copied("aim"), "flowers.csv")
    assert "copy" in refused("predict", "copy", "flowers.csv")


def test_prediction_of_a_run_that_has_no_checkpoint(refused, copied):
    (copied("flowers") / "checkpoint.npz").unlink()
    assert "nothing is trained here yet; use 'qep resume" in refused("predict", "copy", "flowers.csv")


@pytest.mark.parametrize(
    ("preparation", "execution", "spins"),
    [
        ("preparation.kind='exact'", "seed=1", 60),
        (CIRCUITS, "seed=1", 60),
        (CIRCUITS, "execution.measured_circuits=true", 60),
        (CIRCUITS, "execution.noise={two_qubit=0.01}", 60),
        (CIRCUITS, "execution.method='density_matrix'", 26),
    ],
)
def test_more_qubits_than_memory_holds(refused, settings, preparation, execution, spins):
    network = f"network={{graph='chain', num_spins={spins}}}"
    message = refused("train", "exact.toml", *settings(preparation, execution, network))
    assert str(spins) in message
    assert re.search(r"at most \d+ qubits would|has \d+ qubits", message)


def test_more_qubits_than_a_device_has(refused, settings):
    pytest.importorskip("qiskit_ibm_runtime")
    choice = settings("execution.backend='fake_manila'", "network.num_spins=6")
    assert "fake_manila" in refused("train", "circuits.toml", *choice)


def test_unknown_device_names_only_its_neighbours(refused):
    pytest.importorskip("qiskit_ibm_runtime")
    message = refused("train", "circuits.toml", "--set", "execution.backend='fake_manilla'")
    assert "fake_manila" in message
    assert len(message) < 300


@pytest.mark.skipif("GPU" in AerSimulator().available_devices(), reason="here Aer has a GPU")
def test_a_device_that_aer_does_not_have(refused):
    assert "execution.device" in refused("train", "circuits.toml", "--set", "execution.device='GPU'")


def test_far_too_many_spins_are_refused_before_the_graph_is_built(here, process):
    """The pairs of a complete graph alone would fill the memory; the process gets 2 GiB."""
    limit = 2 << 30
    child = process(
        "train",
        "exact.toml",
        "--set",
        "network.num_spins=20000",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
    )
    _, err = child.communicate(timeout=60)
    assert child.returncode == 2, err[-300:]
    assert "20000" in err
    assert err.count("\n") == 1


def test_exit_code_of_the_process(here, process):
    child = process("train", "exact.toml", "--set", "network.num_spin=3")
    out, err = child.communicate(timeout=60)
    assert (child.returncode, out) == (2, "")
    assert err == "qep: error: exact.toml: network.num_spin: unknown key; did you mean 'num_spins'?\n"
    assert not Path("runs").exists()


def test_reader_that_leaves_early(here, process):
    """`qep gradient ... | head -0`: no traceback."""
    child = process("gradient", "exact.toml", "--sample", "0", "--json")
    child.stdout.close()
    assert child.stderr.read() == ""
    child.wait(timeout=60)


ISLAND = "network={graph='edges', num_spins=3, edges=[[0, 1]], inputs={spins=[0]}, outputs=[2]}"
SYMMETRIC = "network={num_spins=2, biases={enabled=false}, inputs={init='constant', mean=0.0}}"
CLASSICAL = "network={num_spins=2, biases={enabled=false}, fields={mean=0.0, min=0.0}, inputs={init='constant'}}"
COARSE = "preparation={kind='adiabatic', total_time=6.0, steps=2}"


@pytest.mark.parametrize(
    ("setting", "name", "words"),
    [
        (ISLAND, "UnconnectedOutputWarning", "output spin 2 is not connected to any input"),
        (SYMMETRIC, "DegenerateGroundStateWarning", "nothing breaks the flip symmetry"),
        (CLASSICAL, "DegenerateGroundStateWarning", "[network.biases]"),
        (COARSE, "CoarseTrotterWarning", "dt = 3"),
    ],
)
@pytest.mark.parametrize("command", ["train", "gradient"])
def test_warning(qep, here, command, setting, name, words):
    """One line that names the kind; the run goes on."""
    sample = ["--sample", 0] if command == "gradient" else []
    result = qep(command, "exact.toml", "--set", setting, *sample)
    assert result.code == 0
    assert result.err.startswith(f"qep: warning: {name}: ")
    assert words in result.err
    assert result.err.count("\n") == 1


def test_no_warning_where_nothing_is_wrong(qep, here):
    assert qep("train", "circuits.toml").err == ""


def test_resume_of_a_folder_that_is_no_run(refused, here):
    (here / "folder").mkdir()
    assert "folder: is not the folder of a run" in refused("resume", "folder")
    assert "nothing: there is no such folder" in refused("resume", "nothing")
    assert "exact.toml: " in refused("resume", "exact.toml")


def test_half_made_folder_says_how_to_go_on(refused, copied, here):
    """A run killed before its configuration was written can be neither resumed nor trained into."""
    shutil.copytree(copied("exact"), here / "half")
    for path in Path("half").iterdir():
        if path.name != "data.npz":
            path.unlink()
    assert "config.json is missing" in refused("resume", "half")
    assert "qep resume" not in refused("train", "exact.toml", "--out", "half")
