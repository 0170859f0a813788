"""Tensors and JSON in one safetensors file: nothing is ever unpickled.

Weights and the state of a training run are stored this way. A file appears whole or not at all.
"""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from dacno2_s5p.errors import CheckpointError
from retrieval.files.atomic import atomic_output, output_error
from retrieval.files.provenance import file_checksum

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

KEY = "dacno2_s5p"
"""The one metadata entry; with several their order in the file would be arbitrary."""

METADATA_HASH = "metadata_sha256"
"""Entry with the SHA-256 of all other metadata; files without it are read, too."""

_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""First bytes of what torch.save and pickle write."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> str:
    """Write tensors and metadata under a temporary name, then rename.

    Parameters
    ----------
    path : Path
        File to write; an existing one is replaced.
    tensors : mapping of str to Tensor
        Any types; copied to contiguous CPU memory.
    metadata : mapping
        Plain values (JSON).

    Returns
    -------
    str
        SHA-256 of the file, as `sha256sum` prints it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    # keys are never sorted: the order of land-cover classes is the order of channels
    values = {**metadata, "tensors_sha256": hash_tensors(tensors)}
    text = json.dumps({**values, METADATA_HASH: _hash_metadata(values)})
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_output(path, overwrite=True) as temporary:
        try:
            save_file(plain, temporary, metadata={KEY: text})
        except SafetensorError as error:
            raise output_error(path, error) from error
    return file_checksum(path)


def read_metadata(path: Path) -> dict[str, Any]:
    """Read the metadata only.

    Raises
    ------
    CheckpointError
        As `read_tensors`.
    """
    return _read(path, with_tensors=False)[1]


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read tensors and metadata.

    Raises
    ------
    CheckpointError
        If the file is absent, a pickle, truncated, of another program, or its tensors are not
        those that were written.
    """
    tensors, metadata = _read(path, with_tensors=True)
    if hash_tensors(tensors) != metadata.get("tensors_sha256"):
        msg = (
            f"Invalid checkpoint {path}. Its tensors must be those that were written. Given "
            "another hash: the file is damaged. Copy it again."
        )
        raise CheckpointError(msg)
    return tensors, metadata


def _read(path: Path, *, with_tensors: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with Path(path).open("rb") as file:
            start = file.read(4)
        if start.startswith(_PICKLES):
            msg = (
                f"Invalid checkpoint {path}. It must be a safetensors file. Given a pickle, which "
                "could run code and is never opened. Use a checkpoint written by train."
            )
            raise CheckpointError(msg)
        with safe_open(path, framework="pt") as opened:
            metadata = opened.metadata() or {}
            names = opened.keys() if with_tensors else ()
            tensors = {name: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        msg = (
            f"Invalid checkpoint {path}. It must be a complete safetensors file. Given "
            f"{_one_line(error)}. Check the path, or copy the file again."
        )
        raise CheckpointError(msg) from error
    return tensors, _parse(path, metadata)


def _hash_metadata(values: Mapping[str, Any]) -> str:
    return sha256(json.dumps(values).encode()).hexdigest()


def _parse(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    values = _loads(path, metadata)
    expected = values.pop(METADATA_HASH, None)
    if expected is not None and expected != _hash_metadata(values):
        msg = (
            f"Invalid checkpoint {path}. Its metadata must be those that were written. Given "
            "another hash: the file is damaged. Copy it again."
        )
        raise CheckpointError(msg)
    return values


def _loads(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    try:
        values = json.loads(metadata[KEY])
        if not isinstance(values, dict):
            raise KeyError(KEY)
    except (KeyError, ValueError, RecursionError) as error:
        msg = (
            f"Invalid checkpoint {path}. It must carry DACNO2-S5P metadata. Given a safetensors "
            "file of another program. Use a checkpoint written by train."
        )
        raise CheckpointError(msg) from error
    return values


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, types, shapes and values, in the order of names."""
    digest = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
