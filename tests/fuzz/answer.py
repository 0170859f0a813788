"""What an action answers: a digest of all it found, and what is impossible in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import numpy as np


def answer(found: Mapping[str, Any], impossible: str = "") -> str:
    """Return a digest of everything found, and what is impossible in it."""
    digest = sha256()
    for name in sorted(found):
        value = found[name]
        digest.update(name.encode())
        if isinstance(value, np.ndarray):
            digest.update(f"{value.dtype} {value.shape}".encode())
            value = np.ascontiguousarray(value).tobytes()
        digest.update(value if isinstance(value, bytes) else str(value).encode())
    return json.dumps({"digest": digest.hexdigest()[:16], "impossible": impossible})
