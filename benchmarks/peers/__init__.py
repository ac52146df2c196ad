"""Comparisons with other people's programs and published results; each module is a command."""
