"""Train classifiers of this package on public data sets, and put them beside published results.

    python -m benchmarks.peers.classification --data DIR                       everything: a night on two cores
    python -m benchmarks.peers.classification --data DIR --family hyperplanes_diff --features 5 10
    python -m benchmarks.peers.classification --data DIR --rows exact shots --grid none --seeds 2 --minutes 30

DIR has a folder of CSV files for each family, and --published names the published results; the page "How it compares"
of the docs says where they are from. The protocol is that of the published study: inputs are standardised on the
training rows; every model takes, of a grid of 27 points, the one of the best accuracy in a five-fold cross-validation
on the training rows; it is trained again on all of them with five seeds, and scored on the test rows. A run ends when
its loss is flat (`stopping.py`). Shots, temperatures and circuits take the point of exact states; the rows without
couplings and without fields choose the input scale by a cross-validation of their own; the wide one has a scale of its
own. Means leave out the sets whose published results are of other files (`support_vectors`).

A run that is stopped goes on where it was when it is started again with the same folder; two at a time may share one
if they have different families. What ``--minutes`` leaves undone is not in the tables: they say what they have.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from benchmarks.peers.classification_figure import draw
from benchmarks.peers.public_sets import FAMILIES, PublicSet, Published, find_sets, is_comparable, published
from benchmarks.peers.spin_classifiers import GRIDS, ROWS, Point, Row, classifier
from benchmarks.peers.stored import FOLDER, write_results
from qep_qiskit.core.errors import QepError, QepWarning

_FOLDS = 5
_ROUNDING = 1e-9  # of means of accuracies
_DRAWN = ("exact", "wide", "shots", "no_fields")  # more curves hide each other
_SOURCE = (
    "means and deviations of other models: Bowles, Ahmed & Schuld, arXiv:2403.07059, paper/results of their repository"
)


class TimeIsUpError(Exception):
    """The minutes of this call are over."""


class Trainings:
    """Trainings of a folder, each done once.

    Args:
        folder: Where the results of all trainings are kept, line by line.
        until: Time after which no training begins.
        epochs: Epochs of a training at most.
    """

    def __init__(self, folder: Path, until: float, epochs: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._until, self._epochs = folder / "trainings.jsonl", until, epochs
        lines = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        self._known = {json.dumps(entry["key"]): entry for entry in map(json.loads, lines)}

    def score(self, one: PublicSet, name: str, point: Point, seed: int, fold: int | None = None) -> dict[str, Any]:
        """Accuracies, epochs, shots and seconds of one training, on a fold of the training rows or on all of them."""
        key = [one.family, one.name, name, ROWS[name].digest, *asdict(point).values(), seed, fold, self._epochs]
        known = self._known.get(json.dumps(key))
        if known is not None:
            return known
        if time.time() > self._until:
            raise TimeIsUpError
        X, y = one.rows(one.train)
        test, answers = one.rows(one.test)
        if fold is not None:
            inside, outside = list(StratifiedKFold(_FOLDS).split(X, y))[fold]
            X, y, test, answers = X[inside], y[inside], X[outside], y[outside]
        start = time.process_time()
        model = classifier(ROWS[name], point, seed, epochs=self._epochs).fit(X, y)
        entry = {
            "key": key,
            "test": model.score(test, answers),
            "train": model.score(X, y),
            "epochs": model.n_epochs_,
            "shots": model.trained_.state.shots,
            "seconds": round(time.process_time() - start, 2),
        }
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._known[json.dumps(key)] = entry
        return entry

    def best(self, one: PublicSet, name: str, grid: Sequence[Point]) -> Point:
        """The point of a row by cross-validation."""
        point = self._best_of("exact", one, grid)
        if not ROWS[name].own_scale:
            return point
        return self._best_of(
            name, one, [other for other in grid if (other.spins, other.rate) == (point.spins, point.rate)]
        )

    def _best_of(self, name: str, one: PublicSet, grid: Sequence[Point]) -> Point:
        """The point of the best accuracy in the cross-validation; the first of several.

        A point is left after the fold with which it can no longer be the best, however good the others were.
        """
        best, most = grid[0], -1.0
        for point in grid if len(grid) > 1 else []:
            missed = 0.0
            for fold in range(_FOLDS):
                missed += (1.0 - self.score(one, name, point, 0, fold)["test"]) / _FOLDS
                if 1.0 - missed <= most + _ROUNDING:
                    break
            else:
                best, most = point, 1.0 - missed
        return best


def result(one: PublicSet, row: Row, given: Point, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A line of the table of all sets."""
    accuracies, point = [run["test"] for run in runs], row.point(given)
    return {
        "family": one.family,
        "data_set": one.name,
        "size": one.size,
        "model": f"QEP, {row.title}",
        "kind": "this package",
        "mean": f"{np.mean(accuracies):.4f}",
        "std": f"{np.std(accuracies):.4f}",
        "seeds": len(runs),
        "train": f"{np.mean([run['train'] for run in runs]):.4f}",
        "spins": point.spins,
        "rate": point.rate,
        "scale": point.scale,
        "epochs": f"{np.mean([run['epochs'] for run in runs]):.0f}",
        "shots": f"{np.mean([run['shots'] for run in runs]):.0f}",
        "seconds": f"{np.mean([run['seconds'] for run in runs]):.1f}",
    }


