"""Arrays of files: what is written is read bit for bit, and a small file cannot fill the memory."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from qep_qiskit.core.npz import arrays_of

HUGE = 1 << 36


def packed(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def header_of(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def archive(content, *, kind=zipfile.ZIP_STORED, names=("a.npy",)):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as file:
        for name in names:
            file.writestr(name, content)
    return buffer.getvalue()


def restated(content, size):
    """The file with another unpacked size in its directory."""
    place = content.rfind(b"PK\x01\x02")
    return content[: place + 24] + size.to_bytes(4, "little") + content[place + 28 :]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(rng, save):
    arrays = {"a": rng.normal(size=(3, 0, 2)), "b": np.array("text ±"), "c": np.arange(5, dtype=np.uint8)}
    arrays |= {"d": np.asfortranarray(rng.normal(size=(4, 3))), "e": np.zeros(100_000), "f": np.array([True, False])}
    found = arrays_of(packed(save, **arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


BOMBS = {
    "a header that states more than there is": archive(header_of((HUGE,))),
    "a compressed one": archive(header_of((HUGE,)), kind=zipfile.ZIP_DEFLATED),
    "a directory that states more than is stored": restated(archive(header_of((2**28,))), 2**31),
    "more than deflation can hold": restated(archive(header_of((2**28,)), kind=zipfile.ZIP_DEFLATED), 2**31 + 128),
    "less than the header states": archive(header_of((2,)) + bytes(8)),
    "more than the header states": archive(header_of((2,)) + bytes(24)),
    "a negative shape": archive(header_of((-1,))),
    "another compression": archive(header_of((2,)) + bytes(16), kind=zipfile.ZIP_BZIP2),
    "the same name twice": archive(header_of((2,)) + bytes(16), names=("a.npy", "a.npy")),
    "pickled objects": packed(a=np.array([{}], dtype=object)),
    "another format": archive(b"\x93NUMPY\x09\x00" + bytes(100)),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_states_more_than_it_holds_is_refused(name):
    tracemalloc.start()
    with pytest.raises(ValueError):
        arrays_of(BOMBS[name])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20


def test_every_flipped_bit_of_the_data_is_found(rng):
    content = packed(a=rng.normal(size=4))
    start = content.index(b"\n", content.index(b"NUMPY")) + 1
    for place in range(start, start + 32):
        damaged = bytearray(content)
        damaged[place] ^= 1
        with pytest.raises(zipfile.BadZipFile):
            arrays_of(bytes(damaged))
