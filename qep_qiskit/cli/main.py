"""``qep``: display of warnings, and handling of errors. The commands do the work."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module

from qep_qiskit.cli.parser import command_parser
from qep_qiskit.cli.streams import accept_all_characters, give_up_output, streams_that_end_nothing, system_line, tell
from qep_qiskit.core.errors import SEVERITIES, QepError, QepWarning, StillQueuedError, WorkerLostError
from qep_qiskit.runs.stop_signals import on_stop_signals

_EXIT_CODES: dict[type[QepError], int] = {WorkerLostError: 1, StillQueuedError: 3}


def _show_warnings_once() -> None:
    """Show warnings of this package as one line each; warnings of other libraries are hidden.

    The first warning of every kind is shown, and another one of the kind only if it is more severe; the counts at the
    end include all.
    """
    shown: dict[type[Warning], int] = {}

    def show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
        if not isinstance(message, QepWarning):
            return
        rank = list(SEVERITIES).index(message.severity)
        if rank > shown.get(category, -1):
            shown[category] = rank
            numbers = f" ({message.detail})" if message.detail else ""
            tell(f"{SEVERITIES[message.severity]}: {category.__name__}: {message}{numbers}")

    warnings.simplefilter("ignore")
    warnings.simplefilter("always", QepWarning)
    warnings.showwarning = show


@contextmanager
def _showing_log() -> Iterator[None]:
    """Show the log of this package as lines, and hide that of IBM's client.

    This package reports the client's errors.
    """
    client, own, handler = logging.getLogger("qiskit_ibm_runtime"), logging.getLogger("qep_qiskit"), _Lines()
    level = client.level
    if level == logging.NOTSET:  # QISKIT_IBM_RUNTIME_LOG_LEVEL of the user has priority
        client.setLevel(logging.CRITICAL)
    handler.setLevel(logging.WARNING)
    own.addHandler(handler)
    try:
        yield
    finally:
        own.removeHandler(handler)
        client.setLevel(level)


def _interrupt() -> None:
    raise KeyboardInterrupt


class _Lines(logging.Handler):
    """Log handler that prints to the current standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one line."""
        tell(f"{record.levelname.lower()}: {record.getMessage()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Arguments after ``qep``; by default those of the process.

    Returns:
        The exit code.
    """
    accept_all_characters()
    with streams_that_end_nothing(), warnings.catch_warnings(), _showing_log():
        options = command_parser().parse_args(arguments)
        _show_warnings_once()
        try:
            with on_stop_signals(_interrupt):  # a termination leaves worker processes and what they share behind
                code = int(import_module(f"qep_qiskit.cli.{options.command}").run(options))
            sys.stdout.flush()
            return code
        except QepError as error:
            tell(f"error: {' '.join(str(error).split())}")
            return _EXIT_CODES.get(type(error), 2)
        except KeyboardInterrupt as stop:
            tell(str(stop) or "interrupted")
            return 130
        except (BrokenPipeError, SystemExit) as stop:
            if isinstance(stop, SystemExit) and not isinstance(stop.__context__, BrokenPipeError):
                raise  # rich makes a broken pipe an exit
            give_up_output()
            return 0
        except MemoryError as error:
            tell(
                f"error: not enough memory ({str(error) or 'for this size'}); lower the number that is this large, "
                "such as network.num_spins, preparation.steps, measurement.shots or training.batch_size"
            )
            return 2
        except OSError as error:
            give_up_output()
            tell(f"error: {system_line(error)}")
            return 2
