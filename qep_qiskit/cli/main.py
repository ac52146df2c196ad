"""``qep``: arguments, warnings, and what becomes of an error. The work is done by the commands."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module, metadata
from typing import NoReturn

from qep_qiskit.errors import QepError, QepWarning

__all__ = ["main"]

_MANUAL = """\
Train quantum systems by Quantum Equilibrium Propagation on quantum circuits.

A network is a Hamiltonian H(w, x) with trainable weights w and an input x. Its
ground state is prepared and measured (the free phase), prepared again with a
nudge beta * C added (the nudged phases), and every weight moves along the
contrast of the two (Scellier 2024, arXiv:2406.00879). A configuration in TOML
says the whole run; the files in configs/ show every kind of it, and
docs/configuration.md lists every key.
"""

_EXAMPLES = """\
examples:
  qep train configs/iris.toml
      train; figures and weights land in runs/iris
  qep train configs/iris.toml --set measurement.shots=50 --out runs/few-shots
      the same with another number of shots per batch
  qep resume runs/iris
      go on where a stopped or killed run was
  qep predict runs/iris flowers.csv --json
      classify new rows, with error bars from shots
  qep gradient configs/xor.toml --sample 1 --compare exact
      one gradient beside the exact one
  qep gradient configs/xor.toml --sample 1 --set measurement.shots=exact
      the same from ideal circuits, without shot noise
  qep gradient configs/xor.toml --sample 1 --set preparation.kind=exact
      the same from exact states
  qep circuits configs/xor.toml --out xor-circuits
      OpenQASM 3 and drawings of what would run

files of a run:
  config.json, data.npz      what was run, on which samples
  metrics.jsonl              one line per step and per epoch
  checkpoint.npz             weights and counters, for resume and predict
  weights.json, summary.json, *.png
                             the report and its figures, written at the end

Ctrl-C stops a run after its current request and keeps everything; 'qep
resume' goes on as if it had never stopped, also after a crash.

exit codes: 0 done, 2 something in the input cannot be used (one line says
what), 130 stopped by Ctrl-C.
"""


class _Parser(argparse.ArgumentParser):
    """Complains in one line, as everything here does."""

    def error(self, message: str) -> NoReturn:
        print(f"qep: error: {message}; see '{self.prog} --help'", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="qep", description=_MANUAL, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"qep_qiskit {metadata.version('qep_qiskit')}")
    commands = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")

    train = _command(commands, "train", "train a network", "Train the network of a configuration.")
    _config_argument(train)
    train.add_argument("--out", metavar="DIR", help="folder of the run; runs/<name of the file> by default")

    resume = _command(commands, "resume", "go on with a stopped run", "Go on with a run that was stopped or killed.")
    resume.add_argument("folder", metavar="DIR", help="folder of the run")

    predict = _command(
        commands, "predict", "answer new inputs", "Measure a trained network's outputs on the rows of a CSV file."
    )
    predict.add_argument("folder", metavar="DIR", help="folder of the run")
    predict.add_argument("data", metavar="DATA.csv", help="rows with the input columns of the task")
    _json_argument(predict)

    gradient = _command(
        commands,
        "gradient",
        "measure one gradient",
        "Measure the gradient at one training sample, with standard errors, at the starting weights of a "
        "configuration or at the weights of a run.",
    )
    _config_argument(gradient, or_run=True)
    gradient.add_argument("--sample", metavar="I", type=int, required=True, help="index of the training sample")
    gradient.add_argument("--compare", choices=["exact"], help="put the exact gradient beside the measured one")
    _json_argument(gradient)

    circuits = _command(
        commands,
        "circuits",
        "show the circuits",
        "OpenQASM 3 and a drawing of every circuit of a gradient: each phase in each commuting group.",
    )
    _config_argument(circuits, or_run=True)
    circuits.add_argument("--sample", metavar="I", type=int, default=0, help="index of the training sample (0)")
    circuits.add_argument("--out", metavar="DIR", help="write them to a folder instead of printing them")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, short: str, text: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=short, description=text)


def _config_argument(parser: argparse.ArgumentParser, *, or_run: bool = False) -> None:
    what = "a configuration in TOML, or the folder of a run" if or_run else "a configuration in TOML"
    parser.add_argument("config", metavar="CONFIG", help=what)
    parser.add_argument(
        "--set",
        dest="overrides",
        metavar="key.path=value",
        action="append",
        default=[],
        help="replace or add a key of the configuration; may be given many times",
    )


def _json_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _show_warnings_once() -> None:
    """Warnings of this package as one line each, the first of every kind; other libraries' stay silent."""
    seen: set[type[Warning]] = set()

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if category not in seen:
            seen.add(category)
            print(f"qep: warning: {category.__name__}: {message}", file=sys.stderr)

    warnings.simplefilter("ignore")
    warnings.simplefilter("always", QepWarning)
    warnings.showwarning = show


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Words after ``qep``; those of the process by default.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings():
        _show_warnings_once()
        try:
            return int(import_module(f"qep_qiskit.cli.{options.command}").run(options))
        except QepError as error:
            print(f"qep: error: {' '.join(str(error).split())}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print("qep: interrupted", file=sys.stderr)
            return 130
        except BrokenPipeError:
            sys.stderr.close()
            return 0
