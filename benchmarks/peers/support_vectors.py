"""Find sets whose published results are not of the files at hand, with a support vector machine.

    python -m benchmarks.peers.support_vectors --data DIR --store

Data sets are made by public generators from a seed, so results of others are only comparable where both have the same
rows. A support vector machine has no random numbers: where the published one is more accurate than every point of its
grid on these files, the files are others.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from benchmarks.peers.public_sets import PublicSet, find_sets, published
from benchmarks.peers.stored import FOLDER, read_results, write_results
from qep_qiskit.core.errors import DataError, QepError

_STRENGTHS, _WIDTHS = (0.1, 1.0, 10.0, 100.0), (0.001, 0.01, 0.1, 1.0)
_MARGIN = 0.02
"""More than one test row of 60, by which ties between points of the grid differ."""


def accuracies(one: PublicSet) -> tuple[float, float]:
    """Test accuracy of the point that a five-fold cross-validation chooses, and the best test accuracy of the grid."""
    X, y = one.rows(one.train)
    test, answers = one.rows(one.test)
    machine = make_pipeline(StandardScaler(), SVC())
    search = GridSearchCV(machine, {"svc__C": _STRENGTHS, "svc__gamma": _WIDTHS}, cv=5).fit(X, y)
    every = [
        make_pipeline(StandardScaler(), SVC(C=strength, gamma=width)).fit(X, y).score(test, answers)
        for strength in _STRENGTHS
        for width in _WIDTHS
    ]
    return float(search.score(test, answers)), float(np.max(every))


def others(data: Path, results: Path, stored: Path) -> list[dict[str, Any]]:
    """Sets whose published accuracy no point of the grid reaches, with that of exact states where it is stored.

    Args:
        data: Folder of the sets.
        results: Published results.
        stored: The table of all sets.
    """
    known = {(its.family, its.name): its.mean for its in published(results) if its.model == "SVC"}
    try:
        rows = read_results(stored).rows
    except DataError:
        rows = []
    exact = {(row["family"], row["data_set"]): row["mean"] for row in rows if row["model"] == "QEP, exact states"}
    found = []
    for one in find_sets(data, [], []):
        key = (one.family, one.name)
        if key not in known:
            continue
        chosen, best = accuracies(one)
        if known[key] > best + _MARGIN:
            found.append(
                {
                    "data set": one.name,
                    "SVC, published": f"{known[key]:.3f}",
                    "SVC on these files": f"{chosen:.3f}",
                    "best point of its grid": f"{best:.3f}",
                    "QEP, exact states": f"{float(exact[key]):.3f}" if key in exact else "",
                }
            )
    return found


def main(words: Sequence[str] | None = None) -> int:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    made.add_argument("--published", type=Path, help="published results; by default DIR/public_results.csv")
    made.add_argument("--store", action="store_true", help="write the table where the docs take it from")
    options = made.parse_args(words)
    try:
        results = options.published or options.data / "public_results.csv"
        found = others(options.data, results, FOLDER / "classification.csv")
    except QepError as error:
        print(f"support_vectors: {error}", file=sys.stderr)
        return 2
    for row in found:
        print(", ".join(f"{name}: {value}" for name, value in row.items()))
    print(
        f"{len(found)} of {len(find_sets(options.data, [], []))} sets are other files than the published results are of"
    )
    if options.store and found:
        given = sys.argv[1:] if words is None else list(words)
        hidden = {str(options.data): "DIR", str(options.published): "PUBLISHED"}
        command = shlex.join(
            ["python", "-m", "benchmarks.peers.support_vectors", *(hidden.get(word, word) for word in given)]
        )
        write_results(FOLDER / "classification_files.csv", found, command, packages=("scikit-learn",))
    return 0


if __name__ == "__main__":
    sys.exit(main())
