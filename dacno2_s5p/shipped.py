"""The checkpoint that comes with the package, where there is one."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def shipped_checkpoint() -> Path | None:
    """Return the packaged checkpoint, `data/*.safetensors`, None where none is packaged."""
    folder = Path(str(files("dacno2_s5p").joinpath("data")))
    return next(iter(sorted(folder.glob("*.safetensors"))), None)
