"""Warnings: where they point, how often they are shown, how they are counted, and that each kind is explained."""

from __future__ import annotations

import pickle
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from qep_qiskit.core import errors
from qep_qiskit.core.errors import BranchJumpWarning, NudgeBeyondGapWarning, QepWarning, UntrustedGradientWarning
from qep_qiskit.core.warning_log import WarningLog, counting_warnings, warn

JUMP = "states have jumped"


@pytest.fixture
def shown() -> object:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", QepWarning)
        yield caught


def found_at(log: WarningLog, step: int, epoch: int, affected: int, of: int) -> None:
    fresh = WarningLog()
    with counting_warnings(fresh, set()):
        warn(BranchJumpWarning, JUMP, detail=f"step {step}", affected=affected, of=of)
    log.merge(fresh, step=step, epoch=epoch)


def test_a_warning_points_at_the_line_of_the_user_also_through_a_generated_constructor(
    shown: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = ModuleType("qep_qiskit.somewhere")
    package.__dict__.update(warn=warn, dataclass=dataclass, kind=BranchJumpWarning)
    monkeypatch.setitem(sys.modules, package.__name__, package)
    code = "@dataclass\nclass Inside:\n    def __post_init__(self):\n        warn(kind, 'here')\n"
    exec(code, package.__dict__)
    package.Inside()
    assert shown[0].filename == __file__


def test_a_log_shows_each_kind_and_cause_once_although_other_libraries_change_the_filters(shown: list) -> None:
    with counting_warnings(WarningLog()) as log:
        for number in range(3):
            warn(BranchJumpWarning, JUMP, detail=str(number))
            warn(NudgeBeyondGapWarning, "past the gap", detail=str(number))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
    assert [(item.category, str(item.message), item.message.detail) for item in shown] == [
        (BranchJumpWarning, JUMP, "0"),
        (NudgeBeyondGapWarning, "past the gap", "0"),
    ]
    assert [(count.kind, count.times) for count in log.given] == [
        ("BranchJumpWarning", 3),
        ("NudgeBeyondGapWarning", 3),
    ]


def test_counts_hold_steps_epochs_and_what_was_looked_at_and_survive_a_checkpoint(shown: list) -> None:
    log = WarningLog()
    for step, affected in enumerate([0, 3, 0, 2, 0]):
        found_at(log, step, step // 2, affected, 10)
        log = WarningLog.from_record(log.record())
    (summary,) = log.summary()
    assert summary == {
        "kind": "BranchJumpWarning",
        "severity": "warning",
        "text": JUMP,
        "times": 2,
        "affected": 5,
        "of": 50,
        "first_step": 1,
        "last_step": 3,
        "detail": "step 1",
    }
    assert log.given[0].by_epoch == {0: 3, 1: 2}


def test_what_was_looked_at_and_found_well_is_no_warning(shown: list) -> None:
    log = WarningLog()
    found_at(log, 0, 0, 0, 10)
    assert not shown
    assert not log.given
    assert not log.summary()


def test_a_warning_about_the_whole_run_counts_once(shown: list) -> None:
    log = WarningLog()
    for step in (4, 9):
        fresh = WarningLog()
        with counting_warnings(fresh):
            warn(BranchJumpWarning, JUMP, once=True)
        log.merge(fresh, step=step)
    (count,) = log.given
    assert (count.times, count.affected, count.first_step, count.last_step) == (1, 1, 4, 4)


def test_the_highest_severity_is_kept_and_comes_first(shown: list) -> None:
    with counting_warnings(WarningLog()) as log:
        warn(NudgeBeyondGapWarning, "past the gap")
        warn(BranchJumpWarning, JUMP, severity="note")
        warn(BranchJumpWarning, JUMP, severity="serious")
    assert [(count.kind, count.severity) for count in log.given] == [
        ("BranchJumpWarning", "serious"),
        ("NudgeBeyondGapWarning", "note"),
    ]


def test_a_quiet_warning_is_counted_and_not_shown(shown: list) -> None:
    with counting_warnings(WarningLog()) as log:
        warn(BranchJumpWarning, JUMP, quiet=True)
    assert not shown
    assert log.affected() == {"BranchJumpWarning": 1}


def test_a_warning_comes_back_whole_from_another_process() -> None:
    again = pickle.loads(pickle.dumps(BranchJumpWarning(JUMP, "3 of 10", "serious")))
    assert (str(again), again.detail, again.severity) == (JUMP, "3 of 10", "serious")


PAGE = (Path(__file__).parent.parent / "docs" / "reference" / "warnings.md").read_text(encoding="utf-8")
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, QepWarning) and kind is not QepWarning
}


def test_every_kind_has_its_section_and_every_section_its_kind():
    named = re.findall(r"^## (\w+)$", PAGE, flags=re.MULTILINE)
    assert named == ["UntrustedGradientWarning", *sorted(set(KINDS) - {"UntrustedGradientWarning"})]


def test_those_of_gradients_are_named():
    section = PAGE.split("## UntrustedGradientWarning")[1].split("\n## ")[0]
    expected = {name for name, kind in KINDS.items() if issubclass(kind, UntrustedGradientWarning)}
    assert set(re.findall(r"`(\w+Warning)`", section)) == expected - {"UntrustedGradientWarning"}


def test_sections_of_kinds_with_two_severities_name_both():
    for name in ("BranchJumpWarning", "LostSignalWarning", "NoisyGradientWarning"):
        section = PAGE.split(f"## {name}\n")[1].split("\n## ")[0]
        assert section.count("\n* *") >= 2
