"""Numbers with their nouns: one of a thing is never in the plural, here and in the messages of the package."""

import re
from pathlib import Path

import qep_qiskit
from qep_qiskit.core.amounts import amount, noun_of, there_are

PACKAGE = Path(qep_qiskit.__file__).parent
# A count that is inserted before a noun in the plural, such as {count} rows; every second and later is in the plural.
NOUNS = "epochs|jobs|rows|columns|cells|answers|results|inputs|targets|numbers"
BARE = re.compile(rf"(?<!every )\{{(?!amount\()[^{{}}]*\}} ({NOUNS})\b")


def test_one_is_singular():
    assert [amount(count, "shot") for count in (0, 1, 2, 4096)] == ["0 shots", "1 shot", "2 shots", "4,096 shots"]
    assert [amount(3, noun) for noun in ("class", "entry", "key")] == ["3 classes", "3 entries", "3 keys"]
    assert (noun_of(1.0, "box"), noun_of(1.5, "box")) == ("box", "boxes")
    assert there_are(1, "atom") == "there is 1 atom, 0"


def test_messages_count_by_it():
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {match[0]}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in BARE.finditer(line)
    ]
    assert found == []
