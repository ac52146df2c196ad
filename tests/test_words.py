"""Names, docstrings and messages use the words of the field: private words of earlier versions do not come back."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "qep_qiskit"

# A private word, and what to write in its place.
PRIVATE = {
    "readouts": "measurements",
    "recollection": "warm start",
    "recollections": "warm starts",
    "remembered": "warm start",
    "remembers": "warm start",
    "spending": "shot schedule, step shots",
    "journal": "request log",
    "patient": "retrying",
    "situation": "problem",
    "favourite": "default",
    "findings": "summary",
    "lent": "nearest warm start",
    "watched": "measured",
    "told": "reported, resolved",
    "begun": "started",
    "tame": "disable",
    "shelf": "cache",
    "house": "module, package",
    "room": "space, width, margin",
    "rooms": "modules",
    "door": "interface",
    "doors": "interfaces",
    "seam": "interface",
    "journey": "way",
    "ticket": "job handle",
    "tickets": "job handles",
    "equilibria": "prepared states",
    "lowering": "synthesis",
    "nobody": "unknown, not counted, no use",
    "drown": "dominate, hide",
    "surely": "certainly",
}

# Where a word may stand, and why.
ALLOWED = {
    ("equilibria", "continuous/equilibrium.py"): "plural of the classical equilibrium of an elastic network",
    ("equilibria", "continuous/response.py"): "plural of the classical equilibrium of an elastic network",
    ("equilibria", "continuous/split_operator.py"): "classical equilibria are parameters of the program",
    ("readouts", "execution/surviving_signal.py"): "the readout of a qubit, whose error a device states",
    ("told", "plan/savings.py"): "local variable: the text that a saving prints",
    ("journal", "device/ledger.py"): "the journal of SQLite",
    ("shelf", "plan/circuits.py"): "private class: a cache in memory with the methods of the one on disk",
}

_PARTS = re.compile(r"_|(?<=[a-z0-9])(?=[A-Z])")


def words_of(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the words of identifiers, docstrings, messages and documented constants in lower case, with their lines.

    A message is a text with a space in it; what it quotes, as a user's key, does not count.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            prose = re.sub(r"`[^`]*`|'[^' ]*'", "", node.value)
            yield from ((word.lower(), node.lineno) for word in re.findall(r"[A-Za-z]+", prose))
            continue
        names = (getattr(node, kind, None) for kind in ("id", "attr", "arg", "name"))
        for name in names:
            if isinstance(name, str) and hasattr(node, "lineno"):
                yield from ((part.lower(), node.lineno) for part in _PARTS.split(name))


@cache
def private_words() -> frozenset[tuple[str, str, int]]:
    """Return every private word of the package with its file and line; a file of text is one message."""
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*") if path.suffix in (".py", ".txt")}
    return frozenset(
        (word, path.relative_to(PACKAGE).as_posix(), line)
        for path, text in texts.items()
        for word, line in words_of(ast.parse(text if path.suffix == ".py" else repr(text)))
        if word in PRIVATE
    )


def test_private_words_do_not_come_back():
    found = [
        f"{file}:{line}: {word!r}, write {PRIVATE[word]!r}"
        for word, file, line in sorted(private_words())
        if (word, file) not in ALLOWED
    ]
    assert not found


def test_every_exception_is_needed():
    assert {(word, file) for word, file, _ in private_words()} >= set(ALLOWED)


def test_words_are_found_in_names_prose_and_messages_but_not_in_quoted_names():
    code = """
class LentRoom:
    '''A house, see `door`.'''

    def a_ticket(self, seam):
        raise Error("no equilibria of 'rooms'")
"""
    tree = ast.parse(code)
    found = {word for word, _ in words_of(tree)}
    assert {"lent", "room", "house", "ticket", "seam", "equilibria"} <= found
    assert not {"door", "rooms"} & found
