"""Sweeps and studies of many runs: worker pools, stored points, and result tables."""
