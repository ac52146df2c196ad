"""``qep version``: versions of what the numbers of a run depend on, for reports of faults."""

from __future__ import annotations

import argparse
import json
import platform

from qep_qiskit.report.tables import training_summary
from qep_qiskit.runs.versions import installed_versions


def run(options: argparse.Namespace) -> int:
    """Print a table of versions, or one JSON object."""
    found = {**installed_versions(), "python": platform.python_version(), "platform": platform.platform()}
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    from rich.console import Console

    Console().print(training_summary([(name, version or "not installed") for name, version in found.items()]))
    return 0
