"""Continuous variables: oscillators and elastic networks, on their own and on registers of qubits."""
