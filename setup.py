"""Adds the examples to the wheel: the configurations of configs/ with the files that they name."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
EXAMPLES = ("configs/*.toml", "configs/*.csv", "circuits/ansaetze/*.qasm")


class BuildWithExamples(build_py):
    """Copies the examples into the package; an editable install reads them where they are."""

    def run(self) -> None:
        """Build the package, and add its data."""
        super().run()
        if not self.editable_mode:
            for source, target in self._examples().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(str(source), target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return every file that is written."""
        added = [] if self.editable_mode else list(self._examples().values())
        return [*super().get_outputs(include_bytecode), *added]

    def _examples(self) -> dict[Path, str]:
        folder = Path(self.build_lib) / "qep_qiskit" / "examples"
        return {path: str(folder / path.name) for pattern in EXAMPLES for path in sorted(ROOT.glob(pattern))}


setup(cmdclass={"build_py": BuildWithExamples})
