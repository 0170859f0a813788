"""The chunks of a store: arrays and JSON in one safetensors file, read by slices.

A chunk appears whole or not at all, and holds what is needed to know whether it can be kept:
the fingerprint of the settings it was made with, and the moments of what it holds.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dacno2_s5p.errors import DataError
from retrieval.files.atomic import atomic_output
from retrieval.files.damage import CONTENT_ERRORS, describe_fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MANIFEST = "store.json"
"""The file a finished store has; written last."""

KEY = "dacno2_s5p_store"
"""The one metadata entry of a chunk."""


def write_chunk(path: Path, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, Any]) -> None:
    """Write a chunk; every floating-point array must be finite.

    Raises
    ------
    DataError
        If a value is not finite: a store never feeds a NaN.
    OutputError
        If the file cannot be written.
    """
    for name, values in arrays.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            count = int(values.size - np.isfinite(values).sum())
            msg = (
                f"Invalid chunk {path.name}. All values must be finite. Given {count} in {name} "
                "that are not. Check the source files of the day."
            )
            raise DataError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    with atomic_output(path, overwrite=True) as temporary:
        # through bytes: safetensors' own writing would set the permissions of a private file
        temporary.write_bytes(save(plain, metadata={KEY: json.dumps(about, sort_keys=True)}))


def read_about(path: Path) -> dict[str, Any] | None:
    """Return what a chunk says about itself, None where there is no whole chunk."""
    try:
        with safe_open(path, framework="numpy") as chunk:
            found = json.loads((chunk.metadata() or {})[KEY])
    except (*CONTENT_ERRORS, SafetensorError):
        return None
    return found if isinstance(found, dict) else None


def read_array(path: Path, name: str, *window: slice) -> NDArray[Any]:
    """Read an array, or a window over its last axes.

    Raises
    ------
    DataError
        If the chunk is absent, damaged, or does not hold it.
    """
    try:
        with safe_open(path, framework="numpy") as chunk:
            if not window:
                return np.asarray(chunk.get_tensor(name))
            part = chunk.get_slice(name)
            lead = [slice(None)] * (len(part.get_shape()) - len(window))
            return np.asarray(part[(*lead, *window)])
    except (*CONTENT_ERRORS, SafetensorError) as error:
        raise _unreadable(path, name, error) from error


def has_array(path: Path, name: str) -> bool:
    """Say whether a chunk holds an array.

    Raises
    ------
    DataError
        If the chunk is absent or damaged.
    """
    try:
        with safe_open(path, framework="numpy") as chunk:
            return name in chunk.keys()  # noqa: SIM118 (not a dict)
    except (*CONTENT_ERRORS, SafetensorError) as error:
        raise _unreadable(path, name, error) from error


def _unreadable(path: Path, name: str, error: BaseException) -> DataError:
    return DataError(
        f"Invalid chunk {path}. It must be a whole file of the store with {name}. Given: "
        f"{describe_fault(error)}. Run prepare again; it writes what is missing."
    )


def fingerprint(values: Mapping[str, Any]) -> str:
    """Return the SHA-256 of plain values."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
