"""Public data sets for classification, and the published results of fifteen models on them.

The sets are those of Bowles, Ahmed & Schuld (2024, arXiv:2403.07059), from https://github.com/XanaduAI/qml-benchmarks:
its generators write them, and its folder of the paper has the results.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DataError

__all__ = ["FAMILIES", "PublicSet", "Published", "find_sets", "published"]

FAMILIES = {
    "two_curves": "two curves, by inputs",
    "two_curves_diff": "two curves, by degree",
    "hyperplanes_diff": "hyperplanes, by number",
    "hidden_manifold": "hidden manifold, by inputs",
    "hidden_manifold_diff": "hidden manifold, by dimension",
    "linearly_separable": "linearly separable, by inputs",
}
"""What changes from set to set, by family."""

_SIZES = {
    "two_curves": r"-(\d+)d$",
    "two_curves_diff": r"-(\d+)degree$",
    "hyperplanes_diff": r"-(\d+)n$",
    "hidden_manifold": r"-(\d+)d$",
    "hidden_manifold_diff": r"-(\d+)manifold$",
    "linearly_separable": r"_(\d+)d$",
}
_FOLDERS = {"two_curves": "two_curves_diff"}
_KINDS = {
    "SVC": "classical",
    "MLPClassifier": "classical",
    "DressedQuantumCircuitClassifier": "hybrid",
    "QuantumKitchenSinks": "hybrid",
    "IQPKernelClassifier": "quantum kernel",
    "ProjectedQuantumKernel": "quantum kernel",
    "SeparableKernelClassifier": "product states",
    "SeparableVariationalClassifier": "product states",
    "QuantumBoltzmannMachineSeparable": "product states",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSet:
    """A data set.

    Args:
        family: Name of its family.
        name: Its name in the published results.
        size: What changes within the family: number of inputs, degree, planes or dimensions.
        train: File of the training rows; the label, +1 or -1, comes last.
        test: File of the test rows.
    """

    family: str
    name: str
    size: int
    train: Path
    test: Path

    def rows(self, path: Path) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Inputs (rows, inputs) and labels (rows,) of a file.

        Raises:
            DataError: The file cannot be read as numbers.
        """
        try:
            table = np.loadtxt(path, delimiter=",", ndmin=2)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: expected rows of numbers with a label +1 or -1 at their end ({error})") from None
        return table[:, :-1], table[:, -1].astype(np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published result: test accuracy over seeds of one tuned model on one set."""

    family: str
    name: str
    model: str
    kind: str
    mean: float
    std: float
    seeds: int


def find_sets(data: Path, families: Sequence[str], sizes: Sequence[int]) -> list[PublicSet]:
    """Return the sets below a folder, in the order of their families and sizes.

    Args:
        data: The folder; it has one folder for each family.
        families: Families that are wanted; all if empty.
        sizes: Sizes that are wanted; all if empty.

    Raises:
        DataError: There are none.
    """
    found = []
    for family in families or FAMILIES:
        for train in sorted((data / _FOLDERS.get(family, family)).glob("*_train.csv")):
            name = train.name.removesuffix("_train.csv")
            size = re.search(_SIZES[family], name)
            if size and (not sizes or int(size[1]) in sizes):
                test = train.with_name(f"{name}_test.csv")
                found.append(PublicSet(family=family, name=name, size=int(size[1]), train=train, test=test))
    if not found:
        raise DataError(f"{data}: expected folders such as two_curves_diff with files *_train.csv; found none that fit")
    return sorted(found, key=lambda one: ([*FAMILIES].index(one.family), one.size))


def published(data: Path) -> list[Published]:
    """Return the published results below a folder, each of them once.

    Raises:
        DataError: There is no file of them.
    """
    path = data / "public_results.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); expected the published results") from None
    return list(_once(rows))


def _once(rows: Sequence[dict[str, str]]) -> Iterator[Published]:
    seen = set()
    for row in rows:
        key = (row["benchmark"], row["dataset"], row["model"])
        if key in seen or row["benchmark"] not in FAMILIES:
            continue
        seen.add(key)
        yield Published(
            family=key[0],
            name=key[1],
            model=key[2],
            kind=_KINDS.get(key[2], "quantum"),
            mean=float(row["test_accuracy_mean"]),
            std=float(row["test_accuracy_std"]),
            seeds=int(row["seeds"]),
        )
