"""The door of the network: a day's profiles as a Dataset, which is a set for the retrieval."""

from __future__ import annotations

import pytest

import dacno2_s5p


def test_every_public_name_is_there():
    """Names are taken up when they are used."""
    assert {name for name in dacno2_s5p.__all__ if not hasattr(dacno2_s5p, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dacno2_s5p.nothing
