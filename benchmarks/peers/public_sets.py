"""Public data sets for classification, and the published results of fifteen models on them.

The sets are those of Bowles, Ahmed & Schuld (2024, arXiv:2403.07059), from https://github.com/XanaduAI/qml-benchmarks:
its generators write them, and its folder of the paper has the results.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qep_qiskit.core.errors import DataError

__all__ = ["FAMILIES", "PublicSet", "Published", "find_sets", "is_comparable", "published"]

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
_OTHER_FILES = {"two_curves_diff": range(16, 21)}
"""Sizes whose published results are of other files than the generators write: `support_vectors` finds them."""
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


def is_comparable(family: str, size: int) -> bool:
    """Return whether the published results of a set are of the files that the generators write.

    Args:
        family: Name of the family.
        size: Size of the set within the family.
    """
    return size not in _OTHER_FILES.get(family, ())


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


def published(path: Path) -> list[Published]:
    """Return published results, each of them once.

    Args:
        path: A table with the columns benchmark, dataset, model, seeds, test_accuracy_mean and test_accuracy_std, or
            the folder of the repository, with one file of accuracies by seed for each model and set.

    Raises:
        DataError: There are none.
    """
    if path.is_dir():
        found = list(_of_repository(path))
    else:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                found = list(_once(csv.DictReader(file)))
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error.strerror}); expected the published results") from None
    if not found:
        raise DataError(f"{path}: expected published results of {', '.join(FAMILIES)}; found none")
    return found


def _of_repository(folder: Path) -> Iterator[Published]:
    for path in sorted(folder.glob("*/*/*_GridSearchCV-best-hyperparams-results.csv")):
        family, model = path.parts[-3:-1]
        name = path.name.partition("_GridSearchCV")[0].removeprefix(model).lstrip("_ ")
        with path.open(encoding="utf-8", newline="") as file:
            accuracies = [float(row["test_acc"]) for row in csv.DictReader(file)]
        if family in FAMILIES and accuracies:
            yield _published(
                family, name, model, float(np.mean(accuracies)), float(np.std(accuracies)), len(accuracies)
            )


def _once(rows: Iterable[dict[str, str]]) -> Iterator[Published]:
    seen = set()
    for row in rows:
        key = (row["benchmark"], row["dataset"], row["model"])
        if key not in seen and row["benchmark"] in FAMILIES:
            seen.add(key)
            yield _published(*key, float(row["test_accuracy_mean"]), float(row["test_accuracy_std"]), int(row["seeds"]))


def _published(family: str, name: str, model: str, mean: float, std: float, seeds: int) -> Published:
    kind = _KINDS.get(model, "quantum")
    return Published(family=family, name=name, model=model, kind=kind, mean=mean, std=std, seeds=seeds)
