"""The study of benchmarks/error_bars.py, for tests."""

import importlib.util
import sys
from pathlib import Path

_PATH = Path(__file__).parents[1] / "benchmarks" / "error_bars.py"
_SPEC = importlib.util.spec_from_file_location("error_bars", _PATH)
study = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = study
_SPEC.loader.exec_module(study)
