"""Make the figures and numbers of README, docs and config comments, from results that are kept in docs/results.json.

    python benchmarks/documented.py                    run everything that is out of date, and fill in all texts
    python benchmarks/documented.py --all              run everything
    python benchmarks/documented.py iris budget_xor    run these
    python benchmarks/documented.py --fill             run nothing, fill in all texts

A number in a Markdown file is followed by ``<!--= key format -->``, and one in a comment of a config by
``[= key format]``; the key is a path in docs/results.json and the format Python's. Lists of sentences and tables
stand between ``<!--= key list -->`` or ``<!--= key text -->`` and ``<!--end-->``. Every result keeps the hash of the
settings that it came from, so a test finds texts that differ from the results and results of other settings.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from textwrap import fill
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results.json"
TEXTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").glob("*.toml"))]
_NUMBER = re.compile(r"(?P<value>[^\s|<>\[\]()]+)(?P<mark><!--= (?P<key>\S+) (?P<format>\S+) -->)")
_BLOCK = re.compile(r"(?P<mark><!--= (?P<key>\S+) (?P<format>list|text) -->\n).*?(?P<end><!--end-->)", flags=re.DOTALL)
_NUMBER_IN_TOML = re.compile(r"(?P<value>[^\s\[\]()]+)(?P<mark> \[= (?P<key>\S+) (?P<format>\S+)\])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """One command whose results are shown.

    Args:
        command: Words after ``qep``; a folder for its files is added with ``--out``.
        config: File of its configuration, relative to the root.
        files: Names of figures that it writes, and where they go, relative to the root.
    """

    command: tuple[str, ...]
    config: str
    files: Mapping[str, str] = field(default_factory=dict)

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
        words = [sys.executable, "-c", "import sys; from qep_qiskit.cli import main; sys.exit(main())", *self.command]
        made = folder / "result"
        start = time.perf_counter()
        done = subprocess.run([*words, "--out", str(made)], cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise SystemExit(f"{' '.join(self.command)} failed:\n{done.stderr[-2000:]}")
        for name, place in self.files.items():
            shutil.copy(made / name, ROOT / place)
        warnings = sorted(set(re.findall(r"(\w+Warning):", done.stderr)))
        return self.numbers(made, done.stdout) | {"command_seconds": round(seconds, 1), "warnings": warnings}

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


_TRAINED = (
    "xor", "xor_one_shot", "xor_fields", "xor_noisy", "parity", "xor_fake_device", "native_torino", "moons", "digits",
    "xor_ansatz", "xor_vqe", "iris_vqe", "excited", "cluster_ising", "oscillators", "oscillators_grid", "elastic",
    "classical_ising", "thermal", "antiferromagnet", "aim",
)  # fmt: skip

DOCUMENTED: dict[str, Documented] = {
    "iris": Documented(
        command=("train", "configs/iris.toml"),
        config="configs/iris.toml",
        files={"learning_curve.png": "docs/iris_learning_curve.png"},
    ),
    **{name: train(name) for name in _TRAINED},
    "iris_engine": train("iris", "execution.backend=statevector"),
    "digits_engine": train("digits", "execution.backend=statevector"),
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
}


def load() -> dict[str, Any]:
    """The stored results."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def value_at(results: Mapping[str, Any], key: str) -> Any:
    """The result at a path of names and places, joined by dots."""
    found: Any = results
    for name in key.split("."):
        found = found[int(name)] if isinstance(found, list) else found[name]
    return found


def filled(text: str, results: Mapping[str, Any], *, toml: bool) -> str:
    """A text with every marked number as the results have it."""

    def put(match: re.Match[str]) -> str:
        return format(value_at(results, match["key"]), match["format"].removeprefix("=")) + match["mark"]

    def put_block(match: re.Match[str]) -> str:
        lines = value_at(results, match["key"])
        bullets = [fill(line, 118, initial_indent="* ", subsequent_indent="  ") for line in lines]
        shown = bullets if match["format"] == "list" else ["```", *lines, "```"]
        return match["mark"] + "\n".join(shown) + "\n" + match["end"]

    text = (_NUMBER_IN_TOML if toml else _NUMBER).sub(put, text)
    return text if toml else _BLOCK.sub(put_block, text)


def stale(results: Mapping[str, Any]) -> list[str]:
    """Names of results that are missing or came from other settings."""
    return [name for name, one in DOCUMENTED.items() if results.get(name, {}).get("settings") != one.settings()]


def _store(results: dict[str, Any]) -> None:
    text = json.dumps(dict(sorted(results.items())), indent=1) + "\n"
    RESULTS.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[[], *DOCUMENTED], help="results to make")
    parser.add_argument("--all", action="store_true", help="make all results")
    parser.add_argument("--fill", action="store_true", help="make none")
    options = parser.parse_args()
    results = load()
    names = list(DOCUMENTED) if options.all else options.names or ([] if options.fill else stale(results))
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = DOCUMENTED[name].run(Path(folder))
        made = {
            "settings": DOCUMENTED[name].settings(),
            "command": " ".join(("qep", *DOCUMENTED[name].command)),
            "date": datetime.date.today().isoformat(),
            "qep_qiskit": metadata.version("qep_qiskit"),
            "qiskit": metadata.version("qiskit"),
        }
        results[name] = made | found
        _store(results)
        print(f"{name}: {found['command_seconds']} s", flush=True)
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        new = filled(text, results, toml=path.suffix == ".toml")
        if new != text:
            path.write_text(new, encoding="utf-8")
            print(f"filled in {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
