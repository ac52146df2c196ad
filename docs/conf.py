"""Settings of the documentation site: ``sphinx-build -W docs build/docs`` (extra ``docs``)."""

import os
import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

import qep_qiskit

project = "qep_qiskit"
author = "The qep_qiskit developers"
copyright = "The qep_qiskit developers, Apache-2.0"
version = release = qep_qiskit.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["results.json", "**/.ipynb_checkpoints"]
source_suffix = {".md": "myst-nb"}

# Tutorials run at every build, with the commands of this environment.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
os.environ["COLUMNS"] = "70"
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_execution_show_tb = True
nb_merge_streams = True
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 4

# Names in docstrings are linked where they are public.
highlight_language = "none"
default_role = "py:obj"
add_module_names = False
toc_object_entries = False
autosummary_generate = False
autodoc_class_signature = "mixed"
autodoc_default_options = {"members": True}
_ROUTING = ["fit", "partial_fit", "predict", "predict_proba", "score"]
autodoc_default_options["exclude-members"] = ", ".join(
    ["get_metadata_routing", *(f"set_{name}_request" for name in _ROUTING)]
)
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_mock_imports = ["torch"]
python_maximum_signature_line_length = 88
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "qep_qiskit"
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
    "article_header_start": ["breadcrumbs"],
}
html_sidebars = {"index": []}
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"

_SHORT = {
    re.compile(r"ndarray\[tuple\[(?:Any|int), \.\.\.\], dtype\[[^\]]*\]\]"): "NDArray",
    re.compile(r"_Buffer \| _SupportsArray.*?_NestedSequence\[complex \| bytes \| str\]"): "ArrayLike",
}


def with_short_arrays(app: Sphinx, doctree: nodes.document) -> None:
    """Write NDArray and ArrayLike in signatures where Sphinx writes all that they may be."""
    kinds = (addnodes.desc_parameter, addnodes.desc_returns, addnodes.desc_annotation)
    for node in doctree.findall(lambda node: isinstance(node, kinds)):
        text = node.astext()
        for long, short in _SHORT.items():
            text = long.sub(short, text)
        if text != node.astext():
            node.children = [nodes.Text(text.removeprefix(" -> "))]


def as_text(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """Escape plain text of docstrings that would be a mark: |g|, names like x_, and colons of properties."""
    for number, line in enumerate(lines):
        if not line.lstrip().startswith((">>>", "...")):
            lines[number] = re.sub(r"(?<![`\\])\|", r"\\|", re.sub(r"(?<!`)(\b\w+)_(?=[\s,.)]|$)", r"\1\\_", line))
    if what in ("property", "attribute") and lines:
        lines[0] = lines[0].replace(": ", " – ")


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("doctree-read", with_short_arrays)
    app.connect("autodoc-process-docstring", as_text, priority=400)
