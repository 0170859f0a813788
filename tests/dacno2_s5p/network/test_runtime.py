"""The process' settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dacno2_s5p.network.runtime import KEEP_ALLOCATOR, tune_allocator


def test_the_allocator_is_left_alone_where_that_is_asked_for(monkeypatch):
    """The environment variable opts out."""
    monkeypatch.setenv(KEEP_ALLOCATOR, "1")
    assert not tune_allocator()


def test_the_allocator_is_left_alone_on_other_systems(monkeypatch):
    """Only glibc has these parameters."""
    monkeypatch.delenv(KEEP_ALLOCATOR, raising=False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not tune_allocator()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is glibc's")
def test_freed_memory_is_kept(monkeypatch):
    """After tuning, large blocks come from the heap and are used again without page faults."""
    monkeypatch.delenv(KEEP_ALLOCATOR, raising=False)
    code = """
import resource
import numpy as np
from dacno2_s5p.network.runtime import tune_allocator
assert tune_allocator()
np.ones(1 << 22)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    np.ones(1 << 22)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # 10 x 32 MiB are 81 920 pages of 4 KiB where each block is mapped anew
    assert int(done.stdout) < 8192
