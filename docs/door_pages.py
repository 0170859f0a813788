"""The door in reference form: every public name of both packages, told by its docstring."""

from __future__ import annotations

import inspect
from importlib import import_module

TITLES = {"retrieval": "Orbits, sets, columns, maps", "dacno2_s5p": "The network and its world"}
"""Packages, and what their names are about."""


def door_pages() -> str:
    """Return a section for each package, its names in the order of its door."""
    return "\n\n".join(_section(package, title) for package, title in TITLES.items())


def _section(package: str, title: str) -> str:
    module = import_module(package)
    names = [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
    kinds = {name: _kind(getattr(module, name)) for name in names}
    lines = [f"## {title}", "", f"`import {package}`", "", "```{eval-rst}"]
    for name in sorted(names, key=lambda n: (kinds[n] == "class", n.lower())):
        lines += [f".. auto{kinds[name]}:: {package}.{name}", *_options(kinds[name]), ""]
    return "\n".join([*lines, "```"])


def _kind(value: object) -> str:
    return "class" if inspect.isclass(value) else "function"


def _options(kind: str) -> list[str]:
    return ["   :members:"] if kind == "class" else []
