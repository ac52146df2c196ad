"""The page stands alone: no network, all text escaped, equal files from equal rows, any subset of studies."""

import errno
import io
import re
import tomllib
from fnmatch import fnmatch
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from budget_rows import FACTS, comparison_rows, gradient_rows, noise_rows, training_rows
from rich.console import Console

from qep_qiskit.budget.report.charts import budget_charts
from qep_qiskit.budget.report.page import page_html, write_budget_report

STUDIES = {
    "gradient": gradient_rows(("one_sided", "symmetric"), (0.1, 0.4), (10, 1000)),
    "comparison": comparison_rows(),
    "training": training_rows(("10 shots", "adaptive"), seeds=2, epochs=2),
    "noise": noise_rows(contrasts=("symmetric",)),
}
HOSTILE = '<script>alert("x")</script> & <img src=http://evil.example/x>'
VOID = {"meta", "img", "source", "link", "br"}


class Page(HTMLParser):
    """Collects what a browser would load, and checks that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids, self.open, self.text = [], [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.loads += [values[key] for key in ("src", "srcset", "data", "poster", "action") if key in values]
        (self.links if tag == "a" else self.loads).extend([values["href"]] if "href" in values else [])
        self.ids += [values["id"]] if "id" in values else []
        assert not any(key.startswith("on") for key in values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def written(folder):
    (folder / "gradient & more.csv").write_text("beta\n")
    write_budget_report(folder, FACTS, **STUDIES)
    return folder


def few_figures(patch, count):
    """Draw the first few figures alone: they take longer than all else, and their content has tests of its own."""
    patch.setattr("qep_qiskit.budget.report.page.budget_charts", lambda **rows: budget_charts(**rows)[:count])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        few_figures(patch, 2)
        return written(tmp_path_factory.mktemp("report"))


@pytest.mark.deep
def test_every_figure_is_saved_for_screen_and_print(tmp_path, monkeypatch):
    """Drawn and laid out; of the pictures only the files are there."""
    for module in ("report.style", "budget.report.page"):
        monkeypatch.setattr(f"qep_qiskit.{module}.figure_bytes", lambda figure, kind: kind.encode())
    whole = written(tmp_path)
    names = [chart.name for chart in budget_charts(**STUDIES)]
    assert len(names) == 8
    expected = {f"{name}.{kind}" for name in names for kind in ("png", "pdf")} | {"index.html", "gradient & more.csv"}
    assert {path.name for path in whole.iterdir()} == expected


def test_the_page_loads_nothing_from_anywhere(folder):
    page = Page((folder / "index.html").read_text())
    assert page.loads
    assert all(load.startswith("data:image/svg+xml;base64,") for load in page.loads)
    assert not re.search(r"https?://|@import|url\(", (folder / "index.html").read_text())


def test_links_lead_to_files_beside_the_page(folder):
    page = Page((folder / "index.html").read_text())
    assert "gradient%20%26%20more.csv" in page.links
    files = {link.replace("%20%26%20", " & ") for link in page.links}
    assert files == {path.name for path in folder.iterdir()} - {"index.html"}


def test_the_answer_comes_first_with_a_block_to_paste(folder):
    text = (folder / "index.html").read_text()
    page = Page(text)
    assert page.ids[:2] == ["answer", "measured"]
    assert page.ids[-2:] == ["method", "data"]
    assert tomllib.loads(FACTS["recommendation"]["toml"])["gradient"]["shots"] == 1000
    assert FACTS["recommendation"]["toml"] in page.text
    assert "Use the symmetric contrast with β = 0.42 and 1,000 shots per batch" in page.text
    assert "Z 62%, X 38%" in page.text
    assert all(sentence in page.text for sentence in FACTS["sentences"])


def test_text_of_the_user_is_escaped(tmp_path):
    facts = {"name": HOSTILE, "network": HOSTILE, "sentences": [HOSTILE], "recommendation": {"toml": HOSTILE}}
    rows = [row | {"label": HOSTILE + row["label"], "setting": HOSTILE, "remark": HOSTILE} for row in comparison_rows()]
    (tmp_path / "<b>.csv").write_text("")
    write_budget_report(tmp_path, facts, comparison=rows[:2])
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert text.count("<script>") == 1
    assert all(load.startswith("data:") for load in page.loads)
    assert page.text.count(HOSTILE) >= 6
    assert "%3Cb%3E.csv" in page.links


def test_warnings_have_a_section_where_there_are_any(tmp_path):
    for name, told in (("quiet", []), ("warned", ["warning: SomeWarning in 3 of 4 points"])):
        write_budget_report(tmp_path / name, {"warnings": told})
    assert 'id="warnings"' not in (tmp_path / "quiet" / "index.html").read_text()
    assert "<li>warning: SomeWarning in 3 of 4 points</li>" in (tmp_path / "warned" / "index.html").read_text()


@pytest.mark.deep
def test_equal_rows_give_equal_files(folder, tmp_path, monkeypatch):
    """Each figure by itself: test_style.py."""
    few_figures(monkeypatch, 2)
    written(tmp_path)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.deep(but=["comparison"])
@pytest.mark.parametrize("study", STUDIES)
def test_a_study_alone(study, tmp_path, monkeypatch):
    few_figures(monkeypatch, 1)
    write_budget_report(tmp_path, {"name": "alone"}, **{study: STUDIES[study]})
    page = Page((tmp_path / "index.html").read_text())
    assert "figures" in page.ids
    assert "answer" not in page.ids


@pytest.mark.deep(but=["one point"])
@pytest.mark.parametrize(
    "rows",
    [
        gradient_rows(("symmetric",), (0.1,), (100,)),
        gradient_rows(("one_sided_minus",), (0.1, 0.2), (100,)),
        gradient_rows(("four_point",), (0.1,), (10, 100)),
        [
            row | dict.fromkeys(set(row) - {"method", "contrast", "beta", "shots", "rmse"})
            for row in gradient_rows(("symmetric",), (0.1, 0.2), (10, 100))
        ],
    ],
    ids=["one point", "one level", "one beta", "bare rows"],
)
def test_few_points_and_missing_values(rows, tmp_path, monkeypatch):
    charts = budget_charts(gradient=rows)
    for chart in charts:
        chart.draw(8.4).draw_without_rendering()
    few_figures(monkeypatch, 1)
    tables = write_budget_report(tmp_path, {}, gradient=rows)
    assert len(tables) == 1
    assert "figures" in Page((tmp_path / "index.html").read_text()).ids


def test_nothing_at_all_is_still_a_page(tmp_path):
    assert write_budget_report(tmp_path / "new", {}) == []
    page = Page((tmp_path / "new" / "index.html").read_text())
    assert "figures" not in page.ids
    assert "method" in page.ids


def test_rows_without_any_error_make_no_figure(tmp_path):
    rows = [row | {"rmse": None} for row in gradient_rows(("symmetric",), (0.1,), (10,))]
    write_budget_report(tmp_path, {}, gradient=rows, comparison=[], training=[])
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


def test_an_interrupted_report_leaves_the_old_page(tmp_path, monkeypatch):
    (tmp_path / "index.html").write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("qep_qiskit.core.files._write_all", full)
    with pytest.raises(OSError, match="disk full"):
        write_budget_report(tmp_path, FACTS)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("index.html", "old")]


def test_the_script_is_the_one_that_the_page_allows():
    text = page_html(FACTS)
    assert "default-src 'none'" in text
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", text)
    assert "unsafe-inline" not in re.search(r"script-src[^\"]*", text).group()


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        ("qep_qiskit.budget.report", ["page.html.j2", "page.js"]),
        ("qep_qiskit.cli", ["manual.txt"]),
        ("qep_qiskit.report", ["figures.mplstyle", "page.css", "run_page.html.j2"]),
    ],
)
def test_page_style_and_manual_belong_to_the_wheel(package, wanted):
    folder = resources.files(package)
    parts = [part.name for part in folder.iterdir() if part.is_file() and not part.name.endswith(".py")]
    assert sorted(parts) == wanted
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    declared = tomllib.loads(pyproject.read_text())["tool"]["setuptools"]["package-data"][package]
    assert all(any(fnmatch(part, pattern) for pattern in declared) for part in parts)


def test_tables_fit_into_a_terminal_of_eighty_columns(tmp_path, monkeypatch):
    few_figures(monkeypatch, 0)
    console = Console(width=80, file=io.StringIO())
    for table in write_budget_report(tmp_path, FACTS, **STUDIES):
        console.print(table)
    text = console.file.getvalue()
    assert "one-sided +" in text
    assert "QPU s" in text
    assert all(word in text for word in ["another", "model:", "circuit", "angles"])
    assert "…" not in text
    assert "Z 62%, X 38%" in text
