"""The site has every page in its contents, and every public name in its reference."""

import re
from pathlib import Path

import pytest

import qep_qiskit as qep

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
TUTORIALS = sorted(path for path in (DOCS / "tutorials").glob("*.md") if path.name != "index.md")
ENTRY = re.compile(r"^\.\. auto(?:class|exception|function|data):: ([\w.]+)$", re.MULTILINE)


def contents(page):
    """Return the pages in the table of contents of a page."""
    trees = re.findall(r"```{toctree}\n(.*?)```", (DOCS / f"{page}.md").read_text(encoding="utf-8"), re.DOTALL)
    names = [line for tree in trees for line in tree.splitlines() if line and not line.startswith(":")]
    folder = Path(page).parent
    return [(folder / name).as_posix() for name in names]


def test_every_page_is_in_the_contents():
    found, left = {"index"}, ["index"]
    while left:
        new = [page for page in contents(left.pop()) if page not in found]
        found |= set(new)
        left += new
    assert found == PAGES


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_tutorial_is_a_notebook_in_the_table_of_tutorials(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("---\nfile_format: mystnb\n")
    assert text.count("```{code-cell} ipython3") >= 5
    assert f"]({path.name})" in (DOCS / "tutorials" / "index.md").read_text(encoding="utf-8")


def test_every_public_name_is_in_the_reference_once():
    texts = [path.read_text(encoding="utf-8") for path in sorted((DOCS / "reference" / "api").glob("*.md"))]
    names = [name.rpartition(".")[2] for text in texts for name in ENTRY.findall(text)]
    assert set(qep.__all__) - set(names) == set(), "add them to a page of docs/reference/api"
    assert sorted(names) == sorted([*qep.__all__, "jax_function", "QEPModule"])


def test_every_how_to_is_in_the_list():
    text = (DOCS / "how_to" / "index.md").read_text(encoding="utf-8")
    pages = [path.name for path in (DOCS / "how_to").glob("*.md") if path.name != "index.md"]
    assert len(pages) >= 10
    assert [name for name in pages if f"]({name})" not in text] == []
