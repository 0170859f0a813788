"""Fixtures shared by all tests."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cli.console import OUR_LOGGERS

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

WORLD = ("tests/cli/commands/test_demo.py", "tests/dacno2_s5p/sources/test_twin_files.py",
         "tests/dacno2_s5p/twin/")  # fmt: skip
"""Where tests build the twin world, which is large and takes ten seconds."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a module to one of several processes, and all tests of the twin world to one.

    What they share is then built once. Marks `xdist_group` would say the same, but xdist 3.8
    writes them where pytest 9 does not read them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return "world" if nodeid.startswith(WORLD) else nodeid.split("::")[0]

    config.option.loadscopereorder = False  # long ones are among the first as they are
    return ByModule(config, log)


_peaks: list[float] = []


def _peak() -> float:
    """Return the largest memory that this process has had [GB]."""
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def pytest_sessionfinish(session):
    """Hand the peak of a worker of xdist to the process that prints it."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["peak"] = _peak()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Note the peak of a worker; one that died has none."""
    _peaks.append(getattr(node, "workeroutput", {}).get("peak", float("nan")))


def pytest_terminal_summary(terminalreporter):
    """Say what memory the tests took: 1.5 GB a process are what a small machine has."""
    peaks = ", ".join(f"{peak:.2f}" for peak in _peaks or [_peak()])
    terminalreporter.write_line(f"peak memory of test processes: {peaks} GB")


GROWTH = 0.2e9
"""Resident memory [bytes] that is gained before what tests left is looked for: a look takes half a
second, and finds nothing where a world is still in use."""

_kept = 0.6e9
"""Resident memory after the last look; at first that of the imported modules."""


@pytest.fixture(autouse=True)
def _memory_goes_back():
    """Give memory back after tests that built worlds: these refer to themselves."""
    global _kept
    yield
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None and _resident() > _kept + GROWTH:
        gc.collect()
        trim(0)
        _kept = _resident()


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(autouse=True)
def _loggers_are_as_they_came():
    """Let no test hear less than it would alone, whatever commands ran before in its process."""
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(logging.NOTSET)


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
