"""Copy a netCDF-4 file cropped along named dimensions, every kept value bit-identical.

netCDF-4 files are HDF5 files whose dimensions are dimension scales. The copy works on that level,
because the netCDF library cannot tell fixed from variable-length text and would change attribute
types: values, fill values, filters and attributes go over as stored, without any decoding.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import h5py
import numpy as np
from h5py import h5, h5a, h5d, h5ds, h5g, h5o, h5p, h5s, h5t

from retrieval.errors import ProductError
from retrieval.files.atomic import output_error, write_errno
from retrieval.files.hdf5_chunks import ChunkQueue, RowWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Keep = Callable[[str, tuple[str | None, ...]], bool]

HDF5_ERRORS = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)
"""What h5py raises for damaged files: HDF5 has one kind of error, h5py many."""

CHUNK_BYTES = 1 << 20
"""Upper size of a written chunk: the default chunk cache of HDF5 1.8 to 1.14 holds one."""

BLOCK_BYTES = 16 << 20
"""About how much of a variable is in memory at a time."""

DEFLATE_LEVEL = 3
"""zlib level of the operational product (docs/formats.md 1.2), with shuffle and fletcher32."""

_REFERENCES = {b"DIMENSION_LIST", b"REFERENCE_LIST"}
_DIMENSION_ONLY = b"This is a netCDF dimension but not a netCDF variable."
_ORDERED = h5p.CRT_ORDER_TRACKED | h5p.CRT_ORDER_INDEXED


@contextmanager
def hdf5_errors(
    source: Path, target: Path, kinds: tuple[type[Exception], ...] = HDF5_ERRORS
) -> Iterator[None]:
    """Turn errors of HDF5 into `OutputError` (writing failed) or `ProductError` (damaged input)."""
    try:
        yield
    except kinds as error:
        if write_errno(error) is not None:
            raise output_error(target, error) from error
        raise damaged(source, error) from error


def damaged(path: Path, error: BaseException) -> ProductError:
    """Return the one-line error for a file that HDF5 cannot read."""
    words = " ".join(str(error).split())[:160] or type(error).__name__
    return ProductError(
        f"Invalid file {path.name}. It must be a whole, undamaged netCDF-4 file. "
        f"Given: {words}. Download the file again."
    )


def copy_cropped(
    source: h5py.File,
    target: h5py.File,
    crop: Mapping[str, slice],
    axes: Mapping[str, Sequence[str]] | None = None,
    keep: Keep | None = None,
) -> None:
    """Copy all groups, dimensions, variables and attributes, cropped along some dimensions.

    Parameters
    ----------
    source : h5py.File
        A netCDF-4 file, open for reading.
    target : h5py.File
        An empty file of `hdf5_sink.open_target`.
    crop : mapping of str to slice
        Path of a dimension ("/PRODUCT/scanline") to the positions that are kept. Dimensions not
        named are kept whole. Variables are found by their dimension scales, wherever they are.
    axes : mapping of str to sequence of str, optional
        Names of the dimensions of variables by their paths, for files without dimension scales.
    keep : callable, optional
        Told the name of a variable and the paths of its dimensions, says whether it is copied.
        Dimensions always are.

    Raises
    ------
    OSError, RuntimeError, KeyError, ValueError, TypeError
        As h5py raises them for damaged files and failed writes; see `hdf5_errors`.
    """
    source, target = source["/"], target["/"]  # a file's own properties do not say its order
    _copy_attributes(source.id, target.id)
    copy = _Copy(crop, axes or {}, keep)
    with ChunkQueue() as queue:
        _copy_group(source, target, copy, queue)
    for dataset, paths in copy.made:
        attach_dimensions(dataset, paths)


@dataclass
class _Copy:
    """What is to be cut, and what is known of a copy under way.

    Attributes
    ----------
    crop, keep
        As for `copy_cropped`.
    axes : mapping of str to sequence of str
        As for `copy_cropped`.
    made : list of (Dataset, paths)
        New variables whose dimensions are not attached yet.
    scales : dict of int to str
        Paths of dimension scales by their address in the source.
    """

    crop: Mapping[str, slice]
    axes: Mapping[str, Sequence[str]]
    keep: Keep | None = None
    made: list[tuple[h5py.Dataset, tuple[str | None, ...]]] = field(default_factory=list)
    scales: dict[int, str] = field(default_factory=dict)


def dimension_paths(
    dataset: h5py.Dataset, known: dict[int, str] | None = None
) -> tuple[str | None, ...]:
    """Return the path of the dimension scale of each axis; a scale is its own dimension.

    None stands for an axis without a scale, which netCDF-4 writes for no variable.

    Parameters
    ----------
    dataset : h5py.Dataset
    known : dict of int to str, optional
        Paths by address in the file, added to. A scale is found through a reference, and HDF5
        searches the whole file for the path of what was opened so: half of the time of copying
        a small orbit, where it is done for each axis of each variable.
    """
    if h5ds.is_scale(dataset.id):
        return (str(dataset.name), *[None] * (dataset.ndim - 1))
    known = {} if known is None else known
    paths: list[str | None] = []
    for axis in range(dataset.ndim):
        if h5ds.get_num_scales(dataset.id, axis) == 0:
            paths.append(None)
            continue
        scale = dataset.dims[axis][0]
        address = h5o.get_info(scale.id).addr
        if address not in known:
            known[address] = scale.name
        paths.append(known[address])
    return tuple(paths)


def attach_dimensions(dataset: h5py.Dataset, paths: Sequence[str | None]) -> None:
    """Attach the dimension scales with the given paths in the file of `dataset`; none for none."""
    if h5ds.is_scale(dataset.id):
        return
    for axis, path in enumerate(paths):
        if path:
            h5ds.attach_scale(dataset.id, dataset.file[path].id, axis)


def copy_variable(source: h5py.Dataset, parent: h5py.Group) -> h5py.Dataset:
    """Copy a variable whole into a group of another file, with its dimensions by their paths."""
    name = str(source.name).rsplit("/", 1)[-1]
    target = create_like(source, parent, name, source.shape)
    if source.chunks is None:
        target[...] = source[...]
    else:
        _copy_chunks(source, target)
    attach_dimensions(target, dimension_paths(source))
    return target


def create_like(
    model: h5py.Dataset, parent: h5py.Group, name: str, shape: tuple[int, ...]
) -> h5py.Dataset:
    """Create a variable with type, fill value, filters and attributes of another one.

    Dimension scales are not attached; see `attach_dimensions`.
    """
    properties = model.id.get_create_plist().copy()
    properties.set_obj_track_times(False)
    if model.chunks is not None and shape != model.shape:
        properties.set_chunk(chunk_shape(shape, model.dtype.itemsize))
    space = h5s.create_simple(shape) if shape else h5s.create(h5s.SCALAR)
    if shape == model.shape:
        space = model.id.get_space()
    identifier = h5d.create(parent.id, name.encode(), model.id.get_type(), space, properties)
    _copy_attributes(model.id, identifier)
    return h5py.Dataset(identifier)


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return as many whole rows of the outermost real axis as fit into `CHUNK_BYTES`.

    Examples
    --------
    >>> chunk_shape((1, 600, 450, 34), 4)
    (1, 17, 450, 34)
    >>> chunk_shape((1, 600, 450), 4)
    (1, 582, 450)
    """
    axis = _outer_axis(shape)
    row_bytes = max(1, itemsize * int(np.prod(shape)) // shape[axis])
    rows = min(shape[axis], max(1, CHUNK_BYTES // row_bytes))
    return (*shape[:axis], rows, *shape[axis + 1 :])


def blocks(
    dataset: h5py.Dataset, selection: Sequence[slice]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """Divide a selection along its outermost axis into blocks: (source part, target part).

    Blocks end where chunks of the source end, so that each chunk is decompressed once.
    """
    if not selection:
        yield (), ()
        return
    sizes = [part.stop - part.start for part in selection]
    axis = _outer_axis(sizes)
    start, stop = selection[axis].start, selection[axis].stop
    chunk = dataset.chunks[axis] if dataset.chunks else 1
    row_bytes = max(1, dataset.dtype.itemsize * int(np.prod(sizes)) // max(1, sizes[axis]))
    step = chunk * max(1, BLOCK_BYTES // (row_bytes * chunk))
    edges = [start, *range((start // step + 1) * step, stop, step), stop]
    for first, last in pairwise(edges):
        read = [*selection]
        write = [slice(0, size) for size in sizes]
        read[axis] = slice(first, last)
        write[axis] = slice(first - start, last - start)
        yield tuple(read), tuple(write)


def _outer_axis(shape: Sequence[int]) -> int:
    """Return the first axis longer than one: scanlines, behind the time axis of length one."""
    return next((axis for axis, size in enumerate(shape) if size > 1), 0)


def _copy_group(
    source: h5py.Group,
    target: h5py.Group,
    copy: _Copy,
    queue: ChunkQueue,
) -> None:
    """Copy the members of a group in their order, and note the variables for their dimensions."""
    for name in _member_names(source):
        member = source[name]
        if isinstance(member, h5py.Group):
            inner = _create_group(target, name)
            _copy_attributes(member.id, inner.id)
            _copy_group(member, inner, copy, queue)
        elif isinstance(member, h5py.Dataset):
            _copy_dataset(member, target, name, copy, queue)
        else:  # a named type: HDF5 copies it as it is
            source.copy(name, target)


def _copy_dataset(
    source: h5py.Dataset,
    parent: h5py.Group,
    name: str,
    copy: _Copy,
    queue: ChunkQueue,
) -> None:
    """Copy the kept part of one variable, block by block."""
    paths = dimension_paths(source, copy.scales)
    named = copy.axes.get(source.name, paths)
    if copy.keep is not None and not h5ds.is_scale(source.id) and not copy.keep(name, tuple(named)):
        return
    selection = [
        copy.crop.get(path or "", slice(0, size))
        for path, size in zip(named, source.shape, strict=True)
    ]
    shape = tuple(part.stop - part.start for part in selection)
    target = create_like(source, parent, name, shape)
    copy.made.append((target, paths))
    if _is_dimension_only(source):
        label = b"%s%10d" % (_DIMENSION_ONLY, shape[0])
        h5a.delete(target.id, b"CLASS")
        h5a.delete(target.id, b"NAME")
        h5ds.set_scale(target.id, label)
        return
    kind = source.id.get_type()
    if shape == source.shape and source.chunks is not None and not _has_variable_length(kind):
        _copy_chunks(source, target)
        return
    write_blocks(
        target, ((write, source[read]) for read, write in blocks(source, selection)), queue
    )


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset) -> None:
    """Copy the chunks of a variable that is kept whole as they are, compressed."""
    found: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: found.append(chunk.chunk_offset))
    for offset in found:
        mask, data = source.id.read_direct_chunk(offset)
        target.id.write_direct_chunk(offset, data, filter_mask=mask)


def write_blocks(
    dataset: h5py.Dataset,
    parts: Iterable[tuple[tuple[slice, ...], NDArray[np.generic]]],
    queue: ChunkQueue,
) -> None:
    """Write (part, values) pairs that follow each other along the outermost axis, in threads.

    Variables with chunks or filters that `RowWriter` does not know are left to HDF5.
    """
    axis = _outer_axis(dataset.shape)
    if not RowWriter.can_write(dataset, axis):
        for part, values in parts:
            dataset[part] = values
        return
    rows = RowWriter(dataset, axis, queue)
    for _, values in parts:
        rows.write(values)
    rows.finish()


def _is_dimension_only(dataset: h5py.Dataset) -> bool:
    """Say whether a dataset only carries a dimension's length and holds no values."""
    if not h5ds.is_scale(dataset.id):
        return False
    name: bytes = h5ds.get_scale_name(dataset.id)
    return name.startswith(_DIMENSION_ONLY)


def _member_names(group: h5py.Group) -> list[str]:
    """Names in creation order where the file tracks it, else in the order of HDF5."""
    tracked = group.id.get_create_plist().get_link_creation_order() & h5p.CRT_ORDER_INDEXED
    names: list[bytes] = []
    order = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
    group.id.links.iterate(names.append, idx_type=order)
    return [name.decode("utf-8") for name in names]


def _create_group(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a group that keeps the order of its members, as netCDF-4 needs."""
    properties = h5p.create(h5p.GROUP_CREATE)
    properties.set_link_creation_order(_ORDERED)
    properties.set_attr_creation_order(_ORDERED)
    properties.set_obj_track_times(False)  # the same input gives the same bytes
    return h5py.Group(h5g.create(parent.id, name.encode(), gcpl=properties))


def _copy_attributes(source: h5py.h5g.ObjectID, target: h5py.h5g.ObjectID) -> None:
    """Copy attributes as stored, but for the references that bind dimensions."""
    tracked = source.get_create_plist().get_attr_creation_order() & h5p.CRT_ORDER_INDEXED
    index = h5.INDEX_CRT_ORDER if tracked else h5.INDEX_NAME
    order = h5.ITER_INC if tracked else h5.ITER_NATIVE
    for i in range(h5a.get_num_attrs(source)):
        attribute = h5a.open(source, index=i, index_type=index, order=order)
        if attribute.name in _REFERENCES:
            continue
        kind, space = attribute.get_type(), attribute.get_space()
        copy = h5a.create(target, attribute.name, kind, space)
        if space.get_simple_extent_type() == h5s.NULL:
            continue
        values = np.empty(attribute.shape, dtype=attribute.dtype)
        # Naming the stored type keeps HDF5 from converting, which cuts text that fills its length;
        # text of variable length lives in Python objects and needs h5py's own type.
        memory = None if _has_variable_length(kind) else kind
        attribute.read(values, mtype=memory)
        copy.write(values, mtype=memory)


def _has_variable_length(kind: h5t.TypeID) -> bool:
    """Say whether values of a type are pointers rather than bytes."""
    return kind.get_class() == h5t.VLEN or (
        isinstance(kind, h5t.TypeStringID) and kind.is_variable_str()
    )
