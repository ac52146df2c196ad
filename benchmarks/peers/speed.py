"""Speed of this package beside programs of others: one gradient, an epoch, VQE, and gradients from exact states.

    python -m benchmarks.peers.speed [--sizes 4,8,12,16,20] [--peers qulacs,aer] [--rounds 7] [--only gradient]
        [--store]

Others are installed by `pip install -r benchmarks/peers/requirements.txt`; one that is missing is left out, and a line
says so. All contestants of a table take turns (`paired.py`), each with one core or with two. Figures are medians over
rounds with their quartiles: CPU time of all threads on one core, which a busy machine hardly changes, and time on the
clock on two cores. Ratios are medians of the ratios of each round. `--store` writes the tables to docs/results/peers,
from which `python -m benchmarks.peers.page` makes the page "How it compares".

* gradient: chains with two inputs on every spin, ramps of 20 second-order Trotter steps, the free state and two nudged
  ones of every sample, 4096 shots a circuit; milliseconds a sample. Simulators return state vectors, and shots are
  taken from them by the same code, which is the fastest that was found for each. Exact gradients are compared first.
* one_sample: the same for batches of one sample.
* digits: one epoch of `configs/digits.toml`, 100 shots a circuit, on the engine and on Aer.
* vqe: energies of chains of four spins to 1e-4, by this package and by `VQE` of qiskit-algorithms with its reverse
  gradient, from the same angles.
* exact: gradients from exact ground states, by this package and as notebooks of publications compute them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.paired import Contestant, PairedProcesses, Times, quartiles
from benchmarks.peers.simulators import SIMULATORS
from benchmarks.peers.stored import FOLDER, write_results
from benchmarks.shown import show, whole_numbers
from qep_qiskit.core.amounts import amount
from qep_qiskit.runs.versions import installed_version

_CASES = "benchmarks.peers.cases"
_ENGINE = {"qep engine": "double", "qep engine, single": "single"}
_BATCHES = {4: 32, 8: 32, 12: 16, 16: 4}
_MOST_ALONE = 12
_FEW_ROUNDS_FROM, _FEW_ROUNDS = 16, 3
_TOLERANCE = {"double": 1e-8, "single": 1e-4}
_MOST_SPINS = {"dense": 10, "sparse": 14, "package": 14}
_EXACT = {
    "qep": "package",
    "dense matrices (numpy.linalg.eigh)": "dense",
    "sparse matrices (scipy eigsh)": "sparse",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run does.

    Args:
        sizes: Numbers of spins.
        peers: Parts of names of simulators that take part.
        rounds: Rounds that are counted.
        cores: Numbers of cores.
        images: Training images of the epoch of digits.
        only: Parts of names of tables that are made.
    """

    sizes: tuple[int, ...]
    peers: tuple[str, ...]
    rounds: int
    cores: tuple[int, ...]
    images: int
    only: tuple[str, ...]

    def rounds_at(self, size: int) -> int:
        return min(self.rounds, _FEW_ROUNDS) if size >= _FEW_ROUNDS_FROM else self.rounds

    def simulators(self) -> list[str]:
        """Those that are asked for and installed."""
        wanted = [name for name in SIMULATORS if any(part.lower() in name.lower() for part in self.peers)]
        return [name for name in wanted if not _missing(name)]


