"""Numbers of README, docs and config comments are those of the stored results, and these are of today's settings."""

import importlib
import importlib.util
import re
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


MEASURED = re.compile(r"\d ?(?:ms|us|s|seconds|GiB|kB) |\d times (?:as|faster|slower|less|more|fewer)|cosine of \d")


def _without_marked(text):
    """A text without its marked blocks and numbers, and without code."""
    text = re.sub(r"```.*?```", "", documented._BLOCK.sub("", text), flags=re.DOTALL)
    return documented._NUMBER.sub("", text)


PAGES = [path for path in documented.TEXTS if path.suffix == ".md" and path.name != "configuration.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_docs_have_measured_is_marked(page):
    """Rows of tables with a number in them (but for lists of keys), and times, sizes and ratios in sentences."""
    left = _without_marked(page.read_text(encoding="utf-8"))
    rows = [line for line in left.splitlines() if line.startswith("|") and not line.startswith("| `")]
    assert [row for row in rows if re.search(r"\d", re.sub(r"`.*?`", "", row))] == []
    assert MEASURED.findall(left) == []


def test_every_result_is_known_by_the_command():
    assert set(documented.load()) <= set(documented.DOCUMENTED)


def test_a_table_shows_the_columns_asked_for_and_goes_on_with_another():
    results = {"a": {"table": [["x", "y", "z"], ["1", "2", "3"]]}, "b": {"table": [["x", "y", "z"], ["4", "5", "6"]]}}
    text = "<!--= a.table+b.table table:2,0 -->\nold\n<!--end-->"
    wanted = "<!--= a.table+b.table table:2,0 -->\n| z | x |\n|---|---|\n| 3 | 1 |\n| 6 | 4 |\n<!--end-->"
    assert documented.filled(text, results, toml=False) == wanted


def test_a_number_is_filled_in_and_a_settings_comment_does_not_count():
    results = {"a": {"b": [1.25, 2.5]}}
    assert documented.filled("x 0.1<!--= a.b.1 .2f --> y", results, toml=False) == "x 2.50<!--= a.b.1 .2f --> y"
    assert documented.filled("# x 0.1 [= a.b.0 .1f]", results, toml=True) == "# x 1.2 [= a.b.0 .1f]"
    with pytest.raises(KeyError):
        documented.filled("x 0.1<!--= a.c .2f -->", results, toml=False)


def test_the_table_of_configs_says_what_their_comments_say():
    table = "| file | shows | reaches |\n|---|---|---|\n| `iris.toml` | mine | old |\n| `gone.toml` | x | y |\n"
    _, _, first, *others = documented.configs_table(table).splitlines()
    assert first == "| `iris.toml` | mine | test accuracy 0.956<!--= iris.test_accuracy .3f --> (45 flowers) |"
    assert not [row for row in others if "gone.toml" in row]
    assert [row for row in others if row.startswith("| `xor.toml` | Exclusive or on four spins, with 100 shots")]
    readme = (documented.ROOT / "README.md").read_text(encoding="utf-8")
    stale = readme.replace("(45 flowers) |", "(45 plants) |")
    assert stale != readme == documented.filled(stale, documented.load(), toml=False)


def test_results_of_comparisons_keep_how_they_were_made_and_are_filled_in(tmp_path, monkeypatch):
    stored = sys.modules["benchmarks.peers.stored"]
    stored.write_results(
        tmp_path / "digits.csv", [{"model": "No couplings", "mean": 0.961}], "python -m x", notes={"part": "all\nof it"}
    )
    monkeypatch.setattr(documented, "PEERS", tmp_path)
    found = stored.read_results(tmp_path / "digits.csv")
    assert (found.made["command"], found.made["part"]) == ("python -m x", "all of it")
    assert "qep_qiskit " in found.made["versions"]
    assert "cores" in found.made["machine"]
    text = "0.5<!--= peers/digits.rows.no_couplings.mean .2f -->\n<!--= peers/digits.table table -->\nold\n<!--end-->"
    wanted = (
        "0.96<!--= peers/digits.rows.no_couplings.mean .2f -->\n<!--= peers/digits.table table -->\n"
        "| model | mean |\n|---|---|\n| No couplings | 0.961 |\n<!--end-->"
    )
    assert documented.filled(text, {}, toml=False) == wanted
    (tmp_path / "bare.csv").write_text("a,b\n1,2\n")
    with pytest.raises(stored.DataError, match="expected lines '# date"):
        stored.read_results(tmp_path / "bare.csv")


def test_the_figure_of_signals_by_distance_shows_the_stored_table(monkeypatch):
    monkeypatch.syspath_prepend(str(documented.ROOT / "benchmarks"))
    _, *rows = table = documented.load()["signal_by_distance"]["table"]
    left, right = importlib.import_module("signal_by_distance").drawn(table).axes
    gradient, error = (line.get_ydata().tolist() for line in left.lines)
    assert gradient == [float(row[2]) for row in rows]
    assert error == [float(row[3]) for row in rows]
    assert right.lines[0].get_ydata().tolist() == [float(row[4]) for row in rows]


def test_a_long_study_goes_on_in_a_folder_that_stays(tmp_path):
    for _ in range(2):
        with documented.folder_of("size_study", tmp_path / "kept") as folder:
            assert folder == tmp_path / "kept" / "size_study"
            (folder / "points.jsonl").touch()
    with documented.folder_of("size_study", None) as other:
        pass
    assert (folder / "points.jsonl").exists()
    assert not Path(other).exists()
