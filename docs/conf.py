"""How the site is built: `make docs`. Warnings are errors, and nothing is fetched."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

from docutils.nodes import SkipNode
from docutils.utils.math import latex2mathml

sys.path.insert(0, str(Path(__file__).parent))
from command_pages import command_pages
from door_pages import door_pages
from example_pages import example_pages

if TYPE_CHECKING:
    from docutils.nodes import math, math_block
    from sphinx.application import Sphinx
    from sphinx.writers.html5 import HTML5Translator

project = "dacno2-s5p"
author = copyright = "the dacno2-s5p developers"
release = version = version_of("dacno2-s5p")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "numpydoc",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["evidence/*.csv"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
autodoc_typehints = "none"  # shapes and units stand in the docstrings, types in the signatures
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True

smartquotes = False  # two dashes are an option

html_theme = "pydata_sphinx_theme"
html_title = "dacno2-s5p"
html_theme_options = {
    "show_nav_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"**": [], "decisions/*": ["sidebar-nav-bs"]}  # pages stand in the bar above
html_show_sourcelink = False
html_math_renderer = "mathml"


def _inline(self: HTML5Translator, node: math) -> None:
    self.body.append(latex2mathml.tex2mathml(node.astext()))
    raise SkipNode


def _block(self: HTML5Translator, node: math_block) -> None:
    self.body.append(f"<p>{latex2mathml.tex2mathml(node.astext(), as_block=True)}</p>")
    raise SkipNode


def _from_code(_app: Sphinx, page: str, source: list[str]) -> None:
    """Put on a page what the code itself says: commands, door, examples."""
    if page == "commands":
        source[0] += command_pages()
    elif page == "examples":
        source[0] += example_pages()
    elif page == "python":
        source[0] = source[0].replace("<!-- door -->", door_pages())


def setup(app: Sphinx) -> None:
    """Write equations as MathML, which browsers show without a script from elsewhere."""
    app.connect("source-read", _from_code)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
