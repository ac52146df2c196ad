"""Devices behind a service: jobs, the ledger, retries, and IBM Quantum."""
