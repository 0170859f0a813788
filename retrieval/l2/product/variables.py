"""Add variables and attributes to an open netCDF-4 file, in the operational product's style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.hdf5_chunks import ChunkQueue
from retrieval.files.hdf5_copy import (
    DEFLATE_LEVEL,
    attach_dimensions,
    chunk_shape,
    write_blocks,
)
from retrieval.l2.names import TROPOSPHERIC_AMF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from retrieval.l2.names import SensorNames
    from retrieval.l2.product.table import NewVariable


class FileWriter:
    """Writes variables of the table into the groups of a sensor's open file.

    Used as a context: at its end all values are in the file, and `ancillary_variables` are set,
    when it is known which variables the file has.
    """

    def __init__(self, file: h5py.File, names: SensorNames) -> None:
        self.file, self.names = file, names
        self.product: h5py.Group = file[names.group]
        self._queue = ChunkQueue()
        self._links: list[tuple[h5py.Dataset, list[str]]] = []

    def __enter__(self) -> Self:
        self._queue.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self._queue.__exit__(kind, *rest)
        if kind is None:
            self._link_ancillary_variables()

    def fill(self, dataset: h5py.Dataset, values: NDArray[np.generic]) -> None:
        """Write the values of a whole variable, time axis included, fill in place of NaN."""
        whole = tuple(slice(0, size) for size in dataset.shape)
        self.fill_in_parts(dataset, [(whole, values)])

    def fill_in_parts(
        self,
        dataset: h5py.Dataset,
        parts: Iterable[tuple[tuple[slice, ...], NDArray[np.generic]]],
    ) -> None:
        """Write values that come in parts along the scanlines, fill in place of NaN."""
        fill = fill_value(dataset)
        filled = ((part, with_fill(values, fill)) for part, values in parts)
        write_blocks(dataset, filled, self._queue)

    def find(self, name: str) -> h5py.Dataset | None:
        """Return a variable by its name, of the column's group or any other, or None."""

        def of_name(path: str, item: object) -> h5py.Dataset | None:
            is_it = isinstance(item, h5py.Dataset) and path.split("/")[-1] == name
            return item if is_it else None

        for group in (self.product, self.file):
            found = group.visititems(of_name)
            if isinstance(found, h5py.Dataset):
                return found
        return None

    def write(
        self,
        variable: NewVariable,
        apriori: str,
        values: NDArray[np.generic],
        extra: Mapping[str, object] | None = None,
    ) -> h5py.Dataset:
        """Create a variable with its attributes and values.

        Parameters
        ----------
        variable : NewVariable
            The row of the table.
        apriori : str
            Name of the set in capitals.
        values : ndarray, shape (scanline, ground_pixel[, layer])
            In the unit of the table, NaN where fill.
        extra : mapping, optional
            Further attributes.

        Raises
        ------
        ProductError
            If the file has a variable of that name already.
        """
        names = self.names
        name = variable.name_for(apriori, names)
        is_amf = variable.replaces == TROPOSPHERIC_AMF
        group = self.file[names.amf_group] if is_amf else self.product
        if name in group:
            msg = (
                f"Invalid orbit. It must not hold {name} already. Given one that does. "
                "Give the set another name."
            )
            raise ProductError(msg)
        shape = (*[1] * names.n_leading, *values.shape)
        dataset = group.create_dataset(
            name,
            shape=shape,
            dtype=variable.dtype,
            chunks=chunk_shape(shape, np.dtype(variable.dtype).itemsize),
            compression="gzip",
            compression_opts=DEFLATE_LEVEL,
            shuffle=True,
            fletcher32=True,
            fillvalue=variable.fill_value,
            track_order=True,
        )
        for key, value in {**variable.attributes(apriori, names), **(extra or {})}.items():
            set_attribute(dataset, key, value)
        if variable.is_column:
            values = in_units_of(names, values)
        self.fill(dataset, values.reshape(shape))
        layers = (names.layer_dimension or None,) if variable.has_layers else ()
        attach_dimensions(dataset, (*names.pixel_dimensions, *layers))
        self.link(dataset, variable.ancillary_for(apriori, names))
        return dataset

    def link(self, dataset: h5py.Dataset, names: list[str]) -> None:
        """Note ancillary variables that will be linked at the end, where they exist."""
        self._links.append((dataset, names))

    def _link_ancillary_variables(self) -> None:
        """Set `ancillary_variables` to those noted variables that the group really has."""
        for dataset, names in self._links:
            present = read_text(dataset, "ancillary_variables").split()
            present += [name for name in names if name in self.product and name not in present]
            if present:
                set_attribute(dataset, "ancillary_variables", " ".join(present))


def in_units_of(names: SensorNames, values: NDArray[Any]) -> NDArray[Any]:
    """Bring columns [mol m-2] to the unit of the sensor, in their own precision."""
    if names.per_mol_m2 == 1.0:
        return values
    return np.asarray(values.astype(np.float64) * names.per_mol_m2, dtype=values.dtype)


def with_fill(values: NDArray[np.generic], fill: np.generic) -> NDArray[np.generic]:
    """Return values with `fill` in place of everything that is not finite."""
    if values.dtype.kind != "f":
        return values
    return np.where(np.isfinite(values), values, fill).astype(fill.dtype, copy=False)


def fill_value(dataset: h5py.Dataset) -> np.generic:
    """Return the fill value of a variable in its own type."""
    value = dataset.attrs.get("_FillValue", dataset.fillvalue)
    fill: np.generic = np.asarray(value, dtype=dataset.dtype).reshape(-1)[0]
    return fill


def set_attribute(item: h5py.Group | h5py.Dataset, name: str, value: object) -> None:
    """Set an attribute as netCDF stores it: text of fixed length, numbers as a short array."""
    stored: Any
    if isinstance(value, str):
        code = value.encode("utf-8")
        kind = h5py.string_dtype("ascii" if value.isascii() else "utf-8", max(1, len(code)))
        stored = np.array(code, dtype=kind) if code else h5py.Empty("S1")
    elif isinstance(value, bool):
        stored = np.array([value], dtype=np.int8)
    elif isinstance(value, int):
        small = abs(value) < 2**31
        stored = np.array([value], dtype=np.int32 if small else np.int64)
    else:
        stored = np.atleast_1d(np.asarray(value))
    item.attrs.create(name, stored)


def read_text(item: h5py.Group | h5py.Dataset, name: str) -> str:
    """Return an attribute as text, empty where it is absent or not text."""
    value = item.attrs.get(name, "")
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return value if isinstance(value, str) else ""
