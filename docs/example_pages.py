"""The examples as pages of the site: what each says of itself, and its code."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "examples"


def example_pages() -> str:
    """Return a section for each script, in the order of their numbers."""
    return "\n\n".join(_section(path) for path in sorted(FOLDER.glob("[0-9]*.py")))


def _section(path: Path) -> str:
    title, *more = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split(
        "\n\n"
    )
    number = path.name.split("_", 1)[0]
    code = ["```{literalinclude} ../examples/" + path.name, ":language: python", "```"]
    return "\n\n".join(
        [f"## {number} {' '.join(title.split()).rstrip('.')}", *more, "\n".join(code)]
    )
