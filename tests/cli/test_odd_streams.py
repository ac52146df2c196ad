"""Streams with few columns, few letters or no room, full disks, and files with a mark in front."""

import contextlib
import io
import json
import os
from pathlib import Path

import pytest

from qep_qiskit.cli import main

GRADIENT = ("gradient", "exact.toml", "--sample", "0", "--compare", "exact")


def test_a_pipe_with_few_columns_gets_all_numbers(here, qep, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    whole = qep(*GRADIENT).out
    monkeypatch.setenv("COLUMNS", "40")
    result = qep(*GRADIENT)
    assert result.code == 0
    assert max(map(len, result.out.splitlines())) <= 40 < max(map(len, whole.splitlines()))
    assert set(whole.split()) - {word for word in whole.split() if word.startswith("─")} <= set(result.out.split())


def printed(encoding, *arguments):
    """What a stream of this encoding gets."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(list(map(str, arguments)))
    out.flush()
    err.flush()
    return code, out.buffer.getvalue().decode(encoding), err.buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_an_encoding_with_few_letters_is_enough(here, copied, encoding):
    """± and the lines of tables and drawings become plain characters; the work is not lost."""
    code, out, err = printed(encoding, *GRADIENT)
    assert (code, err) == (0, "")
    assert "weight" in out
    code, out, err = printed(encoding, "circuits", "circuits.toml")
    assert (code, err) == (0, "")
    assert "+---+" in out
    copied("flowers")
    code, out, err = printed(encoding, "resume", "copy")
    assert (code, err) == (0, "")
    assert {"ascii": " +- ", "cp1252": " ± "}[encoding] in out


@pytest.mark.deep
def test_the_encoding_of_a_process(here, process):
    child = process("circuits", "circuits.toml", env=os.environ | {"PYTHONIOENCODING": "ascii"}, encoding="ascii")
    out, err = child.communicate(timeout=120)
    assert (child.returncode, err) == (0, "")
    assert "+---+" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
@pytest.mark.deep(but=["train"])
@pytest.mark.parametrize(
    "arguments",
    [GRADIENT, ("train", "exact.toml", "--out", "run"), (*GRADIENT, "--json")],
    ids=["table", "train", "json"],
)
def test_output_that_nobody_takes_is_one_line(here, process, arguments):
    with open("/dev/full", "w") as full:
        child = process(*arguments, stdout=full)
        _, err = child.communicate(timeout=120)
    assert child.returncode == 2
    assert err.splitlines()[-1] == ("qep: error: output: No space left on device; what was written before is kept")
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert arguments[0] != "train" or Path("run/checkpoint.npz").exists()


WARNS = ("train", "exact.toml", "--out", "run", "--set", "contrast.beta=5")


@pytest.mark.deep
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here")
def test_warnings_and_progress_that_nobody_takes_end_no_run(here, process):
    with open("/dev/full", "w") as full:
        child = process(*WARNS, stderr=full)
        out, _ = child.communicate(timeout=120)
    assert child.returncode == 0
    assert "NudgeBeyondGapWarning" in out, "the run gave no warning, so this shows nothing"
    assert json.loads(Path("run/summary.json").read_text(encoding="utf-8"))["epochs"] > 0


@pytest.mark.deep(but=["2"])
@pytest.mark.parametrize("closed", [1, 2])
def test_a_stream_that_was_closed_from_the_start_ends_nothing(here, process, closed):
    child = process(*WARNS, preexec_fn=lambda: os.close(closed), **{("stdout", "stderr")[closed - 1]: None})
    _, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert Path("run/summary.json").exists()


def test_a_reader_that_leaves_is_no_error(here, process):
    child = process("circuits", "circuits.toml")
    assert child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(timeout=120) == 0


def test_a_byte_order_mark_is_no_part_of_a_configuration(here, qep):
    for name in ("exact.toml", "flowers.toml", "flowers.csv"):
        (here / name).write_bytes(b"\xef\xbb\xbf" + (here / name).read_bytes())
    for name in ("exact.toml", "flowers.toml"):
        assert qep("gradient", name, "--sample", 0).code == 0


def test_names_in_files_do_not_control_the_terminal(here, qep):
    text = (here / "flowers.csv").read_text(encoding="utf-8").replace("rose", "\x1b]0;owned\x07rose")
    (here / "flowers.csv").write_text(text, encoding="utf-8")
    (here / "flowers.toml").write_text((here / "flowers.toml").read_text().replace('"flowers"', '"\\u001b[31mred"'))
    results = [qep("train", "flowers.toml", "--out", "run"), qep("predict", "run", "flowers.csv")]
    results.append(qep("train", "flowers.toml", "--set", "\x1b[2Jnone=1"))
    assert [result.code for result in results] == [0, 0, 2]
    for result in results:
        assert "\x1b" not in result.out + result.err
        assert "\x07" not in result.out + result.err
