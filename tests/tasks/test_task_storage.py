import io
import json
import warnings
import zipfile

import numpy as np
import pytest

from qep_qiskit.core.errors import MissingValuesWarning, RunFolderError
from qep_qiskit.core.seeds import Seeds
from qep_qiskit.tasks import csv_task, load_task, no_data_task, save_task, xor_task
from qep_qiskit.tasks.csv_format import CsvFormat

TABLE = "a,b,y,z\n0.1,3,x,0.25\n0.7,-4,w,-0.5\n1e-9,5,\u00e9,0.1\n2,6,x,0.2\n3,7,w,0.3\n4,8,\u00e9,0.4\n"


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("0,1;red;x\n;blue;y\n2,5;red;x\n0,4;blue;y\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingValuesWarning)
        filled = csv_task(
            path,
            inputs=[0, 1],
            target=2,
            layout=CsvFormat(header=False),
            categorical=[1],
            missing="mean",
            test_fraction=0,
            seeds=Seeds(1),
        )
    path.write_text(TABLE, encoding="utf-8")
    common = {"inputs": ["b", "a"], "seeds": Seeds(2), "test_fraction": 0.5, "input_scale": 1 / 3}
    return {
        "classes": csv_task(path, **common, target="y", encoding="one_hot"),
        "regression": csv_task(path, **common, targets=["z"]),
        "filled": filled,
        "xor": xor_task(amplitude=0.7),
        "no_data": no_data_task(),
        "aim": no_data_task([1.0, 1 / 3]),
    }


def contents(task):
    parts = [task.name, task.label_column, task.target_columns, task.amplitude, task.encoding, task.columns]
    parts += [task.scaling.kind, task.scaling.offset.tobytes(), task.scaling.factor.tobytes()]
    for samples in (task.train, task.test):
        if samples is None:
            parts.append(None)
            continue
        parts += [samples.classes, samples.input_names, samples.inputs.shape, samples.targets.shape]
        parts += [samples.inputs.tobytes(), samples.targets.tobytes()]
        parts.append(None if samples.labels is None else samples.labels.tolist())
    return parts


@pytest.mark.parametrize("kind", ["classes", "regression", "filled", "xor", "no_data", "aim"])
def test_round_trip_is_exact(tasks, tmp_path, kind):
    save_task(tmp_path / "task.npz", tasks[kind])
    assert contents(load_task(tmp_path / "task.npz")) == contents(tasks[kind])


def test_equal_tasks_give_equal_files_and_no_file_is_left_over(tasks, tmp_path):
    for name in ("one.npz", "two.npz"):
        save_task(tmp_path / name, tasks["classes"])
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "one.npz", "two.npz"]


def test_an_old_file_is_replaced(tasks, tmp_path):
    path = tmp_path / "task.npz"
    save_task(path, tasks["xor"])
    save_task(path, tasks["no_data"])
    assert load_task(path).name == "no_data"


def test_no_pickles(tasks, tmp_path):
    save_task(tmp_path / "task.npz", tasks["classes"])
    with np.load(tmp_path / "task.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "fiU" for name in arrays.files)
        assert json.loads(arrays["metadata"].item())["classes"] == ["w", "x", "\u00e9"]


def test_every_cut_file_is_refused(tasks, tmp_path):
    path = tmp_path / "task.npz"
    save_task(path, tasks["xor"])
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(RunFolderError, match=r"task\.npz: not a task file, or damaged") as caught:
            load_task(path)
        assert "\n" not in str(caught.value)


def test_a_changed_byte_is_refused_or_does_not_matter(tasks, tmp_path):
    path = tmp_path / "task.npz"
    save_task(path, tasks["xor"])
    whole, wanted, messages = path.read_bytes(), contents(tasks["xor"]), []
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            assert contents(load_task(path)) == wanted  # dates and flags of the archive
        except RunFolderError as error:
            messages.append(str(error))
    assert len(messages) > len(whole) / 6
    assert not any("\n" in message for message in messages)


def changed_metadata(path, **changes):
    with np.load(path) as arrays:
        kept = dict(arrays)
    metadata = json.loads(kept["metadata"].item()) | changes
    np.savez(path, **(kept | {"metadata": np.array(json.dumps(metadata))}))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "qep_qiskit task 1"},
        {"classes": 3},
        {"classes": []},
        {"has_test": True},
        {"scaling": None},
        {"scaling": {"kind": "none", "offset": [], "factor": []}},
        {"scaling": {"kind": "no", "offset": [0, 0], "factor": [1, 1]}},
        {"target_columns": ["z"]},
    ],
)
def test_metadata_that_does_not_fit_is_refused(tasks, tmp_path, changes):
    path = tmp_path / "task.npz"
    save_task(path, tasks["xor"])
    changed_metadata(path, **changes)
    with pytest.raises(RunFolderError, match=r"task\.npz: not a task file, or damaged"):
        load_task(path)


def other_files():
    single, foreign, pickled, archive = (io.BytesIO() for _ in range(4))
    np.save(single, np.zeros(3))
    np.savez(foreign, weights=np.zeros(3))
    np.savez(pickled, metadata=np.array([{}], dtype=object))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("metadata", "{}")
    buffers = {"npy": single, "npz": foreign, "pickle": pickled, "zip": archive}
    return {name: buffer.getvalue() for name, buffer in buffers.items()} | {
        "text": b"a,b\n1,2\n",
        "empty": b"",
    }


@pytest.mark.parametrize("kind", ["npy", "npz", "pickle", "zip", "text", "empty"])
def test_other_files_are_refused(tmp_path, kind):
    path = tmp_path / "task.npz"
    path.write_bytes(other_files()[kind])
    with pytest.raises(RunFolderError, match=r"task\.npz: not a task file, or damaged: ."):
        load_task(path)


def test_missing_files_and_folders(tasks, tmp_path):
    for path in (tmp_path / "none.npz", tmp_path):
        with pytest.raises(RunFolderError, match="no task file there"):
            load_task(path)
    with pytest.raises(RunFolderError, match="cannot be written"):
        save_task(tmp_path / "none" / "task.npz", tasks["xor"])
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunFolderError, match="cannot be written"):
        save_task(tmp_path / "folder", tasks["xor"])
    assert not (tmp_path / "folder.new").exists()
