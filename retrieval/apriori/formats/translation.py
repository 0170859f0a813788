"""Files of other conventions, shown to the readers as the CF files they could have been.

A kind of file is then what it adds or says otherwise, not a reader of its own: variables it implies
but does not hold (`Made`), and variables that lack an attribute (`Described`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.containers import NetcdfSource

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray


class _Attributes:
    """Attributes as netCDF4 gives them."""

    _own: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_own"][name]
        except KeyError:
            msg = f"no attribute {name!r}"
            raise AttributeError(msg) from None

    def ncattrs(self) -> list[str]:
        return list(self._own)

    def getncattr(self, name: str) -> Any:
        return self._own[name]


class Made(_Attributes):
    """A variable that a file implies.

    Parameters
    ----------
    dimensions : tuple of str
    values : ndarray, or callable from a tuple of slices and ints to an ndarray
        All values, or what reads a block of them; then `shape` is needed.
    attributes : str or float
        As CF has them.
    """

    def __init__(
        self,
        dimensions: tuple[str, ...],
        values: NDArray[Any] | Callable[[tuple[Any, ...]], NDArray[Any]],
        shape: tuple[int, ...] = (),
        **attributes: Any,
    ) -> None:
        self._own = attributes
        self._read = values.__getitem__ if isinstance(values, np.ndarray) else values
        self.dimensions = dimensions
        self.shape = values.shape if isinstance(values, np.ndarray) else shape
        self.ndim, self.size = len(self.shape), int(np.prod(self.shape))
        self.dtype = values.dtype if isinstance(values, np.ndarray) else np.dtype(np.float64)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        given = index if isinstance(index, tuple) else (index,)
        if Ellipsis in given:
            given = (slice(None),) * self.ndim
        return np.array(self._read(given + (slice(None),) * (self.ndim - len(given))))


class Described(_Attributes):
    """A variable of a file with further attributes; None takes one away."""

    def __init__(self, variable: Any, **attributes: Any) -> None:
        own = {name: variable.getncattr(name) for name in variable.ncattrs()} | attributes
        self._own = {name: value for name, value in own.items() if value is not None}
        self._variable = variable
        self.dimensions = variable.dimensions
        self.shape, self.ndim, self.size = variable.shape, variable.ndim, variable.size
        self.dtype = variable.dtype

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self._variable[index])


@dataclass(frozen=True)
class _Dimension:
    size: int

    def __len__(self) -> int:
        return self.size


class Translated(_Attributes):
    """A dataset with variables added, described or taken away (None)."""

    def __init__(self, dataset: netCDF4.Dataset, variables: Mapping[str, Any]) -> None:
        self._own = {name: dataset.getncattr(name) for name in dataset.ncattrs()}
        merged = {**dataset.variables, **variables}
        self.variables = {name: v for name, v in merged.items() if v is not None}
        self.dimensions: dict[str, Any] = dict(dataset.dimensions)
        for variable in variables.values():
            if variable is not None:
                for name, size in zip(variable.dimensions, variable.shape, strict=True):
                    self.dimensions.setdefault(name, _Dimension(int(size)))
        self.groups = dataset.groups


@dataclass
class TranslatedSource(NetcdfSource):
    """A file of another convention in the place of a CF file; translated anew where reopened."""

    original: NetcdfSource | None = None
    translate: Callable[[NetcdfSource], Mapping[str, Any]] | None = field(default=None, repr=False)
    _shown: tuple[Any, Translated] | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls, source: NetcdfSource, translate: Callable[[NetcdfSource], Mapping[str, Any]]
    ) -> TranslatedSource:
        """Show a file through a translation, which returns the variables that differ."""
        return cls(
            source.path, source.name, source.archive, source.member,
            original=source, translate=translate,
        )  # fmt: skip

    @property
    def was_opened(self) -> bool:
        """True once the file was looked into."""
        return self.original is not None and self.original.was_opened

    def dataset(self) -> netCDF4.Dataset:
        """Return what the readers read."""
        if self.original is None or self.translate is None:
            return super().dataset()
        stored = self.original.dataset()
        if self._shown is None or self._shown[0] is not stored:
            self._shown = stored, Translated(stored, self.translate(self.original))
        return self._shown[1]  # type: ignore[return-value]

    def close(self) -> None:
        """Close the file; `dataset` opens it again."""
        self._shown = None
        if self.original is not None:
            self.original.close()
