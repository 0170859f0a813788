"""Fixtures shared by all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"


@pytest.fixture
def real_file():
    """Return a function from a glob to the real file, skipping by name where it is absent."""

    def find(pattern: str) -> Path:
        found = sorted(REAL.glob(pattern))
        if not found:
            pytest.skip(f"real file {pattern} is not at hand (../shared/data/real)")
        return found[0]

    return find
