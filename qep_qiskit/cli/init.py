"""``qep init``: write an example configuration to begin with, or list the examples."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from qep_qiskit.config.examples import Example, example_for, examples
from qep_qiskit.core.errors import ConfigError
from qep_qiskit.core.files import write_atomically
from qep_qiskit.report.fitted_table import FittedTable

_OPTIONS = ("task", "network", "preparation", "backend")


def run(options: argparse.Namespace) -> int:
    """Write one example with its files, or print a table of all."""
    kinds = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    if options.name is None and not kinds:
        if options.overrides:
            raise ConfigError("--set: goes with the NAME of an example or with options that pick one")
        Console().print(_table())
        return 0
    example, changes = example_for(options.name, kinds)
    changes = [*changes, *options.overrides]
    files = {f"{example.name}.toml": example.with_keys(changes).encode(), **example.files}
    if changes:
        _require_fitting(example, files)
    _write(files)
    print(f"wrote {', '.join(files)}; go on with 'qep train {example.name}.toml'")
    return 0


def _table() -> FittedTable:
    note = "'qep init NAME' writes NAME.toml, and the files that it names, into the working directory."
    rows = [(one.name, one.purpose, one.reaches) for one in examples()]
    return FittedTable.of(("example", "what it shows", "reaches"), rows, note=note)


def _require_fitting(example: Example, files: Mapping[str, bytes]) -> None:
    """Check that all objects of a changed example can be built, before anything is written."""
    from qep_qiskit.config import from_file

    with TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        try:
            from_file(Path(folder) / f"{example.name}.toml")
        except ConfigError as error:
            raise ConfigError(str(error).replace(f"{folder}/", "")) from error


def _write(files: Mapping[str, bytes]) -> None:
    """Write files into the working directory; one that is there with the same content stays."""
    for name, content in files.items():
        path = Path(name)
        if path.exists() and (path.suffix == ".toml" or path.read_bytes() != content):
            raise ConfigError(f"{name}: exists already, and nothing is overwritten; move it, or work in another folder")
    for name in reversed([*files]):  # the configuration last, so that what it names is there
        write_atomically(Path(name), files[name])
