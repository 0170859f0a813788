"""The twin world of the tests: one geography and two days, simulated once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dacno2_s5p.twin.twin import Twin

HERE = Path(__file__).parent
SUMMER, WINTER = "2019-07-10", "2019-01-16"


def pytest_collection_modifyitems(items):
    """Keep the world to one of several processes: it is built once, and is large."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("twin"))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Keep to one core: threads that wait for each other are slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def twin():
    return Twin()


@pytest.fixture(scope="session")
def summer_day(twin):
    return twin.day(SUMMER)


@pytest.fixture(scope="session")
def winter_day(twin):
    return twin.day(WINTER)
