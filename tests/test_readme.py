"""Commands and Python of README, and commands of the docs, are what they say."""

import re
from pathlib import Path

import pytest

from qep_qiskit.cli.parser import command_parser
from qep_qiskit.config.load import load_config
from qep_qiskit.config.reference import configuration_page

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
NAMES = "init|show|train|resume|predict|gradient|circuits|sweep|budget|plan"
DOCS = [page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = dict.fromkeys(
    re.findall(rf"^(?:\.venv/bin/)?(qep (?:{NAMES})[^#&\n]*)", "\n".join([README, *DOCS]), flags=re.MULTILINE)
)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_python_snippet_runs(snippet, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(snippet, "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_command_parses_and_names_files_that_are_there(command):
    options = command_parser().parse_args(command.split()[1:])
    config = getattr(options, "config", "")
    if config.startswith("configs/"):
        load_config(ROOT / config, options.overrides)


def test_there_is_something_to_test():
    assert len(SNIPPETS) >= 1
    assert len(COMMANDS) >= 5


def test_configuration_page_lists_every_key_as_it_is_now():
    assert (ROOT / "docs" / "reference" / "configuration.md").read_text() == configuration_page()