def beside(found: Sequence[Mapping[str, Any]], others: Sequence[Published]) -> list[dict[str, Any]]:
    """Lines of the published results on the sets that were run, where they are of the same files."""
    names = {
        (line["family"], line["data_set"]): line["size"]
        for line in found
        if is_comparable(line["family"], line["size"])
    }
    empty = dict.fromkeys(("train", "spins", "rate", "scale", "epochs", "shots", "seconds"), "")
    return [
        {
            "family": other.family,
            "data_set": other.name,
            "size": names[other.family, other.name],
            "model": other.model,
            "kind": other.kind,
            "mean": f"{other.mean:.4f}",
            "std": f"{other.std:.4f}",
            "seeds": other.seeds,
            **empty,
        }
        for other in others
        if (other.family, other.name) in names
    ]


def means(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mean accuracies by family and over all sets, how much two rows of ours are above a model on its sets, and shots.

    Of sets that can be compared with published results only, so that all lines are about the same files. Differences
    are means over sets, with standard errors by their scatter over sets.
    """
    lines = [line for line in lines if is_comparable(line["family"], line["size"])]
    by_model: dict[tuple[str, str], dict[tuple[str, str], float]] = defaultdict(dict)
    for line in lines:
        by_model[line["model"], line["kind"]][line["family"], line["data_set"]] = float(line["mean"])
    shots: dict[str, list[float]] = {line["model"]: [] for line in lines}
    for line in lines:
        shots[line["model"]] += [float(line["shots"])] if line["shots"] else []
    ours = {row: by_model.get((f"QEP, {ROWS[row].title}", "this package"), {}) for row in ("exact", "wide")}
    table = []
    for (model, kind), scores in by_model.items():
        own = {family: [score for (its, _), score in scores.items() if its == family] for family in FAMILIES}
        table.append(
            {
                "model": model,
                "kind": kind,
                **{family: f"{np.mean(found):.3f}" if found else "" for family, found in own.items()},
                "all": f"{np.mean(list(scores.values())):.3f}",
                "sets": len(scores),
                **{f"{row} above it": _above(known, scores) for row, known in ours.items()},
                "shots": f"{np.mean(shots[model]):.2g}" if shots[model] else "",
            }
        )
    return sorted(table, key=lambda line: (line["kind"] != "this package", -float(line["all"])))


def _above(scores: Mapping[tuple[str, str], float], others: Mapping[tuple[str, str], float]) -> str:
    """Mean difference on the sets of both, and its standard error."""
    found = np.array([scores[key] - other for key, other in others.items() if key in scores])
    if scores is others or len(found) == 0:
        return ""
    error = f" ± {found.std(ddof=1) / np.sqrt(len(found)):.3f}" if len(found) > 1 else ""
    return f"{found.mean():+.3f}{error}"


def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Train what is wanted and not yet done; return the lines of what is complete."""
    until = time.time() + 60.0 * options.minutes
    trainings = Trainings(options.out, until, options.epochs)
    found = []
    for one in find_sets(options.data, options.family, options.features):
        for name in options.rows:
            row, grid = ROWS[name], GRIDS[options.grid]
            try:
                point = trainings.best(one, name, grid)
                runs = [trainings.score(one, name, point, seed) for seed in range(options.seeds)]
            except TimeIsUpError:
                continue
            found.append(result(one, row, point, runs))
            print(f"{one.name}: {row.title}: {found[-1]['mean']} +- {found[-1]['std']}", flush=True)
    return found


def write(options: argparse.Namespace, found: Sequence[Mapping[str, Any]], command: str) -> None:
    """Write both tables and the figure."""
    lines = [*found, *beside(found, published(options.published or options.data / "public_results.csv"))]
    sets, wanted = len({line["data_set"] for line in found}), len(find_sets(options.data, [], []))
    grid = GRIDS[options.grid]
    table = means(lines)
    rows = "; ".join(f"{line['model']}: {line['sets']}" for line in table if line["kind"] == "this package")
    notes = {
        "part": f"{sets} of {wanted} data sets, {options.seeds} of 5 seeds, {len(grid)} of {len(GRIDS['full'])} points "
        f"of the grid{', no cross-validation' if len(grid) == 1 else ''}, at most {options.epochs} epochs",
        "sets": rows,
        "source": _SOURCE,
    }
    packages = ("scikit-learn",)
    folder = FOLDER if options.store else options.out
    write_results(folder / "classification.csv", lines, command, packages=packages, notes=notes)
    write_results(folder / "classification_means.csv", table, command, packages=packages, notes=notes)
    draw(lines, folder / "classification.png", [f"QEP, {ROWS[name].title}" for name in _DRAWN])
    print(f"wrote {folder}/classification.csv, classification_means.csv and classification.png")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    made.add_argument(
        "--published", type=Path, help="paper/results of the study's repository; by default DIR/public_results.csv"
    )
    made.add_argument("--family", nargs="+", default=[], choices=FAMILIES, help="families; all by default")
    made.add_argument("--features", nargs="+", type=int, default=[], help="sizes within the families; all by default")
    made.add_argument("--rows", nargs="+", default=[*ROWS], choices=ROWS, help="models of this package; all by default")
    made.add_argument("--grid", default="full", choices=GRIDS, help="points of the search")
    made.add_argument("--seeds", type=int, default=5, help="trainings of the chosen point")
    made.add_argument("--epochs", type=int, default=60, help="epochs of a training at most")
    made.add_argument("--minutes", type=float, default=float("inf"), help="time after which no training begins")
    made.add_argument("--out", type=Path, default=Path("classification"), help="folder of all trainings and the tables")
    made.add_argument("--store", action="store_true", help="write the tables where the docs take them from")
    return made


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    given = sys.argv[1:] if words is None else list(words)
    named = {str(options.data): "DIR", str(options.published): "PUBLISHED", str(options.out): "OUT"}
    if "--minutes" in given:  # what is not done in time is not in the tables
        at = given.index("--minutes")
        del given[at : at + 2]
    command = shlex.join(
        ["python", "-m", "benchmarks.peers.classification", *(named.get(word, word) for word in given)]
    )
    warnings.simplefilter("ignore", QepWarning)
    try:
        found = run(options)
        if not found:
            print("nothing is complete yet; start again with the same --out", file=sys.stderr)
            return 1
        write(options, found, command)
    except QepError as error:
        print(f"classification: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
