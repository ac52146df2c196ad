"""The folder of a sweep: the grid that it holds, and whether another call continues the same sweep."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qep_qiskit.config import Config
from qep_qiskit.core.errors import RunFolderError
from qep_qiskit.core.files import finished_in, make_folder, remove_leftovers, write_atomically
from qep_qiskit.runs.folder import explained, held
from qep_qiskit.runs.grid import GridPoint, value_text
from qep_qiskit.runs.versions import require_no_newer, versions

_GRID, _LOCK = "sweep.json", "sweep.lock"


@dataclass(frozen=True, slots=True)
class SweepFolder:
    """Paths in the folder of a sweep, and its grid.

    Args:
        path: The folder, an absolute path, because workers may run in other folders.
    """

    path: Path

    def run_path(self, name: str) -> Path:
        """Return the run folder of a point."""
        return self.path / "runs" / name

    def check(self, points: Sequence[GridPoint]) -> None:
        """Check that the folder is new or holds a part of this grid; nothing is written.

        Raises:
            RunFolderError: The folder holds another sweep, one with other settings or data, or other files.
        """
        with explained(self.path, "the folder of the sweep cannot be read"):
            there = finished_in(self.path) if self.path.exists() else []
        if not set(there) - {_LOCK}:
            return
        if _GRID not in there:
            raise RunFolderError(
                f"{self.path}: exists already and is not the folder of a sweep; give another with --out"
            )
        self._compare(self._kept(), points)

    def _kept(self) -> dict[str, Any]:
        try:
            kept = json.loads((self.path / _GRID).read_bytes())
            require_no_newer(kept, str(self.path))
            return {name: kept[name] for name in ("over", "points", "config", "files")}
        except RunFolderError:
            raise
        except OSError as error:
            raise RunFolderError(f"{self.path / _GRID}: cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise RunFolderError(f"{self.path / _GRID}: is damaged; give another folder with --out") from error

    def _compare(self, kept: Mapping[str, Any], points: Sequence[GridPoint]) -> None:
        asked = {point.name: _fingerprint(point.config) for point in points}
        if not set(kept["points"]) <= set(asked):
            grid = " ".join(f"--over {key}={','.join(map(value_text, some))}" for key, some in kept["over"].items())
            raise RunFolderError(
                f"{self.path}: holds the sweep {grid}; give all its values (more may be added), or another folder with "
                "--out"
            )
        changed = next((name for name, mark in kept["points"].items() if asked[name] != mark), None)
        if changed is not None:
            raise RunFolderError(
                f"{self.path}: its sweep was started with {self._difference(kept, points)}; "
                "give the same settings, or another folder with --out"
            )
        for file, mark in _data_files(points).items():
            if kept["files"].get(file, mark) != mark:
                raise RunFolderError(
                    f"{file}: is not what it was when the sweep in {self.path} began; give another --out"
                )

    @staticmethod
    def _difference(kept: Mapping[str, Any], points: Sequence[GridPoint]) -> str:
        """Return the first key whose value in the stored configuration differs."""
        name = next(iter(kept["points"]))
        now: Any = next(point.config.resolved() for point in points if point.name == name)
        path: list[str] = []
        before: Any = kept["config"]
        while isinstance(before, dict) and isinstance(now, dict):
            key = next((key for key in {**before, **now} if before.get(key) != now.get(key)), None)
            if key is None:
                return "another configuration"
            path, before, now = [*path, key], before.get(key), now.get(key)
        return f"{'.'.join(path)} = {json.dumps(before)}, not {json.dumps(now)}"

    @contextmanager
    def at_work(self, points: Sequence[GridPoint]) -> Iterator[None]:
        """Create the folder or open it again, and lock it for this process.

        Raises:
            RunFolderError: The folder cannot be written, is locked by another process, or holds something else.
        """
        with explained(self.path, "the folder of the sweep cannot be written"):
            make_folder(self.path, private=any(point.config.execution.names_account for point in points))
            lock = held(self.path, _LOCK)
        with lock:
            self.check(points)
            self._write(points)
            (self.path / "runs").mkdir(exist_ok=True)
            for folder in (self.path, self.path / "runs"):
                remove_leftovers(folder)
            yield

    def _write(self, points: Sequence[GridPoint]) -> None:
        over: dict[str, list[Any]] = {key: [] for key in points[0].swept}
        for point in points:
            for key, value in point.swept.items():
                if value not in over[key]:
                    over[key].append(value)
        content = versions() | {
            "over": over,
            "points": {point.name: _fingerprint(point.config) for point in points},
            "config": points[0].config.resolved(),
            "files": _data_files(points),
        }
        write_atomically(self.path / _GRID, (json.dumps(content, indent=1) + "\n").encode())


def _fingerprint(config: Config) -> str:
    """Return a hash of a configuration without the number of jobs, on which no result depends."""
    content = config.resolved()
    del content["execution"]["jobs"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _data_files(points: Sequence[GridPoint]) -> dict[str, str]:
    """Return the data files of the points with a hash of each, so that runs that start later read the same data."""
    files = dict.fromkeys(file for point in points for file in point.config.task.files)
    return {file: hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files}
