"""The command line."""

from qep_qiskit.cli.main import main

__all__ = [
    "main",
]
