"""The twin world of the tests: one geography and two days, simulated once."""

from __future__ import annotations

import pytest
import torch

from dacno2_s5p.twin.twin import Twin

SUMMER, WINTER = "2019-07-10", "2019-01-16"


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """Keep to one core: threads that wait for each other are slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="package")
def twin():
    return Twin()


@pytest.fixture(scope="package")
def summer_day(twin):
    return twin.day(SUMMER)


@pytest.fixture(scope="package")
def winter_day(twin):
    return twin.day(WINTER)
