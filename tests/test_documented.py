"""Numbers of README, docs and config comments are those of the stored results, and these are of today's settings."""

import importlib.util
import sys
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("documented", Path(__file__).parents[1] / "benchmarks" / "documented.py")
documented = importlib.util.module_from_spec(_SPEC)
sys.modules["documented"] = documented
_SPEC.loader.exec_module(documented)


@pytest.mark.parametrize("path", documented.TEXTS, ids=lambda path: path.name)
def test_texts_show_the_stored_results(path):
    text = path.read_text(encoding="utf-8")
    assert documented.filled(text, documented.load(), toml=path.suffix == ".toml") == text


def test_results_are_of_the_settings_of_today():
    assert documented.stale(documented.load()) == [], "run: python benchmarks/documented.py"


def test_the_readme_takes_its_results_from_there():
    assert len(documented._NUMBER.findall((documented.ROOT / "README.md").read_text(encoding="utf-8"))) >= 20


def test_a_number_is_filled_in_and_a_settings_comment_does_not_count():
    results = {"a": {"b": [1.25, 2.5]}}
    assert documented.filled("x 0.1<!--= a.b.1 .2f --> y", results, toml=False) == "x 2.50<!--= a.b.1 .2f --> y"
    assert documented.filled("# x 0.1 [= a.b.0 .1f]", results, toml=True) == "# x 1.2 [= a.b.0 .1f]"
    with pytest.raises(KeyError):
        documented.filled("x 0.1<!--= a.c .2f -->", results, toml=False)
