"""The table of what the update of each weight needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qep_qiskit.learning.locality import LocalMeasurement
from qep_qiskit.report.fitted_table import FittedTable

_ROWS_FOR_SINGLE_WEIGHTS = 12
_PRODUCTS_SHOWN = 4


def locality_table(readings: Sequence[LocalMeasurement]) -> FittedTable:
    """Weights, or kinds of weights where there are many, with the batch and the qubits that their updates need.

    Args:
        readings: By `qep_qiskit.learning.locality.locality`.
    """
    table = FittedTable("What an update needs of a shot")
    few = len(readings) <= _ROWS_FOR_SINGLE_WEIGHTS
    for column in ("weight" if few else "weights", "batch", "bits of qubits"):
        table.add_column(column)
    for row in (_single(reading) for reading in readings) if few else _by_kind(readings):
        table.add_row(*row)
    return table


def _single(reading: LocalMeasurement) -> tuple[str, str, str]:
    return reading.weight, reading.group, _products(reading)


def _products(reading: LocalMeasurement) -> str:
    """Qubits that are multiplied stand together, such as ``0 1, 1 2``."""
    texts = [" ".join(map(str, product)) for product in reading.products[:_PRODUCTS_SHOWN]]
    left_out = len(reading.products) - len(texts)
    return ", ".join(texts) + (f", ... ({left_out} more)" if left_out else "")


def _by_kind(readings: Sequence[LocalMeasurement]) -> Iterator[tuple[str, str, str]]:
    """One row for the weights of one symbol that read as many qubits in the same batch."""
    kinds: dict[tuple[str, str, int], list[LocalMeasurement]] = {}
    for reading in readings:
        kinds.setdefault(_kind(reading), []).append(reading)
    for (symbol, group, qubits), same in kinds.items():
        first = same[0]
        if len(same) == 1:
            yield _single(first)
            continue
        each = f"{qubits} qubit{'s' if qubits > 1 else ''} each"
        yield f"{len(same)} of {symbol}", group, f"{each}, {first.weight}: {_products(first)}"


def _kind(reading: LocalMeasurement) -> tuple[str, str, int]:
    return reading.weight.partition("[")[0], reading.group, len(reading.qubits)
