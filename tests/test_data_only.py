"""Files are data: no module has a way to run what a file says, or to write where it says."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("cli", "dacno2_s5p", "retrieval", "tools")

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "tarfile"}
"""Modules that run code on loading, or unpack archives to the paths they name."""
FUNCTIONS = {"eval", "exec", "compile", "__import__", "extractall", "unpack_archive", "system"}
"""Functions that do, however they are reached."""
LOADERS = {("torch", "load"), ("torch", "save"), ("yaml", "load"), ("np", "fromregex")}
KEYWORDS = {"allow_pickle", "weights_only", "shell"}


def findings(source: str) -> Iterator[str]:
    """Name every way to run data in a module's text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
            yield from (f"import {name}" for name in names if name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module.split(".")[0] in MODULES:
                yield f"from {node.module}"
        elif isinstance(node, ast.Call):
            yield from _in_call(node)


def _in_call(node: ast.Call) -> Iterator[str]:
    function = node.func
    if isinstance(function, ast.Name) and function.id in FUNCTIONS:
        yield function.id
    if isinstance(function, ast.Attribute):
        base = function.value.id if isinstance(function.value, ast.Name) else ""
        # re.compile makes a pattern, Module.eval sets a mode: both take no text from files
        is_harmless = (base, function.attr) == ("re", "compile") or function.attr == "eval"
        if (base, function.attr) in LOADERS or (function.attr in FUNCTIONS and not is_harmless):
            yield f"{base}.{function.attr}"
    yield from (f"{word.arg}=" for word in node.keywords if word.arg in KEYWORDS)


@pytest.mark.parametrize("package", PACKAGES)
def test_nothing_read_is_ever_run(package):
    """No module unpickles, evaluates or executes, or unpacks an archive by its own names."""
    found = {
        f"{path.relative_to(ROOT)}: {what}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for what in findings(path.read_text(encoding="utf-8"))
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "archive.extractall(folder)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_each_way_is_found(text):
    """The test above can fail."""
    assert list(findings(text))
