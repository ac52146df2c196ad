"""The rows of this package in the comparison of classifiers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import qep_qiskit as qep

__all__ = ["GRIDS", "ROWS", "Point", "Row", "classifier"]

_GROUPS = {3: (3,), 4: (4,), 5: (3, 2), 8: (4, 4), 12: (4, 4, 4), 24: (4,) * 6}
_EPOCHS, _FLAT_STEPS, _BATCH = 60, 200, 32


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A point of the grid: spins, initial learning rate, and factor on the standardised inputs."""

    spins: int
    rate: float
    scale: float


GRIDS = {
    "full": [Point(n, rate, scale) for n in (8, 5, 3) for rate in (0.03, 0.1, 0.01) for scale in (0.3, 1.0, 3.0)],
    "scales": [Point(8, 0.03, scale) for scale in (0.3, 1.0, 3.0)],
    "none": [Point(8, 0.03, 0.3)],
}
"""Grids by name, with the points that are mostly good first: of equal ones, the first is taken. The one point of
``none`` was chosen by cross-validation on training rows of five sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A model of this package.

    Args:
        title: What the tables call it.
        changes: Sections of the configuration that differ from exact states of the coupled network.
        coupled: Whether spins of a group are coupled.
        own_scale: Whether it chooses its input scale itself, with spins and rate of exact states.
        most_spins: Largest number of spins that it can afford, for all its points.
        wide: Spins and input scale in place of those of the point, or None.
    """

    title: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    coupled: bool = True
    own_scale: bool = False
    most_spins: int = 8
    wide: tuple[int, float] | None = None

    @property
    def digest(self) -> str:
        """Eight digits of its settings, which results are kept with."""
        settings = json.dumps(asdict(replace(self, title="")), sort_keys=True)
        return hashlib.sha256(settings.encode()).hexdigest()[:8]

    def point(self, given: Point) -> Point:
        """Return a point of the grid as this row uses it."""
        if self.wide is not None:
            spins, scale = self.wide
            return replace(given, spins=spins, scale=scale)
        fitting = max(n for n in _GROUPS if n <= self.most_spins)
        return given if given.spins <= self.most_spins else replace(given, spins=fitting)


_THERMAL = {"kind": "thermal"}
_NUDGE = {"beta": 0.125, "equal_nudges": True}
"""By the loss of training rows on twelve sets: exact contrasts at 0.25 end at higher losses, and at 0.125 do not."""
ROWS = {
    "exact": Row(title="exact states"),
    "wide": Row(title="24 spins, inputs times 1", wide=(24, 1.0)),
    "no_couplings": Row(title="without couplings", coupled=False, own_scale=True),
    "no_fields": Row(
        title="without transverse fields",
        changes={"network": {"kind": "classical_ising"}, "preparation": {"kind": "exact"}, "contrast": {"beta": 0.5}},
        own_scale=True,
    ),
    "shots": Row(
        title="100 shots a batch", changes={"measurement": {"shots": 100, "shots_by_error": True}, "contrast": _NUDGE}
    ),
    "adaptive": Row(
        title="adaptive shots, from 10",
        changes={
            "measurement": {"shots": 10, "shots_by_error": True, "adaptive": {"max_shots": 1000}},
            "contrast": _NUDGE,
        },
    ),
    "warm": Row(title="thermal, T = 0.3", changes={"preparation": _THERMAL | {"temperature": 0.3}}, most_spins=5),
    "hot": Row(title="thermal, T = 1", changes={"preparation": _THERMAL | {"temperature": 1.0}}, most_spins=5),
    "circuits": Row(
        title="circuits of a ramp",
        changes={"preparation": {"kind": "adiabatic", "total_time": 6.0, "steps": 20}, "contrast": _NUDGE},
    ),
}
"""Rows by the name that ``--rows`` takes."""


def classifier(row: Row, point: Point, seed: int, *, epochs: int = _EPOCHS) -> qep.QEPClassifier:
    """An estimator: groups of spins, each complete, whose mean of Z is the output; inputs act on spins and couplings.

    Args:
        row: The model.
        point: Its hyperparameters, of the grid.
        seed: Seed of initial weights, of the order of samples, and of shots.
        epochs: Epochs at most.
    """
    point = row.point(point)
    spins = point.spins
    edges, first = [], 0
    for size in _GROUPS[spins]:
        members = range(first, first + size)
        edges += [[j, k] for j in members for k in members if j < k and row.coupled]
        first += size
    mean = " + ".join(f"{1.0 / spins} Z{k}" for k in range(spins))
    content: dict[str, dict[str, Any]] = {
        "network": {
            "kind": "ising",
            "graph": "edges",
            "num_spins": spins,
            "edges": edges,
            "coupling_inputs": {"enabled": row.coupled},
        },
        "cost": {
            "kind": "loss",
            "loss": "cross_entropy",
            "gain": float(spins),
            "observables": [mean, _negative(mean)],
        },
        "measurement": {"shots": "exact"},
        "contrast": {"beta": 0.02},
        "preparation": {"kind": "exact", "solver": "components"},
        "callbacks": {"own": [{"make": "benchmarks.peers.stopping:FlatLoss", "options": {"steps": _FLAT_STEPS}}]},
    }
    for section, keys in row.changes.items():
        content[section] = keys if section == "preparation" else content[section] | keys
    return qep.QEPClassifier(
        epochs=epochs,
        batch_size=_BATCH,
        learning_rate=point.rate,
        input_scale=point.scale,
        random_state=seed,
        config=content,
    )


def _negative(text: str) -> str:
    return "-" + text.replace(" + ", " - ")
