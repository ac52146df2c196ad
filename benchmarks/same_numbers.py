"""Whether a change of the code leaves every number of the shipped configurations as it is, bit for bit.

    python benchmarks/same_numbers.py record before.json
    (change the code)
    python benchmarks/same_numbers.py compare before.json

Every configuration is trained (with ``--quick`` for its first epochs only), one of them is stopped by Ctrl-C and
resumed, and the weights and all numbers of the metrics but the times are kept as text that loses no bit. Numbers are
compared in their order, so that a key or a weight may get another name.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NEEDS_A_SERVICE = {"xor_ibm"}
NEEDS_PACKAGE = {
    "dmrg": "tenpy",
    "neural": "netket",
    "digits_annealed": "dimod",
}  # by the beginning of the names of configurations
STOPPED = "xor_vqe"
# Epochs that take a few seconds; other configurations run three.
QUICK = {
    "phase_sensor": 1,
    "digits": 1,
    "digits_coupled": 1,
    "iris_vqe": 1,
    "native_torino": 2,
    "xor_vqe": 10,
    "limit_of_all": 3,
}
LONG = {
    "digits": ["task.test_size=1700"],
    "digits_coupled": ["task.test_size=1700"],
    "phase_sensor": ["task.num_samples=60", "task.test_size=20"],
}


def qep(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "import sys; from qep_qiskit.cli import main; sys.exit(main())", *arguments]


def train(config: Path, folder: Path, quick: bool) -> None:
    """Train a configuration; the one that is stopped is resumed."""
    overrides = [f"training.epochs={QUICK.get(config.stem, QUICK['limit_of_all'])}"] if quick else []
    overrides += LONG.get(config.stem, []) if quick else []
    settings = [part for override in overrides for part in ("--set", override)]
    command = qep("train", str(config), "--out", str(folder), *settings)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)
    if config.stem == STOPPED:
        metrics = folder / "metrics.jsonl"
        while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") > 2):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate()
        subprocess.run(qep("resume", str(folder)), check=True, capture_output=True, env=environment)
        return
    _, errors = process.communicate()
    if process.returncode:
        raise SystemExit(f"{config.name}: {errors.strip()}")


def numbers(value: Any, name: str = "") -> Iterator[str]:
    """All numbers of plain data in their order, but for times and sizes of files."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not any(word in key for word in ("seconds", "versions", "bytes")):
                yield from numbers(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part, name)
    elif isinstance(value, float | int):
        yield repr(value)


def record(quick: bool) -> dict[str, list[str]]:
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for config in sorted((ROOT / "configs").glob("*.toml")):
            packages = [package for name, package in NEEDS_PACKAGE.items() if config.stem.startswith(name)]
            missing = [package for package in packages if find_spec(package) is None]
            if config.stem in NEEDS_A_SERVICE or missing:
                print(f"{config.stem}: skipped, needs {', '.join(missing) or 'a service'}", flush=True)
                continue
            folder = Path(place) / config.stem
            train(config, folder, quick)
            lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
            found[config.stem] = [*numbers(json.loads((folder / "weights.json").read_text())), *numbers(lines)]
            print(config.stem, len(found[config.stem]), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--quick", action="store_true", help="the first epochs of each configuration only")
    options = parser.parse_args()
    found = record(options.quick)
    if options.action == "record":
        options.file.write_text(json.dumps(found))
        return 0
    before = json.loads(options.file.read_text())
    both = found.keys() & before.keys()
    other = sorted(name for name in both if before[name] != found[name])
    for name in sorted(found.keys() - before.keys()):
        print(f"{name}: not in {options.file}", file=sys.stderr)
    for name in sorted(before.keys() - found.keys()):
        print(f"{name}: not compared", file=sys.stderr)
    for name in other:
        print(f"{name}: other numbers", file=sys.stderr)
    print(f"{len(both) - len(other)} of {len(both)} configurations have the same numbers")
    return int(bool(other))


if __name__ == "__main__":
    sys.exit(main())
