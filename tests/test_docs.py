"""What README and the pages of docs/ refer to exists, and they are written in the words of the field."""

import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KEYS = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
WORDS_OF_THE_CODE = {
    word
    for pattern in ("qep_qiskit/**/*.py", "configs/*.toml", "docs/results.json")
    for path in ROOT.glob(pattern)
    for word in [path.stem, *re.findall(r"\w+", path.read_text(encoding="utf-8"))]
}
SECTIONS = "task|network|cost|preparation|measurement|execution|contrast|update|training|budget"
PRIVATE = (
    r"readings?|reading plan|journal|ticket|shelf|shelves|seam|house|rooms?|lowering|situation|favourite|"
    r"lent by|words? for|Pauli words?|told(?! apart)|spread|remembers?|neighbours?(?= angles)|walls?"
)


def name_of(page):
    return page.relative_to(ROOT).as_posix().removeprefix("docs/")


def text_of(page):
    return page.read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def anchors(page):
    titles = re.findall(r"^#+ (.*)$", without_code(text_of(page)), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        if link.startswith(("http:", "https:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_that_are_named_are_there(page):
    named = re.findall(r"`([\w./]+/[\w./]*\.(?:py|toml|csv|md|txt))`", text_of(page))
    places = [ROOT, ROOT / "qep_qiskit"]
    assert [name for name in named if not any((place / name).exists() for place in places)] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_that_are_used_are_in_the_code(page):
    named = set(re.findall(r"`(?:qep\.)?([A-Za-z]\w*)(?:\([^`]*\))?`", without_code(text_of(page))))
    named = {name for name in named if re.search(r"[a-z]_[a-z]|[a-z][A-Z]", name)}
    assert sorted(named - WORDS_OF_THE_CODE) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_keys_that_are_named_are_in_the_reference(page):
    named = re.findall(rf"`(?:{SECTIONS})\.([a-z_.]+)", text_of(page))
    lacking = [key for key in named if f"`{key.split('.')[-1]}`" not in KEYS and f".{key}]" not in KEYS]
    assert lacking == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_snippets_of_python_run(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    with warnings.catch_warnings():
        for snippet in re.findall(r"```python\n(.*?)```", text_of(page), flags=re.DOTALL):
            exec(compile(snippet, page.name, "exec"), {})


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "configuration.md"], ids=name_of)
def test_words_are_those_of_the_field(page):
    assert re.findall(rf"\b(?:{PRIVATE})\b", without_code(text_of(page)), flags=re.IGNORECASE) == []


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 120


def test_the_packages_of_the_architecture_are_those_there_are():
    section = text_of(ROOT / "docs" / "explanation" / "architecture.md").split("## Packages")[1].split("\n## ")[0]
    folders = {path.parent.name for path in (ROOT / "qep_qiskit").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)) == folders
