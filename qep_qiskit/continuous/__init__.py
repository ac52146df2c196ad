"""Continuous variables: oscillators and elastic networks, simulated directly or on registers of qubits."""
