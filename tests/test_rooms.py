"""The first page of a room says its idea in one sentence, and names modules that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(
    page.parent
    for package in ("retrieval", "dacno2_s5p", "cli")
    for page in (ROOT / package).rglob("__init__.py")
)
LONGEST_IDEA = 100


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_first_page_of_a_room(room):
    """One sentence, and where modules are named none that is not there."""
    page = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8")))
    assert page is not None
    idea = page.split("\n")[0]
    assert idea.endswith(".")
    assert len(idea) < LONGEST_IDEA
    if "In reading order: " in page:
        named = re.findall(r"`(\w+)`", page.split("In reading order: ")[1])
        there = {path.stem for path in room.glob("*.py")} | {path.name for path in room.iterdir()}
        assert len(named) == len(set(named))
        assert set(named) <= there


def test_no_package_has_more_rooms_than_a_person_counts():
    """Eleven at most at the top: rooms are found by reading, not by searching."""
    for package, most in (("retrieval", 10), ("dacno2_s5p", 11), ("cli", 7)):
        rooms = [room for room in ROOMS if room.parent == ROOT / package]
        assert 0 < len(rooms) <= most
