"""Devices behind a service: jobs, their ledger, retries, and IBM Quantum."""
