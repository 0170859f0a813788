"""The room of the equations: what it offers, how it is told, and that an evening is enough."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from retrieval import physics

FOLDER = Path(physics.__file__).parent
EVENING = 2500
"""Lines that can be read in an evening."""


@pytest.mark.parametrize("name", physics.__all__)
def test_every_public_name_is_told_whole(name):
    """Each has parameters, what it returns, and an example to check by hand."""
    text = inspect.getdoc(getattr(physics, name))
    for heading in ("Parameters\n---", "Returns\n---", "Examples\n---", ">>> "):
        assert heading in text


def test_a_name_that_is_not_there_is_an_attribute_error():
    """The room hands on its names late, and no others."""
    with pytest.raises(AttributeError, match="has no attribute 'airmass'"):
        _ = physics.airmass


def test_the_reading_order_names_every_module():
    """A reader finds each module in the order of the room."""
    modules = {p.stem for p in FOLDER.glob("*.py")} - {"__init__"}
    named = {m for m in modules if f"`{m}`" in (physics.__doc__ or "")}
    assert named == modules


def test_the_room_can_be_read_in_an_evening():
    """All modules together stay short."""
    lines = sum(len(p.read_text(encoding="utf-8").splitlines()) for p in FOLDER.glob("*.py"))
    assert lines < EVENING
