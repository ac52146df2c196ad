"""Work that does not fit is refused before it starts."""

import builtins

import pytest

from qep_qiskit.core import memory
from qep_qiskit.core.errors import ResourceError


def test_what_fits_passes(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 16 << 30)
    memory.require_memory(30, 16, "a simulation")


@pytest.mark.parametrize(("num_qubits", "bytes_each", "fitting"), [(31, 16, 30), (50, 16, 30), (30, 17, 29)])
def test_what_does_not_fit_is_refused_and_told_what_would(monkeypatch, num_qubits, bytes_each, fitting):
    monkeypatch.setattr(memory, "available_bytes", lambda: 16 << 30)
    with pytest.raises(ResourceError, match=f"a simulation of {num_qubits} qubits .* at most {fitting} qubits"):
        memory.require_memory(num_qubits, bytes_each, "a simulation")
    memory.require_memory(fitting, bytes_each, "a simulation")


def test_message_is_one_line(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 8)
    with pytest.raises(ResourceError, match="at most 0 qubits") as caught:
        memory.require_memory(30, 16, "x")
    assert "\n" not in str(caught.value)


def test_something_is_available():
    assert memory.available_bytes() > 1 << 20


def test_systems_without_meminfo_have_half_of_all_memory(monkeypatch):
    def refuse(*_args, **_options):
        raise OSError

    monkeypatch.setattr(builtins, "open", refuse)
    assert memory.available_bytes() > 1 << 20
