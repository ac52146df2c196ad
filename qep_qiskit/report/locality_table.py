"""Table of the measurements that the update of each weight needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from qep_qiskit.core.amounts import amount
from qep_qiskit.learning.locality import LocalMeasurement
from qep_qiskit.report.fitted_table import FittedTable
from qep_qiskit.report.tables import grouped

_ROWS_FOR_SINGLE_WEIGHTS = 12
_PRODUCTS_SHOWN = 4


def locality_table(measurements: Sequence[LocalMeasurement]) -> FittedTable:
    """Return a table of weights, or of kinds of weights, with the batch and the qubits of their updates.

    Args:
        measurements: Result of `qep_qiskit.learning.locality.locality`.
    """
    few = len(measurements) <= _ROWS_FOR_SINGLE_WEIGHTS
    rows = map(_single, measurements) if few else _by_kind(measurements)
    columns = ("weight" if few else "weights", "batch", "bits of qubits")
    return FittedTable.of(columns, rows, "What an update needs of a shot")


def _single(measurement: LocalMeasurement) -> tuple[str, str, str]:
    return measurement.weight, measurement.group, _products(measurement)


def _products(measurement: LocalMeasurement) -> str:
    """Return qubits as text; those of a product are grouped, such as ``0 1, 1 2``."""
    texts = [" ".join(map(str, product)) for product in measurement.products[:_PRODUCTS_SHOWN]]
    omitted = len(measurement.products) - len(texts)
    return ", ".join(texts) + (f", ... ({omitted} more)" if omitted else "")


def _by_kind(measurements: Sequence[LocalMeasurement]) -> Iterator[tuple[str, str, str]]:
    """Return one row for the weights of one symbol with equally many qubits in the same batch."""
    for (symbol, group, qubits), same in grouped(measurements, _kind).items():
        first = same[0]
        if len(same) == 1:
            yield _single(first)
            continue
        each = f"{amount(qubits, 'qubit')} each"
        yield f"{len(same)} of {symbol}", group, f"{each}, {first.weight}: {_products(first)}"


def _kind(measurement: LocalMeasurement) -> tuple[str, str, int]:
    return measurement.weight.partition("[")[0], measurement.group, len(measurement.qubits)