def _missing(name: str) -> list[str]:
    return [package for package in SIMULATORS[name].packages if installed_version(package) is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One column of a table: contestants that do the same.

    Args:
        column: Its header.
        unit: How many units of the table a call takes in a second: 1000 over samples for milliseconds a sample.
        contestants: Those that take turns; ratios are to the first one with the same number of cores.
        rounds: Rounds that are counted.
    """

    column: str
    unit: float
    contestants: Sequence[Contestant]
    rounds: int


def gradients(settings: Settings, *, batched: bool) -> Iterator[Comparison]:
    names = _ENGINE | {name: name for name in settings.simulators()}
    for size in settings.sizes:
        samples = _BATCHES.get(size, 1) if batched else 1
        if not batched and size > _MOST_ALONE:
            continue  # samples hardly differ from batches there
        shared = {"spins": size, "samples": samples, "steps": 20}
        contestants = [
            _contestant(name, cores, "ramp_gradient", **shared, shots=4096, simulator=simulator)
            for cores in settings.cores
            for name, simulator in names.items()
            if cores == 1 or name in _ENGINE or SIMULATORS[name].precision == "double"
        ]
        column = amount(size, "spin") + (f", {amount(samples, 'sample')}" if batched else "")
        rounds = settings.rounds_at(size)
        yield Comparison(column=column, unit=1e3 / samples, contestants=contestants, rounds=rounds)


def digits(settings: Settings) -> Iterator[Comparison]:
    backends = {"qep engine": "statevector", "Qiskit Aer": "aer"}
    contestants = [
        _contestant(name, cores, "digits_epoch", backend=backend, images=settings.images)
        for cores in settings.cores
        for name, backend in backends.items()
    ]
    rounds = settings.rounds_at(_FEW_ROUNDS_FROM)
    yield Comparison(column=f"{settings.images} images", unit=1.0, contestants=contestants, rounds=rounds)


def vqe(settings: Settings) -> Iterator[Comparison]:
    names = {"qep": False, "qiskit-algorithms": True}
    contestants = [
        _contestant(name, 1, "ground_state_vqe", spins=4, networks=settings.rounds + 1, library=library)
        for name, library in names.items()
    ]
    yield Comparison(column="4 spins", unit=1e3, contestants=contestants, rounds=settings.rounds)


def exact(settings: Settings) -> Iterator[Comparison]:
    for size in settings.sizes:
        contestants = [
            _contestant(name, 1, "exact_gradient", spins=size, samples=4, method=method)
            for name, method in _EXACT.items()
            if size <= _MOST_SPINS[method]
        ]
        if contestants:
            rounds = settings.rounds_at(_FEW_ROUNDS_FROM if size > _MOST_SPINS["dense"] - 2 else size)
            yield Comparison(column=amount(size, "spin"), unit=1e3 / 4, contestants=contestants, rounds=rounds)


def _contestant(name: str, cores: int, function: str, **options: Any) -> Contestant:
    return Contestant(name=name, cores=cores, work=f"{_CASES}:{function}", options=options)


TABLES: dict[str, tuple[str, Callable[[Settings], Iterator[Comparison]]]] = {
    "gradient": ("gradient by ramps, ms a sample", lambda settings: gradients(settings, batched=True)),
    "one_sample": ("gradient by ramps of one sample, ms", lambda settings: gradients(settings, batched=False)),
    "digits": ("an epoch of digits, s", digits),
    "vqe": ("VQE, ms", vqe),
    "exact": ("gradient from exact states, ms a sample", exact),
}
"""Tables by name: what is shown above them, and what they compare."""


def rows_of(comparison: Comparison, times: Sequence[Times]) -> list[dict[str, Any]]:
    """One row for every contestant: medians and quartiles, and ratios to the first with the same number of cores."""
    bases: dict[int, Times] = {}
    rows = []
    for contestant, own in zip(comparison.contestants, times, strict=True):
        base = bases.setdefault(contestant.cores, own)
        figures = {
            "cpu": own.cpu * comparison.unit,
            "wall": own.wall * comparison.unit,
            "cpu_ratio": own.cpu / base.cpu,
            "wall_ratio": own.wall / base.wall,
        }
        row = {"column": comparison.column, "contestant": contestant.name, "cores": contestant.cores}
        for name, values in figures.items():
            low, middle, high = quartiles(values)
            row |= {name: f"{middle:.6g}", f"{name}_low": f"{low:.6g}", f"{name}_high": f"{high:.6g}"}
        rows.append(row | {"first_call_s": f"{own.first:.3g}", "rounds": int(np.isfinite(own.cpu).sum())})
    return rows


def wide(rows: Sequence[Mapping[str, Any]], figure: str) -> list[dict[str, str]]:
    """A row for every contestant and number of cores, and a column for every comparison, as people read it.

    Args:
        rows: Rows of `rows_of`.
        figure: ``"time"`` or ``"ratio"``: of CPU on one core, on the clock on several.
    """
    columns = dict.fromkeys(row["column"] for row in rows)
    found: dict[str, dict[str, str]] = {}
    for row in rows:
        kind = ("cpu" if row["cores"] == 1 else "wall") + ("_ratio" if figure == "ratio" else "")
        name = f"{row['contestant']}, {amount(row['cores'], 'core')}"
        cells = found.setdefault(name, {"": name} | dict.fromkeys(columns, "-"))
        low, middle, high = (_digits(float(row[kind + end])) for end in ("_low", "", "_high"))
        cells[row["column"]] = middle if low == middle == high else f"{middle} ({low} to {high})"
    return list(found.values())


def _digits(value: float) -> str:
    """Two significant digits, without an exponent."""
    return np.format_float_positional(float(f"{value:.2g}"), trim="-") if value < 100 else f"{value:.0f}"


def check_gradients(settings: Settings, processes: PairedProcesses) -> None:
    """Stop unless all simulators find the same exact gradient of the smallest chain as the engine."""
    names = _ENGINE | {name: name for name in settings.simulators()}
    shared = {"spins": min(settings.sizes), "samples": 2, "steps": 20, "shots": None}
    contestants = [_contestant(name, 1, "ramp_gradient", **shared, simulator=kind) for name, kind in names.items()]
    first, *others = processes.times(contestants, rounds=0)
    for contestant, other in zip(contestants[1:], others, strict=True):
        precision = "single" if contestant.name.endswith("single") else "double"
        error = float(np.abs(other.found - first.found).max())
        if not error < _TOLERANCE[precision]:
            raise SystemExit(f"{contestant.name}: its gradient is wrong by {error:.1e}")


def measured(settings: Settings) -> Iterator[tuple[str, list[dict[str, Any]], str]]:
    """Yield the name, the rows so far and the load of the machine of a table, after each of its columns."""
    with PairedProcesses() as processes:
        for name, (title, comparisons) in TABLES.items():
            if not any(part in name for part in settings.only):
                continue
            if name == "gradient":
                check_gradients(settings, processes)
            loads, rows = [os.getloadavg()[0]], []
            for comparison in comparisons(settings):
                rows += rows_of(comparison, processes.times(comparison.contestants, comparison.rounds))
                loads.append(os.getloadavg()[0])
                print(f"{name}, {comparison.column}: done", file=sys.stderr, flush=True)
                yield name, rows, f"{min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores"
            table = wide(rows, "time")
            show([list(table[0]), *(list(row.values()) for row in table)], title=f"\n{title}")


def store(name: str, rows: Sequence[Mapping[str, Any]], load: str, settings: Settings, folder: Path) -> None:
    """Write a table three times: all figures, and times and ratios as people read them.

    Args:
        name: Its name.
        rows: Its rows.
        load: Load average of the machine.
        settings: How it was made.
        folder: Where it goes.
    """
    packages = sorted({package for name in SIMULATORS for package in SIMULATORS[name].packages} | {"qiskit-algorithms"})
    packages = [package for package in packages if installed_version(package) is not None and package != "qiskit-aer"]
    notes = {"load": load, "figures": f"{TABLES[name][0]}; medians and quartiles; ratios to the first contestant"}
    sizes, cores = (",".join(map(str, numbers)) for numbers in (settings.sizes, settings.cores))
    how = f"--sizes {sizes} --cores {cores} --rounds {settings.rounds}"
    command = f"python -m benchmarks.peers.speed --only {name} {how} --store"
    for ending, part in {"": rows, "_time": wide(rows, "time"), "_ratio": wide(rows, "ratio")}.items():
        write_results(folder / f"speed_{name}{ending}.csv", part, command, packages=packages, notes=notes)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=whole_numbers, default=(4, 8, 12, 16, 20), help="numbers of spins")
    parser.add_argument("--peers", default="", help="parts of names of simulators; all by default")
    parser.add_argument("--rounds", type=int, default=7, help="rounds that count, three at most from 16 spins on")
    parser.add_argument("--cores", type=whole_numbers, default=(1, 2), help="numbers of cores")
    parser.add_argument("--images", type=int, default=1437, help="images of the epoch of digits")
    parser.add_argument("--only", default="", help="parts of names of tables: gradient, one_sample, digits, vqe, exact")
    parser.add_argument("--store", action="store_true", help="write the tables to --folder")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args(arguments)
    if not any(part in name for part in options.only.split(",") for name in TABLES):
        parser.error(f"--only: expected parts of {', '.join(TABLES)}, got '{options.only}'")
    settings = Settings(
        sizes=options.sizes,
        peers=tuple(options.peers.split(",")),
        rounds=options.rounds,
        cores=options.cores,
        images=options.images,
        only=tuple(options.only.split(",")),
    )
    for name in SIMULATORS:
        if missing := _missing(name):
            print(f"{name} is left out: {' and '.join(missing)} missing (benchmarks/peers/requirements.txt)")
    for name, rows, load in measured(settings):
        if options.store:
            store(name, rows, load, settings, options.folder)


if __name__ == "__main__":
    main()
