"""The question whether a measurement on a device may be sent."""

from __future__ import annotations

import sys
from collections.abc import Callable

from qep_qiskit.cli.streams import tell
from qep_qiskit.core.amounts import amount
from qep_qiskit.runs.questions import Quote

_YES = ("y", "yes")


def agreement(*, yes: bool) -> Callable[[Quote], None]:
    """Return what says the price of a measurement, and on a terminal asks whether to go on.

    Args:
        yes: Whether to go on without asking.
    """

    def agree(quote: Quote) -> None:
        left = "" if quote.remaining is None else f"; the account has {quote.remaining:,.0f} QPU seconds left"
        jobs = amount(quote.jobs, "job")
        price = "a price that is not known" if quote.price is None else f"about {quote.price:,.1f} {quote.unit}"
        tell(f"{quote.device}: {jobs}, {amount(quote.executions, 'execution')}, {price}{left}")
        if yes or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return
        print("send? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in _YES:
            raise KeyboardInterrupt("nothing was sent")

    return agree
