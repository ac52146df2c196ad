"""What a wheel must hold: ``check_wheel.py WHEEL``."""

import sys
import tomllib
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
EXAMPLES = ("configs/*", "circuits/ansaetze/*")


def missing(wheel: ZipFile) -> list[str]:
    """What is not in it or does not belong there, in words."""
    names = wheel.namelist()
    info = next(name for name in names if name.endswith(".dist-info/METADATA")).removesuffix("METADATA")
    metadata = message_from_bytes(wheel.read(info + "METADATA"))
    own = [path for path in (ROOT / "qep_qiskit").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {path.relative_to(ROOT).as_posix() for path in own}
    expected |= {f"qep_qiskit/examples/{path.name}" for pattern in EXAMPLES for path in ROOT.glob(pattern)}
    found = {name for name in names if not name.startswith(info)}
    faults = [f"{name} is not in the wheel" for name in sorted(expected - found)]
    faults += [f"{name} does not belong there (an old build/?)" for name in sorted(found - expected)]
    if info + "licenses/LICENSE" not in names:
        faults.append("no licence file")
    elif wheel.read(info + "licenses/LICENSE") != (ROOT / "LICENSE").read_bytes():
        faults.append("the licence is not that of the checkout")
    if metadata["License-Expression"] != "Apache-2.0":
        faults.append(f"the licence is called {metadata['License-Expression']!r}, expected 'Apache-2.0'")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    if set(metadata.get_all("Provides-Extra", [])) != set(extras):
        faults.append("its extras are not those of pyproject.toml")
    return faults


if __name__ == "__main__":
    with ZipFile(sys.argv[1]) as opened:
        sys.exit("\n".join(missing(opened)) or 0)
