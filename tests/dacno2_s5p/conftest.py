"""Fixtures shared by the tests of the a priori."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture(autouse=True)
def _one_thread():
    """Run torch on one thread: tests share the machine, and bits repeat."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
