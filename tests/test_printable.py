"""Names from files and messages of services do not control the terminal."""

import pytest

from qep_qiskit.core.printable import printable


@pytest.mark.parametrize("text", ["β = 0.3 ± 0.1 \u00a0│ ─ 名前", "a\n\tb", ""])
def test_letters_of_all_kinds_stay(text):
    assert printable(text) == text


@pytest.mark.parametrize("character", "\x1b\x07\x08\r\x7f\x9b\u202e\u2066\u200b\u2028\ud800")
def test_what_controls_a_terminal_is_replaced(character):
    assert printable(f"red{character}[31m") == "red?[31m"
