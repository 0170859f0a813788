"""Fixtures shared by all tests."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.builders.l3_builder import Season

# No clock in tests, and the same examples in every run: a busy machine is no failure.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
# HYPOTHESIS_PROFILE=many: many more examples of the properties of whole files.
settings.register_profile("many", parent=settings.get_profile("steady"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))

REAL = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"


# Commands that run in this process would keep freed memory for all tests after them.
os.environ["DACNO2_S5P_KEEP_ALLOCATOR"] = "1"

LARGE = 1.25e9
"""Resident memory [bytes] from which what a test left is looked for."""


@pytest.fixture(autouse=True)
def _memory_goes_back():
    """Give memory back after tests that built worlds: these refer to themselves."""
    yield
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        if pages * os.sysconf("SC_PAGE_SIZE") > LARGE:
            gc.collect()
            trim(0)


@pytest.fixture
def real_file():
    """Return a function from a glob to the real file, skipping by name where it is absent."""

    def find(pattern: str) -> Path:
        found = sorted(REAL.glob(pattern))
        if not found:
            pytest.skip(f"real file {pattern} is not at hand (../shared/data/real)")
        return found[0]

    return find


@pytest.fixture(scope="session")
def season(tmp_path_factory) -> Season:
    """Orbits of three days near Paris, re-retrieved with two sets; tests only read them."""
    from tests.builders.l3_builder import build_season

    return build_season(tmp_path_factory.mktemp("season"))
