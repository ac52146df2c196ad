"""``qep complete``: completion of commands, options and files in a shell."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from qep_qiskit.cli.parser import command_parser
from qep_qiskit.core.errors import ResourceError

_FILES = ("CONFIG", "DATA.csv", "FILE")


def run(options: argparse.Namespace) -> int:
    """Print the script of a shell."""
    try:
        import shtab
    except ImportError:
        raise ResourceError("completion needs the package shtab: pip install 'qep_qiskit[completion]'") from None
    parser = command_parser()
    for action in _arguments(parser):
        if action.metavar in (*_FILES, "DIR"):
            action.complete = shtab.FILE if action.metavar in _FILES else shtab.DIRECTORY  # type: ignore[attr-defined]
    print(shtab.complete(parser, options.shell))
    return 0


def _arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of all commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _arguments(command)
        else:
            yield action
