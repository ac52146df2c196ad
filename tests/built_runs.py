"""Objects of small configurations."""

from qep_qiskit.config import build, check_config

EXACT, ADIABATIC = {"kind": "exact"}, {"kind": "adiabatic"}
PAIR = {"num_spins": 2}


def make(**sections):
    content = {"task": {"kind": "xor"}, "network": PAIR, "preparation": EXACT} | sections
    return build(check_config(content, "run.toml"))
