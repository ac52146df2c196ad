"""``qep doctor``: look over what runs on devices need, and say what to do."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterator

from rich.console import Console

from qep_qiskit.device.check import Check
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.runs.versions import installed_version, meets, requirement_of

_CLIENT = "qiskit-ibm-runtime"
_PACKAGES = ("qep_qiskit", "qiskit", "qiskit-aer", _CLIENT)
_TO_MEND = 2


def run(options: argparse.Namespace) -> int:
    """Print a table of checks; the exit code is 2 if something is to be done."""
    checks = list(_checks())
    is_fine = all(check.is_fine for check in checks)
    if options.json:
        print(json.dumps({"ok": is_fine, "checks": [check.record() for check in checks]}, indent=1))
    else:
        rows = [
            ("ok", check.name, check.found) if check.is_fine else ("!", check.name, f"{check.found}; {check.advice}")
            for check in checks
        ]
        Console().print(FittedTable.of(("", "", "found; what to do"), rows, "what runs on IBM's devices need"))
    return 0 if is_fine else _TO_MEND


def _checks() -> Iterator[Check]:
    yield Check(name="python", found=platform.python_version())
    for package in _PACKAGES:
        yield _version(package)
    try:
        from qep_qiskit.device.account import account_checks
    except ImportError:
        yield Check(name="account", found="not known", advice=f"needs {_CLIENT}")
        return
    yield from account_checks()


def _version(package: str) -> Check:
    wanted, extra = requirement_of(package)
    install = f"pip install 'qep_qiskit{f'[{extra}]' if extra else ''}'"
    found = installed_version(package)
    if found is None:
        return Check(name=package, found="missing", advice=install)
    return Check(name=package, found=found, advice="" if meets(found, wanted) else f"expected {wanted}: {install}")
