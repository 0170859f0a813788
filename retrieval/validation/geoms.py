"""MAX-DOAS and Pandora columns in GEOMS files (HDF5, netCDF; HDF4 by an extra).

Names follow the templates GEOMS-TE-UVVIS-DOAS-OFFAXIS-GAS and GEOMS-TE-PANDORA-*; units are brought
to SI by `VAR_UNITS`, or by `VAR_SI_CONVERSION` ("offset;factor;unit"). The layout is from the
templates and public readers; no real file was at hand when this was written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from retrieval.errors import RetrievalError
from retrieval.files.damage import content_errors
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.validation.ground_columns import GroundColumns

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.typing import Float
    from retrieval.validation.ground_columns import Quantity

SKY = r"NO2\.COLUMN\.TROPOSPHERIC[_.]SCATTER\.SOLAR\.OFFAXIS"
SUN = r"NO2\.COLUMN[_.]ABSORPTION\.SOLAR"
LAYERS = r"NO2\.COLUMN\.PARTIAL[_.]SCATTER\.SOLAR\.OFFAXIS"
RANDOM = r"[_.]UNCERTAINTY\.(COMBINED|RANDOM)\.STANDARD"
DEFAULT_FILL = -90000.0

MJD2K = np.datetime64("2000-01-01T00:00:00", "ms")
"""GEOMS times are days since then [UTC]."""

_DAY = 86_400_000.0
_UNITS = {
    "molec m-2": 1.0 / (1e4 * MOLEC_CM2_PER_MOL_M2),
    "molec cm-2": 1.0 / MOLEC_CM2_PER_MOL_M2,
    "pmolec cm-2": 1e15 / MOLEC_CM2_PER_MOL_M2,
    "mol m-2": 1.0,
    "m": 1.0,
    "km": 1000.0,
    "deg": 1.0,
    "mjd2k": 1.0,
    "s": 1.0,
    "": 1.0,
    "1": 1.0,
}


@dataclass(frozen=True)
class _Content:
    """The variables of a file by name, as `(values, attributes)`, and its global attributes."""

    read: Callable[[str], tuple[Any, dict[str, Any]]]
    names: list[str]
    attributes: dict[str, Any]


def is_geoms(path: Path) -> bool:
    """Tell whether a file names a GEOMS template of NO2 columns."""
    if not _is_hdf5(path):
        return path.suffix == ".hdf" and _starts_with(path, b"\x0e\x03\x13\x01")
    try:
        with h5py.File(path, "r") as file:
            return "GEOMS" in _word(file.attrs.get("DATA_TEMPLATE", ""))
    except OSError:
        return False


def read_geoms(path: Path) -> GroundColumns:
    """Read the columns of one file: of the sky, with layers and kernels, or of the direct sun.

    Raises
    ------
    RetrievalError
        If it is damaged, holds no NO2 column, or is HDF4 and `pyhdf` is not installed.
    """
    with content_errors(
        path,
        RetrievalError,
        what="GEOMS file",
        rule="follow a GEOMS template of NO2 columns",
        advice="Download it again",
    ):
        if _is_hdf5(path):
            refuse_unsafe(path, RetrievalError)
            with h5py.File(path, "r") as file:
                return _columns(path, _of_hdf5(file)).in_order()
        return _columns(path, _of_hdf4(path)).in_order()


def _columns(path: Path, content: _Content) -> GroundColumns:
    quantity: Quantity = "tropospheric"
    name = _find(content, SKY)
    if name is None:
        quantity, name = "total", _find(content, SUN)
    if name is None:
        msg = (
            f"Invalid GEOMS file {path.name}. It must hold an NO2 column. Given the template "
            f"{_word(content.attributes.get('DATA_TEMPLATE', 'none'))}. Choose another file."
        )
        raise RetrievalError(msg)
    days = np.atleast_1d(_values(content, "DATETIME"))
    n = days.size
    column = _series(_values(content, name), n)
    random = _find(content, re.escape(name) + RANDOM)
    uncertainty = np.full(n, np.nan) if random is None else _series(_values(content, random), n)
    flag = next((x for x in content.names if x.endswith(("_FLAG", "MEASUREMENT.QUALITY"))), None)
    flags = np.zeros(n) if flag is None else np.nan_to_num(_values(content, flag))
    about = content.attributes
    edges, partial = _profile(content, n)
    same = None if partial is None else partial.shape
    return GroundColumns(
        station=_word(about.get("DATA_LOCATION", path.stem)),
        network="GEOMS",
        instrument=_word(about.get("DATA_SOURCE", "")),
        latitude=_place(content, "LATITUDE.INSTRUMENT"),
        longitude=_place(content, "LONGITUDE.INSTRUMENT"),
        altitude=_place(content, "ALTITUDE.INSTRUMENT"),
        quantity=quantity,
        time=MJD2K + np.round(days * _DAY).astype("timedelta64[ms]"),
        column=column,
        uncertainty=uncertainty,
        flag=flags.astype(np.int64),
        stratosphere=np.full(n, np.nan),
        layer_edges=edges,
        partial_column=partial,
        apriori=_of_layers(content, f"{LAYERS}_APRIORI", same),
        kernel=_of_layers(content, f"{re.escape(name)}_AVK", same),
        profile_kernel=_of_profile(content, f"{LAYERS}_AVK", same),
        remarks=tuple(
            text for key in ("FILE_DOI", "DATA_QUALITY") if (text := _word(about.get(key, "")))
        ),
    )


def _profile(content: _Content, n: int) -> tuple[Float | None, Float | None]:
    """Return interfaces [m above ground] and partial columns, layers from the ground up."""
    name = _find(content, LAYERS + "$")
    if name is None or "ALTITUDE.BOUNDARIES" not in content.names:
        return None, None
    partial = _values(content, name)
    partial = partial if partial.shape[0] == n else partial.T
    bounds = _values(content, "ALTITUDE.BOUNDARIES")
    pair = next(i for i, size in enumerate(bounds.shape) if size == 2)
    bounds = np.moveaxis(bounds, pair, -1)
    bounds = np.broadcast_to(bounds, (n, *bounds.shape[-2:]))
    ground = _place(content, "ALTITUDE.INSTRUMENT")
    low, high = bounds.min(axis=-1), bounds.max(axis=-1)
    order = np.argsort(low[0])
    edges = np.concatenate([low[:, order][:, :1], high[:, order]], axis=1) - ground
    return edges, partial[:, order]


def _of_layers(content: _Content, pattern: str, shape: tuple[int, ...] | None) -> Float | None:
    name = _find(content, pattern)
    if name is None or shape is None:
        return None
    values = _values(content, name)
    if values.shape == shape[::-1] and shape[0] != shape[1]:
        values = values.T
    values = np.broadcast_to(values, shape)
    return np.asarray(values[:, _upwards(content)])


def _of_profile(content: _Content, pattern: str, shape: tuple[int, ...] | None) -> Float | None:
    """Return kernels of profiles, (time, retrieved layer, true layer), from the ground up."""
    name = _find(content, pattern)
    if name is None or shape is None:
        return None
    values, order = _values(content, name), _upwards(content)
    if values.shape != (*shape, shape[1]):
        return None
    return np.asarray(values[:, order][:, :, order])


def _upwards(content: _Content) -> NDArray[np.intp]:
    """Return the order of layers from the ground up."""
    low = _values(content, "ALTITUDE.BOUNDARIES")
    pair = next(i for i, size in enumerate(low.shape) if size == 2)
    low = np.moveaxis(low, pair, -1).min(axis=-1)
    return np.argsort(low if low.ndim == 1 else low[0])


def _find(content: _Content, pattern: str) -> str | None:
    return next((n for n in content.names if re.fullmatch(pattern, n)), None)


def _values(content: _Content, name: str) -> Float:
    """Return values in SI units (columns: mol m-2), NaN where missing, idle dimensions gone."""
    raw, attributes = content.read(name)
    values = np.squeeze(np.asarray(raw, dtype=np.float64))
    fill = float(_first(attributes.get("VAR_FILL_VALUE", DEFAULT_FILL)))
    offset, factor, unit = _conversion(attributes)
    values = np.where(values == fill, np.nan, offset + factor * values)
    if unit not in _UNITS:
        msg = f"{name} has the unit {unit!r}"
        raise ValueError(msg)
    return np.asarray(values * _UNITS[unit])


def _conversion(attributes: dict[str, Any]) -> tuple[float, float, str]:
    """Return offset, factor and unit: of `VAR_SI_CONVERSION`, else those of `VAR_UNITS`."""
    parts = [p.strip() for p in _word(attributes.get("VAR_SI_CONVERSION", "")).split(";")]
    plain = _word(attributes.get("VAR_UNITS", "")).strip().lower()
    if len(parts) == 3 and plain not in _UNITS:
        return float(parts[0]), float(parts[1]), parts[2].lower()
    return 0.0, 1.0, plain


def _series(values: Float, n: int) -> Float:
    values = np.atleast_1d(values)
    if values.shape != (n,):
        msg = f"a column has the shape {values.shape}, times {n}"
        raise ValueError(msg)
    return values


def _place(content: _Content, name: str) -> float:
    return float(np.atleast_1d(_values(content, name))[0])


def _first(value: Any) -> Any:
    return np.atleast_1d(value)[0]


def _word(value: Any) -> str:
    value = _first(value) if isinstance(value, np.ndarray | list) else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _is_hdf5(path: Path) -> bool:
    return _starts_with(path, b"\x89HDF")


def _starts_with(path: Path, begin: bytes) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(begin)) == begin
    except OSError:
        return False


def _of_hdf5(file: h5py.File) -> _Content:
    def read(name: str) -> tuple[Any, dict[str, Any]]:
        return file[name][()], dict(file[name].attrs)

    names = [n for n, item in file.items() if isinstance(item, h5py.Dataset)]
    return _Content(read, names, dict(file.attrs))


def _of_hdf4(path: Path) -> _Content:
    try:
        from pyhdf.SD import SD
    except ImportError as error:
        msg = (
            f"Invalid GEOMS file {path.name}. HDF4 needs pyhdf. Given none. Install it: "
            "pip install 'dacno2-s5p[hdf4]', or convert the file to netCDF."
        )
        raise RetrievalError(msg) from error
    file = SD(str(path))

    def read(name: str) -> tuple[Any, dict[str, Any]]:
        variable = file.select(name)
        return variable.get(), variable.attributes()

    return _Content(read, list(file.datasets()), file.attributes())
