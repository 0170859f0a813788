"""The site: it builds without a warning, and its page of commands is whole."""

import doctest
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import click
import pytest

from cli.main import COMMANDS, cli

DOCS = Path(__file__).resolve().parents[1] / "docs"


def command_pages():
    """Run the site's own module."""
    spec = spec_from_file_location("command_pages", DOCS / "command_pages.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.command_pages()


def test_every_command_and_every_option_is_on_the_page():
    """What click knows, the page has."""
    page = command_pages()
    sections = dict(part.split("\n", 1) for part in ("\n\n" + page).split("\n\n## ")[1:])
    assert list(sections) == list(COMMANDS)
    for name, text in sections.items():
        command = cli.get_command(click.Context(cli), name)
        flags = [o for p in command.params if isinstance(p, click.Option) for o in p.opts]
        assert flags
        assert not [flag for flag in flags if flag not in text]
        assert f"dacno2-s5p {name} [OPTIONS]" in text


def test_help_texts_cannot_be_taken_for_markup():
    """Stars, bars and brackets outside of code are escaped, examples are blocks."""
    page = command_pages()
    assert r"\|sum - difference\|" in page
    assert "\b" not in page
    assert "```text\ndacno2-s5p reretrieve S5P_OFFL_L2__NO2____*.nc -a cams=cams/2023\n" in page


def test_the_notebook_example_gives_what_it_says():
    """Lines of docs/howto.md that can be run are run."""
    result = doctest.testfile(str(DOCS / "howto.md"), module_relative=False)
    assert (result.failed, result.attempted > 4) == (0, True)


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """Links, headings, references and docstrings are sound; nothing is fetched."""
    for package in ("sphinx", "myst_parser", "numpydoc", "pydata_sphinx_theme"):
        pytest.importorskip(package, reason="the site needs pip install 'dacno2-s5p[docs]'")
    flags = ["--fail-on-warning", "--keep-going", "--quiet", "-b", "dummy"]
    found = subprocess.run(
        [sys.executable, "-m", "sphinx", *flags, str(DOCS), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (0, "")
