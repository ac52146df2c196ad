"""Data files, folders, words and sizes that cannot be used, and warnings that have a name."""

import os
import re
import shutil
from pathlib import Path

import pytest
from qiskit_aer import AerSimulator

CIRCUITS = "preparation={kind = 'adiabatic', total_time = 2.0, steps = 5}"

NUMBERED = "length,width,kind\n1,2,rose\n"

TABLES = [
    ("length,kind\n1,rose\n", "flowers.csv: row 1: no column 'width'; the file has 'length', 'kind'"),
    (NUMBERED + "1,nan,iris\n", "row 3, column 'width': expected a finite number, got 'nan'"),
    (NUMBERED, "expected at least two classes, got only 'rose'"),
]
"""All that can be wrong with a table is in tests/tasks."""


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
        ("task.amplitude=1.5", "task.amplitude: expected at most 1"),
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
    assert "--set seed=1: the folder of a run keeps what was learned" in refused(
        "gradient", copied("exact"), "--sample", 0, "--set", "seed=1"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("length,width\n1,2\n1,x\n", "rows.csv: row 3, column 'width': expected a number, got 'x'"),
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


def test_prediction_of_a_run_that_was_stopped_before_its_first_checkpoint(refused, copied):
    for name in ("checkpoint.npz", "metrics.jsonl", "summary.json"):
        (copied("flowers") if name == "checkpoint.npz" else Path("copy")).joinpath(name).unlink()
    assert "nothing is trained here yet; use 'qep resume" in refused("predict", "copy", "flowers.csv")


@pytest.mark.parametrize("command", ["resume", "predict", "gradient", "budget"])
@pytest.mark.parametrize("lost", [(), ("summary.json",), ("metrics.jsonl",)])
def test_a_checkpoint_that_was_removed_is_missed(refused, copied, command, lost):
    """A run never begins again without a word."""
    folder = copied("flowers")
    for name in ("checkpoint.npz", *lost):
        (folder / name).unlink()
    more = {"predict": ["flowers.csv"], "gradient": ["--sample", "0"]}.get(command, [])
    assert "checkpoint.npz: is missing, though the run has" in refused(command, folder, *more)


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
    resource = pytest.importorskip("resource", reason="limits of memory are Unix's")
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


@pytest.mark.deep
def test_reader_that_leaves_early(here, process):
    """`qep gradient ... | head -0`: no traceback."""
    child = process("gradient", "exact.toml", "--sample", "0", "--json")
    child.stdout.close()
    assert child.stderr.read() == ""
    child.wait(timeout=60)


ISLAND = "network={graph='edges', num_spins=3, edges=[[0, 1]], inputs={spins=[0]}, outputs=[2]}"
SYMMETRIC = "network={num_spins=2, biases={enabled=false}, inputs={distribution='constant', mean=0.0}}"
CLASSICAL = (
    "network={num_spins=2, biases={enabled=false}, fields={mean=0.0, minimum=0.0}, inputs={distribution='constant'}}"
)
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
    """One line that names the kind, before any that follow from it; the run goes on."""
    sample = ["--sample", 0] if command == "gradient" else []
    result = qep(command, "exact.toml", "--set", setting, *sample)
    assert result.code == 0
    assert result.err.startswith(f"qep: warning: {name}: ")
    assert words in result.err
    lines = result.err.splitlines()
    assert len({line.split(":")[2] for line in lines}) == len(lines)
    assert all(line.startswith(("qep: note: ", "qep: warning: ", "qep: serious warning: ")) for line in lines)


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
