"""TM5-MP as the operational processor uses it: a priori, temperature and tropopause of a day.

Fields are collocated as the processor does: bilinear in space between 1-degree cells, nearest
half hour, layers at the pixel's own surface pressure (docs/formats.md 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from retrieval.apriori import ctmana
from retrieval.apriori.base import AprioriSet
from retrieval.apriori.formats.containers import list_sources
from retrieval.apriori.formats.field import find_field
from retrieval.apriori.joining import join_times
from retrieval.apriori.meteorology import open_meteo
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.levels import HybridLayers, Quantity
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

TROPOPAUSE = "tropopause_layer_index"


def _nothing(i_time: int, rows: slice, columns: slice) -> NDArray[np.floating]:  # noqa: ARG001
    return np.empty((0, 0, 0))


def _do_nothing() -> None:
    pass


@dataclass
class ModelField(AprioriSet):
    """A field that is no NO2 (temperature, tropopause index), for the same collocation."""

    reader: Callable[[int, slice, slice], NDArray[np.floating]] = _nothing
    closer: Callable[[], None] = _do_nothing

    def read(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return one field, shape (n_level, n_y, n_x)."""
        return self.reader(i_time, rows, columns)

    def close(self) -> None:
        """Release files."""
        self.closer()


@dataclass
class OperationalModel:
    """The model behind the operational retrieval.

    Attributes
    ----------
    no2 : AprioriSet
        Mole fractions on hybrid layers.
    temperature : AprioriSet
        Values [K] on the same grid, layers and times.
    tropopause : AprioriSet
        Index of the last tropospheric layer, one level.
    """

    no2: AprioriSet
    temperature: AprioriSet
    tropopause: AprioriSet

    def __post_init__(self) -> None:
        if not isinstance(self.no2.vertical, HybridLayers):
            msg = (
                f"Invalid operational model. NO2 must be on hybrid layers. Given {self.no2.kind}. "
                "Use an AUX_CTMANA file."
            )
            raise AprioriError(msg)

    @property
    def layers(self) -> HybridLayers:
        """Hybrid interfaces of the layers, surface first."""
        return cast("HybridLayers", self.no2.vertical)  # checked at construction

    def close(self) -> None:
        """Release files."""
        for part in (self.no2, self.temperature, self.tropopause):
            part.close()

    @property
    def file_names(self) -> tuple[str, ...]:
        """Names of the files, for the lineage of the product."""
        return tuple(p.name for p in self.no2.files)


def open_operational(path: str | Path, around: np.datetime64) -> OperationalModel:
    """Open an AUX_CTMANA or AUX_CTMFCT file, or a folder of them, as the operational model.

    Parameters
    ----------
    path : path
        File or folder.
    around : datetime64
        Time of the orbit.

    Raises
    ------
    AprioriError
        If NO2, temperature or the tropopause index are missing or do not fit together.
    """
    no2 = open_apriori(Path(path), around)
    meteo = open_meteo(path, around=around)
    tropopause = _open_tropopause(path, around)
    if not (np.array_equal(no2.times, meteo.times) and np.array_equal(no2.times, tropopause.times)):
        msg = (
            f"Invalid operational model {path}. NO2, temperature and tropopause must share their "
            f"times. Given {no2.times.size}, {meteo.times.size} and {tropopause.times.size} "
            "fields. Give complete AUX_CTMANA files."
        )
        raise AprioriError(msg)
    temperature = ModelField(
        kind="TM5-MP temperature",
        grid=meteo.grid,
        vertical=meteo.vertical,
        quantity=Quantity.MOLE_FRACTION,
        times=meteo.times,
        time_rule=TimeRule.NEAREST,
        files=meteo.files,
        reader=meteo.read_temperature,
        closer=meteo.close,
    )
    return OperationalModel(no2, temperature, tropopause)


def _open_tropopause(path: str | Path, around: np.datetime64) -> ModelField:
    """Open the tropopause index of all files on one time axis."""
    sources = [s for s in list_sources(path, around) if ctmana.is_ctmana(s.dataset())]
    missing = [s.name for s in sources if TROPOPAUSE not in s.dataset().variables]
    if missing or not sources:
        msg = (
            f"Invalid operational model {path}. Its files must hold {TROPOPAUSE}. Given "
            f"{missing[0] if missing else 'no AUX_CTMANA file'} without. Choose other files."
        )
        raise AprioriError(msg)
    fields = [find_field(s, TROPOPAUSE, wanted="tropopause") for s in sources]

    def whole(place: tuple[int, int]) -> NDArray[np.floating]:
        return fields[place[0]].read(place[1], slice(None), slice(None))

    times, places = join_times(
        "CTMANA tropopause",
        [f.times for f in fields],
        [f.where for f in fields],
        rank=lambda i, _: ctmana.rank(fields[i].source),
        same=lambda one, other: np.array_equal(whole(one), whole(other), equal_nan=True),
    )

    def read(i_time: int, rows: slice, columns: slice) -> NDArray[np.floating]:
        i_field, index = places[i_time]
        return fields[i_field].read(index, rows, columns)

    def close() -> None:
        for source in sources:
            source.close()

    return ModelField(
        kind="TM5-MP tropopause",
        grid=fields[0].grid,
        vertical=HybridLayers(np.zeros(2), np.array([1.0, 0.0])),
        quantity=Quantity.MOLE_FRACTION,
        times=times,
        time_rule=TimeRule.NEAREST,
        files=[s.path for s in sources],
        reader=read,
        closer=close,
    )
