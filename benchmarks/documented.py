"""Make the figures and numbers of README, docs and config comments, from results that are kept in docs/results.json.

    python benchmarks/documented.py                    run what is out of date and takes minutes; fill in all texts
    python benchmarks/documented.py --long             what takes longer, too
    python benchmarks/documented.py --all [--long]     run everything
    python benchmarks/documented.py iris budget_xor    run these
    python benchmarks/documented.py --fill             run nothing, fill in all texts
    python benchmarks/documented.py size_study --keep DIR    a study that was stopped goes on from its points in DIR

A number in a Markdown file is followed by ``<!--= key format -->``, and one in a comment of a config by
``[= key format]``; the key is a path in docs/results.json and the format Python's, with an M behind it for millions.
Lists of sentences, texts and tables stand between ``<!--= key list -->``, ``text`` or ``table`` and ``<!--end-->``;
``table:0,2`` shows some columns, and ``key+key`` one table below the other. Comparisons with other programs are stored
as docs/results/peers/NAME.csv (benchmarks/peers): ``peers/NAME.made.date`` is of its head, ``peers/NAME.rows.x.loss``
a cell, by the first cell of its row and its column, ``peers/NAME.table`` all, and ``peers/NAME.head`` a list of how it
was made. A table of the shipped configs stands
between ``<!--= configs all -->`` (or ``some``, of rows chosen by hand) and ``<!--end-->``: its last column is what the
comment of each file says after ``Reaches:``; the others are written by hand. Every result keeps the hash of the
settings that it came from, so a test finds texts that differ from the results and results of other settings. Results
are those of the day that stands beside them, not of the code of today.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from importlib import metadata
from math import isfinite
from pathlib import Path
from textwrap import fill
from typing import Any, ClassVar

from qep_qiskit.budget.reaching import shots_to_reach
from qep_qiskit.config.examples import examples

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.append(str(ROOT))  # behind all others: the package is the installed one

from benchmarks.peers.stored import FOLDER as PEERS  # noqa: E402
from benchmarks.peers.stored import read_results  # noqa: E402

RESULTS = ROOT / "docs" / "results.json"
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "configs").glob("*.toml"))]
_NUMBER = re.compile(r"(?P<value>[^\s|<>\[\]()]+)(?P<mark><!--= (?P<key>\S+) (?P<format>\S+) -->)")
_BLOCK = re.compile(
    r"(?P<mark><!--= (?P<key>\S+) (?P<format>list|text|table\S*) -->\n).*?(?P<end><!--end-->)", flags=re.DOTALL
)
_CONFIGS = re.compile(r"(?P<mark><!--= configs (?P<which>all|some) -->\n)(?P<table>.*?)(?=<!--end-->)", flags=re.DOTALL)
_NUMBER_IN_TOML = re.compile(r"(?P<value>[^\s\[\]()]+)(?P<mark> \[= (?P<key>\S+) (?P<format>\S+)\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One command whose results are shown.

    Args:
        command: Words after ``qep``; a folder for its files is added with ``--out``.
        config: File of its configuration, relative to the root.
        files: Names of figures that it writes, and where they go, relative to the root.
        takes_long: Whether it is made with ``--long`` only.
    """

    command: tuple[str, ...]
    config: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    takes_long: bool = False
    program: ClassVar[tuple[str, ...]] = ("qep",)

    def settings(self) -> str:
        """Hash of everything that decides the result apart from the code; comments do not count."""
        path = ROOT / self.config
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        parts = [json.dumps(content, sort_keys=True, default=str), *self.command]
        table = content.get("task", {}).get("file")
        parts += [(path.parent / table).read_text(encoding="utf-8")] if table else []
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def run(self, folder: Path) -> dict[str, Any]:
        """Run, copy the figures, and return the numbers."""
        made = folder / "result"
        start = time.perf_counter()
        done = subprocess.run(
            self.command_line(made), cwd=ROOT, capture_output=True, text=True, check=False, env=self.environment()
        )
        seconds = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"{' '.join(self.command)} failed:\n{done.stderr[-2000:]}")
        for name, place in self.files.items():
            shutil.copy(made / name, ROOT / place)
        warnings = sorted(set(re.findall(r"(\w+Warning):", done.stderr)))
        return self.numbers(made, done.stdout) | {"command_seconds": round(seconds, 1), "warnings": warnings}

    def command_line(self, made: Path) -> list[str]:
        """What is run."""
        qep = [sys.executable, "-c", "import sys; from qep_qiskit.cli import main; sys.exit(main())"]
        return [*qep, *self.command, "--out", str(made)]

    def environment(self) -> dict[str, str]:
        """Where it is run."""
        return dict(os.environ)

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """What a run has found."""
        summary = json.loads((made / "summary.json").read_text(encoding="utf-8"))
        found = {name: value for name, value in summary.items() if isinstance(value, int | float)}
        for part in ("train", "test"):
            rows = json.loads((made / "config.json").read_text(encoding="utf-8")).get(f"{part}_samples")
            found |= {} if rows is None else {f"{part}_samples": rows}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedBudget(Documented):
    """A study of shot budgets."""

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """What it has found."""
        return {name: value for name, value in json.loads(printed).items() if name != "folder"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedTraining(Documented):
    """A study of training runs by their shots."""

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """Shots after which the mean loss of ten epochs is reached, the median over seeds, by loss."""
        with (made / "training.csv").open(encoding="utf-8", newline="") as file:
            rows = [row | {"shots": int(row["shots"]), "loss": float(row["loss"])} for row in csv.DictReader(file)]
        found: dict[str, Any] = {}
        for name, loss in (("thousandth", 1e-3), ("hundredth", 1e-2)):
            shots = shots_to_reach(rows, loss)
            kinds = {"adaptive": True, "fixed": False}
            best = {
                kind: min(count for budget, count in shots.items() if budget.startswith("adaptive") == is_adaptive)
                for kind, is_adaptive in kinds.items()
            }
            budgets = {budget: count if isfinite(count) else None for budget, count in shots.items()}
            found[name] = best | {"budgets": budgets}
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedBenchmark(Documented):
    """A benchmark beside this file, on one thread."""

    program: ClassVar[tuple[str, ...]] = ("python",)

    def settings(self) -> str:
        """Hash of its options."""
        return hashlib.sha256("\n".join(self.command).encode()).hexdigest()[:16]

    def command_line(self, made: Path) -> list[str]:
        """What is run."""
        return [sys.executable, *self.command, "--json"]

    def environment(self) -> dict[str, str]:
        """One thread, so that times can be compared."""
        return dict(os.environ) | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """What it has found."""
        return json.loads(printed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedPlan(Documented):
    """A cost estimate."""

    def command_line(self, made: Path) -> list[str]:
        """What is run; it writes no files."""
        return super(DocumentedPlan, self).command_line(made)[:-2]

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """Costs of the run and of a step, and the figures of its largest program, without the names of its qubits."""
        plan = json.loads(printed)
        program = max(plan["programs"], key=lambda program: program["two_qubit_gates"])
        figures = {name: value for name, value in program.items() if name not in ("qubits", "helpers", "surviving")}
        return {"run": plan["run"], "step": plan["step"], "steps": plan["steps"], "program": figures}


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentedSweep(Documented):
    """A table over a grid."""

    def numbers(self, made: Path, printed: str) -> dict[str, Any]:
        """The table, without the line that says where it lies."""
        lines = [line.rstrip() for line in printed.splitlines() if line.strip() and not line.startswith("wrote")]
        return {"table": lines}


def train(name: str, *settings: str, **files: str) -> Documented:
    """A training run of a shipped configuration."""
    overrides = [word for setting in settings for word in ("--set", setting)]
    return Documented(command=("train", f"configs/{name}.toml", *overrides), config=f"configs/{name}.toml", files=files)


def adaptive(task: str) -> DocumentedTraining:
    """Adaptive against fixed shots, as the slow test of tests/budget/test_adaptive_training.py has them."""
    settings = (
        *("preparation.kind=exact", "training.epochs=200", "training.evaluate_every=0", "budget.training.seeds=7"),
        *("budget.training.shots=[3,10,30,100,300]", "budget.training.adaptive_from=[3,10]"),
    )
    overrides = [word for setting in settings for word in ("--set", setting)]
    return DocumentedTraining(
        command=("budget", f"configs/{task}.toml", "--study", "training", "--json", *overrides),
        config=f"configs/{task}.toml",
        takes_long=True,
    )


def sizes(config: str, *over: str, settings: Sequence[str] = (), **files: str) -> DocumentedBudget:
    """A study of size; its files have suffixes after a double underscore."""
    axes = [word for one in over for word in ("--over", one)]
    overrides = [word for setting in settings for word in ("--set", setting)]
    return DocumentedBudget(
        command=("budget", f"configs/{config}.toml", "--study", "size", "--json", *axes, *overrides),
        config=f"configs/{config}.toml",
        files={name.replace("__", "."): place for name, place in files.items()},
        takes_long=True,
    )


def benchmark(name: str, *options: str, takes_long: bool = False) -> DocumentedBenchmark:
    """A benchmark by the name of its file."""
    return DocumentedBenchmark(command=(f"benchmarks/{name}.py", *options), takes_long=takes_long)


def noisy_gradient(device: str, spins: int) -> DocumentedBenchmark:
    """Of the two preparations that texts speak of."""
    only = ("--only", "adiabatic, 4 steps", "VQE, depth 2")
    return benchmark("noisy_gradient", device, "--spins", str(spins), *only, takes_long=True)


_TRAINED = (
    "xor", "xor_one_shot", "xor_fields", "xor_noisy", "parity", "xor_fake_device", "native_torino", "moons", "digits",
    "digits_coupled", "xor_ansatz", "xor_vqe", "iris_vqe", "excited", "cluster_ising", "sensing", "oscillators",
    "oscillators_grid", "elastic", "classical_ising", "thermal", "antiferromagnet", "aim", "neural", "xor_size",
    "dmrg_19", "iris_agnostic", "xor_chebyshev", "xor_holomorphic", "patterns", "patterns_quantum",
    "digits_annealed",
)  # fmt: skip

_EXACT = ("preparation.kind=exact", "measurement.shots=exact")
_ABLATION = {
    "fields_only": ("network.coupling_inputs={enabled=false}",),
    "one_hidden": ("network.num_spins=20", f"network.edges={[[k, k + 10] for k in range(10)]}"),
    "no_couplings": ("network.num_spins=10", "network.edges=[]", "network.coupling_inputs={enabled=false}"),
    "no_transverse": ("network.fields.mean=0", "network.fields.minimum=0"),
}
"""What the coupled digits lose: inputs on couplings, two hidden spins of three, all hidden spins, transverse fields."""

DOCUMENTED: dict[str, Documented] = {
    "iris": Documented(
        command=("train", "configs/iris.toml"),
        config="configs/iris.toml",
        files={"learning_curve.png": "docs/iris_learning_curve.png"},
    ),
    **{name: train(name) for name in _TRAINED},
    "dmrg_57": replace(train("dmrg_57", "execution.jobs=2"), takes_long=True),
    "iris_aer": train("iris", "execution.backend=aer"),
    "digits_aer": train("digits", "execution.backend=aer"),
    "digits_coupled_exact": train("digits_coupled", *_EXACT),
    **{f"digits_coupled_{name}": train("digits_coupled", *_EXACT, *settings) for name, settings in _ABLATION.items()},
    "phase_sensor": train("phase_sensor", "training.epochs=18"),
    "sweep_xor": DocumentedSweep(
        command=(
            *("sweep", "configs/xor.toml", "--set", "preparation.kind=exact", "--over", "seed=0:6"),
            *("--over", "measurement.shots=1,10,100"),
        ),
        config="configs/xor.toml",
    ),
    "budget_xor": DocumentedBudget(
        command=("budget", "configs/xor.toml", "--json"),
        config="configs/xor.toml",
        files={"rmse_against_beta.png": "docs/xor_rmse_against_beta.png"},
    ),
    "samples_iris": DocumentedBudget(
        command=(
            *("budget", "configs/iris.toml", "--study", "samples", "--json", "--set", "preparation.kind=exact"),
            *("--set", "budget.step.epochs=2"),
        ),
        config="configs/iris.toml",
        files={
            "samples_against_shots.png": "docs/iris_samples_against_shots.png",
            "training_by_samples.png": "docs/iris_training_by_samples.png",
        },
    ),
    "size_study": sizes(
        "xor_size",
        "network.graph=chain,square,heavy_hex,complete",
        "network.num_spins=4,6,8,10,12,14,16,20",
        "network.fields.mean=1,0.3",
        settings=("budget.size.fewer_from=20", "budget.size.fewer_networks=2"),
        gradient_against_size__png="docs/gradient_against_size.png",
        gap_and_best_nudge__png="docs/gap_and_best_nudge.png",
        size__csv="docs/size_study.csv",
        distance__csv="docs/size_study_distance.csv",
    ),
    "size_study_dmrg": sizes(
        "xor_size",
        "network.num_spins=8,16,32,64,100",
        "network.graph=chain,square,heavy_hex",
        settings=("preparation.kind=dmrg", "preparation.max_bond_dimension=16", "budget.size.networks=3"),
        gradient_against_size__png="docs/gradient_against_size_dmrg.png",
        size__csv="docs/size_study_dmrg.csv",
        distance__csv="docs/size_study_dmrg_distance.csv",
    ),
    "ramp_study": DocumentedBudget(
        command=(
            *("budget", "configs/xor.toml", "--study", "ramp", "--json", "--set", "budget.samples=1"),
            *("--set", "budget.ramp.total_times=[8,16,32,64]", "--set", "budget.ramp.betas=[0.5,0.05,0.001]"),
            *("--set", "budget.ramp.time_steps=[0.02]"),
        ),
        config="configs/xor.toml",
        files={"error_of_the_ramp.png": "docs/error_of_the_ramp.png", "ramp.csv": "docs/ramp_study.csv"},
    ),
    "ramp_decoherence": DocumentedBudget(
        command=(
            *("budget", "configs/xor.toml", "--study", "ramp", "--json", "--set", "budget.samples=1"),
            *("--set", "budget.ramp.total_times=[4,6,8,12,16,24,32]", "--set", "budget.ramp.betas=[0.05]"),
            *("--set", "budget.ramp.ramps=['linear','cosine']", "--set", "budget.ramp.dephasing_rates=[0,0.001,0.01]"),
            *("--set", "budget.ramp.relaxation_rates=[0,0.001]"),
        ),
        config="configs/xor.toml",
        files={
            "best_time_of_the_ramp.png": "docs/best_time_of_the_ramp.png",
            "ramp.csv": "docs/ramp_study_decoherence.csv",
        },
    ),
    "adaptive_xor": adaptive("xor"),
    "adaptive_parity": adaptive("parity"),
    "annealers": benchmark("annealers"),
    "all_cores": benchmark("all_cores", "--rounds", "3", "--only", "engine", "ramps", "exact, 1"),
    "binding": benchmark("binding"),
    "contrasts": benchmark("contrasts"),
    "digits_layer": benchmark("digits_layer"),
    "distant_votes": benchmark("distant_votes"),
    "two_patterns": benchmark("two_patterns"),
    "gaussian_atoms": benchmark("gaussian_atoms", "32", "55"),
    "neural_response": benchmark("neural_response"),
    "noise_floor": benchmark("noise_floor", "fake_manila", "fake_torino", "--spins", "4"),
    "noisy_torino_4": noisy_gradient("fake_torino", 4),
    "noisy_torino_6": noisy_gradient("fake_torino", 6),
    "noisy_brisbane_6": noisy_gradient("fake_brisbane", 6),
    "noisy_manila_4": noisy_gradient("fake_manila", 4),
    "native_100_plan": DocumentedPlan(
        command=("plan", "configs/native_100.toml", "--backend", "fake_torino", "--json"),
        config="configs/native_100.toml",
        takes_long=True,
    ),
    "bond_dimensions": benchmark("bond_dimensions"),
    "bond_dimensions_150": benchmark(
        "bond_dimensions", *("--spins", "150", "--bonds", "16", "32", "64", "--aer"), takes_long=True
    ),
    "wide_ramps": benchmark("wide_ramps", takes_long=True),
    "one_spin_ramp": benchmark("one_spin_ramp"),
    "oscillator_grid": benchmark("oscillator_grid"),
    "oscillator_ramp": benchmark("oscillator_ramp"),
    "readout_errors": benchmark("readout_errors"),
    "signal_by_distance": benchmark("signal_by_distance"),
}


def load() -> dict[str, Any]:
    """The stored results."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def value_at(results: Mapping[str, Any], key: str) -> Any:
    """The result at a path of names and places, joined by dots."""
    names = key.split(".")
    found: Any = results
    if names[0].startswith("peers/"):
        found = {names[0]: _of_peers(names[0].removeprefix("peers/"))}
    for name in names:
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


def _of_peers(name: str) -> dict[str, Any]:
    path = PEERS / f"{name}.csv"
    if not path.exists():
        raise KeyError(str(path.relative_to(ROOT)))
    stored = read_results(path)
    head = [f"{name}: {f'`{text}`' if name == 'command' else text}" for name, text in stored.made.items()]
    return {"made": stored.made, "rows": stored.by_first_column(), "table": stored.table, "head": head}


def filled(text: str, results: Mapping[str, Any], *, toml: bool) -> str:
    """A text with every marked number as the results have it."""

    def put(match: re.Match[str]) -> str:
        return shown(value_at(results, match["key"]), match["format"]) + match["mark"]

    def put_block(match: re.Match[str]) -> str:
        first, *more = (value_at(results, key) for key in match["key"].split("+"))
        lines = [*first, *(line for other in more for line in other[1:])]
        if match["format"] == "list":
            lines = [
                fill(line, 118, initial_indent="* ", subsequent_indent="  ", break_on_hyphens=False) for line in lines
            ]
        elif match["format"] == "text":
            lines = ["```", *lines, "```"]
        else:
            lines = in_markdown(lines, match["format"].removeprefix("table").removeprefix(":"))
        return match["mark"] + "\n".join(lines) + "\n" + match["end"]

    if not toml:
        text = _CONFIGS.sub(lambda found: found["mark"] + configs_table(found["table"], found["which"] == "all"), text)
    text = (_NUMBER_IN_TOML if toml else _NUMBER).sub(put, text)
    return text if toml else _BLOCK.sub(put_block, text)


def configs_table(table: str, complete: bool = True) -> str:
    """The table of the shipped configs with what each reaches today.

    Args:
        table: The table as it is, in Markdown.
        complete: Whether configs that it does not have are new rows at its end.
    """
    reaches = {
        path.name: reached(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "configs").glob("*.toml"))
    }
    head, line, *rows = table.splitlines()
    purposes = {f"{one.name}.toml": one.purpose for one in examples()}
    by_hand = {row.split("`")[1]: row.split(" | ")[1] for row in rows}
    shows = purposes | by_hand
    names = [name for name in by_hand if name in reaches]
    names += [name for name in reaches if complete and name not in by_hand]
    return "\n".join([head, line, *(f"| `{name}` | {shows[name]} | {reaches[name]} |" for name in names), ""])


def reached(text: str) -> str:
    """What the comment of a config says after ``Reaches:``, in Markdown with marked numbers."""
    comment = " ".join(line.removeprefix("#").strip() for line in re.match(r"(?:#.*\n)*", text)[0].splitlines())
    return _NUMBER_IN_TOML.sub(
        lambda match: f"{match['value']}<!--= {match['key']} {match['format']} -->",
        comment.partition("Reaches: ")[2].removesuffix(".").replace(" +- ", " ± "),
    )


def shown(value: float, form: str) -> str:
    """A number in a format of Python's, or in millions where an M follows the format."""
    return format(value / 1e6, form[:-1]) if form.endswith("M") else format(value, form)


def in_markdown(table: Sequence[Sequence[str]], columns: str = "") -> list[str]:
    """Lines of a Markdown table.

    Args:
        table: Its rows, the headers first.
        columns: Numbers of the columns to show, with commas between; all by default.
    """
    wanted = [int(number) for number in columns.split(",")] if columns else range(len(table[0]))
    head, *rows = (f"| {' | '.join(row[number] for number in wanted)} |" for row in table)
    return [head, "|---" * len(wanted) + "|", *rows]


def stale(results: Mapping[str, Any]) -> list[str]:
    """Names of results that are missing or came from other settings."""
    return [name for name, one in DOCUMENTED.items() if results.get(name, {}).get("settings") != one.settings()]


def _store(results: dict[str, Any]) -> None:
    text = json.dumps(dict(sorted(results.items())), indent=1) + "\n"
    RESULTS.write_text(text, encoding="utf-8")


def fill_in(results: Mapping[str, Any]) -> None:
    """Write results into all texts, and say into which."""
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        try:
            new = filled(text, results, toml=path.suffix == ".toml")
        except KeyError as missing:
            print(f"{path.relative_to(ROOT)} is left as it is: {missing} is not in the results")
            continue
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"filled in {path.relative_to(ROOT)}")


def folder_of(name: str, keep: Path | None) -> AbstractContextManager[str | Path]:
    """Where a command writes: a folder of its own that stays, or a temporary one.

    Args:
        name: Name of the result.
        keep: Folder of the folders that stay; None for a temporary one.
    """
    if keep is None:
        return tempfile.TemporaryDirectory()
    (keep / name).mkdir(parents=True, exist_ok=True)
    return nullcontext((keep / name).absolute())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *DOCUMENTED], help="results to make")
    parser.add_argument("--all", action="store_true", help="make all results")
    parser.add_argument("--long", action="store_true", help="make what takes long, too")
    parser.add_argument("--fill", action="store_true", help="make none")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder that keeps what the commands write")
    options = parser.parse_args()
    results = load()
    names = list(DOCUMENTED) if options.all else [] if options.fill else stale(results)
    for name in options.names or [one for one in names if options.long or not DOCUMENTED[one].takes_long]:
        with folder_of(name, options.keep) as folder:
            found = DOCUMENTED[name].run(Path(folder))
        made = {
            "settings": DOCUMENTED[name].settings(),
            "command": shlex.join((*DOCUMENTED[name].program, *DOCUMENTED[name].command)),
            "date": datetime.date.today().isoformat(),
            "qep_qiskit": metadata.version("qep_qiskit"),
            "qiskit": metadata.version("qiskit"),
        }
        results = load() | {name: made | found}  # somebody else may have made others meanwhile
        _store(results)
        print(f"{name}: {found['command_seconds']} s", flush=True)
    fill_in(results)


if __name__ == "__main__":
    main()
