"""A study says at which points its gradients were not what they seem."""

import json

from qep_qiskit.core.errors import BranchJumpWarning
from qep_qiskit.core.warning_log import warn
from qep_qiskit.runs.warned_points import warned_runs, warned_sentences, with_warnings

NOISY, JUMP = ["NoisyGradientWarning", "warning", 30], ["BranchJumpWarning", "note", 2]


def point(beta, shots, *warned):
    return {"beta": beta, "shots": shots, "warned": list(warned)}


def test_a_sentence_for_each_kind_with_its_nudges_and_shots():
    rows = [point(0.1, 10, NOISY), point(-0.2, 10, NOISY), point(0.8, 100, JUMP), point(0.1, 1000)]
    assert warned_sentences({"gradient": rows}) == [
        "warning: NoisyGradientWarning in 2 of 4 points of the gradient study, |beta| 0.1 to 0.2, shots 10",
        "note: BranchJumpWarning in 1 of 4 points of the gradient study, |beta| 0.8, shots 100",
        "docs/reference/warnings.md says what each means",
    ]


def test_rows_that_nobody_watched_do_not_count():
    rows = [{"method": "spsa", "rmse": 1.0}, point(0.1, 10)]
    assert warned_sentences({"comparison": rows}) == []
    assert warned_sentences({"comparison": [*rows, point(0.1, 10, NOISY)]})[0].startswith(
        "warning: NoisyGradientWarning in 1 of 2 points"
    )


def test_runs_of_a_training_study_are_read_from_their_summaries(tmp_path):
    told = {"kind": "UnconvergedWarning", "severity": "warning", "times": 7}
    for name, warnings in (("one", [told]), ("two", [])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps({"warnings": warnings}))
    rows = warned_runs([{"folder": str(tmp_path / name)} for name in ("one", "two", "missing")])
    assert warned_sentences({"training": rows})[0] == (
        "warning: UnconvergedWarning in 1 of 3 points of the training study"
    )


def test_warnings_of_a_point_are_in_its_row_and_not_shown():
    def row():
        warn(BranchJumpWarning, "nudged states are on another branch", affected=1)
        return {"rmse": 0.5}

    rows = [with_warnings(row), with_warnings(lambda: {"rmse": 0.4})]
    assert [one["rmse"] for one in rows] == [0.5, 0.4]
    assert [(kind, times) for kind, _, times in rows[0]["warned"]] == [("BranchJumpWarning", 1)]
    assert rows[1]["warned"] == []
    assert "BranchJumpWarning in 1 of 2 points of the ramp study" in warned_sentences({"ramp": rows})[0]
