"""A set held as an `xarray.Dataset`: shown to the readers as the file it could be written to.

Times are given back as CF numbers and everything else as it is, so that the readers of files find
axes, levels and unit by the same rules. Values stay where they are, in memory, in files that
xarray has open, or in a dask graph; of these only the blocks that are read are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.containers import NetcdfSource
from retrieval.apriori.sidecar import Sidecar
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    import netCDF4
    import xarray as xr
    from numpy.typing import NDArray

NAME = "xarray.Dataset"
MILLISECONDS = "milliseconds since 1970-01-01 00:00:00"
_KEPT = ("coordinates", "grid_mapping", "bounds", "formula_terms")
"""Attributes that xarray moves to the encoding of a variable when it decodes a file."""
SIDECAR = Sidecar()


class _Variable:
    """One variable with the manners of `netCDF4.Variable` that readers use."""

    def __init__(self, name: str, variable: xr.Variable) -> None:
        self.name, self._variable = name, variable
        self._attributes = {k: variable.encoding[k] for k in _KEPT if k in variable.encoding}
        self._attributes |= {str(key): value for key, value in variable.attrs.items()}
        kind = variable.dtype.kind
        self._is_date, self._is_span = kind == "M", kind == "m"
        if self._is_date:
            self._attributes |= {"units": MILLISECONDS, "calendar": "proleptic_gregorian"}
        if self._is_span:
            self._attributes["units"] = "milliseconds"
        self.dimensions = tuple(str(name) for name in variable.dims)
        self.shape, self.ndim, self.size = variable.shape, variable.ndim, variable.size
        self.dtype = np.dtype(np.int64) if self._is_date or self._is_span else variable.dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        values = np.array(self._variable[index].values)
        if self._is_date or self._is_span:
            if np.isnat(values).any():
                msg = (
                    f"Invalid times {self.name} of the Dataset. Every time must be there. "
                    "Given NaT. Drop what has no time."
                )
                raise AprioriError(msg)
            kind = "datetime64[ms]" if self._is_date else "timedelta64[ms]"
            return values.astype(kind).astype(np.int64)
        return values

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_attributes"][name]
        except KeyError:
            msg = f"variable has no attribute {name!r}"
            raise AttributeError(msg) from None

    def ncattrs(self) -> list[str]:
        return list(self._attributes)

    def getncattr(self, name: str) -> Any:
        return self._attributes[name]


@dataclass(frozen=True)
class _Dimension:
    size: int

    def __len__(self) -> int:
        return self.size


class _File:
    """A Dataset with the manners of `netCDF4.Dataset` that readers use."""

    def __init__(self, dataset: xr.Dataset) -> None:
        self._attributes = {str(key): value for key, value in dataset.attrs.items()}
        self.dimensions = {str(n): _Dimension(int(size)) for n, size in dataset.sizes.items()}
        self.variables = {str(n): _Variable(str(n), v) for n, v in dataset.variables.items()}
        self.groups: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_attributes"][name]
        except KeyError:
            msg = f"dataset has no attribute {name!r}"
            raise AttributeError(msg) from None

    def ncattrs(self) -> list[str]:
        return list(self._attributes)

    def getncattr(self, name: str) -> Any:
        return self._attributes[name]


@dataclass
class MemorySource(NetcdfSource):
    """A Dataset in the place of a file; it stays open, as its owner wants it."""

    given: Any = field(default=None, repr=False)

    @classmethod
    def of(cls, dataset: xr.Dataset) -> MemorySource:
        """Take a Dataset; its content alone says what it is, not the files it was opened from."""
        return cls(Path(NAME), NAME, given=_File(dataset), _was_opened=True)

    def dataset(self) -> netCDF4.Dataset:
        """Return what the readers read."""
        return self.given  # type: ignore[no-any-return]

    def close(self) -> None:
        """Leave the Dataset to its owner."""
