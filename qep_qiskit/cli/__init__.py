"""The command line ``qep``."""

from qep_qiskit.cli.main import main

__all__ = [
    "main",
]
