"""Every kind of warning is explained."""

import re
from pathlib import Path

from qep_qiskit.core import errors
from qep_qiskit.core.errors import QepWarning, UntrustedGradientWarning

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
