"""Axes of L2 files: layers brought to surface-first order, times of scanlines.

Times come in two styles of `delta_time`: plain milliseconds after `time`, and milliseconds (or
seconds) since a date (docs/formats.md 1.4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.pixels import Tropopause
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2, STANDARD_PRESSURE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.typing import Float

L2_ADVICE = "Give a file in the layout of the operational product."
"""The advice to whoever gives another kind of L2 file."""

TIME_UNITS = "seconds since 2010-01-01 00:00:00"
"""Of TROPOMI's `time`, where a file does not say."""

_STEPS = {"milliseconds": 1.0, "ms": 1.0, "seconds": 1e3, "s": 1e3, "days": 86.4e6}
"""Milliseconds of a unit of time."""


def date_after_since(units: str, where: str) -> np.datetime64:
    """Return the date of a unit of time as datetime64[ms].

    Raises
    ------
    ProductError
        If there is none.

    Examples
    --------
    >>> str(date_after_since("milliseconds since 2023-06-01 00:00:00 UTC", "orbit.nc"))
    '2023-06-01T00:00:00.000'
    """
    text = units.split("since", 1)[-1].strip().replace(" UTC", "").rstrip("Z")
    try:
        return np.datetime64(text.replace(" ", "T"), "ms")
    except ValueError as error:
        msg = f"{where}: cannot read a date from the time unit {units!r}. {L2_ADVICE}"
        raise ProductError(msg) from error


def add_delta_time(
    origin: np.datetime64, delta: NDArray[Any], fill: Any, units: str, where: str
) -> NDArray[np.datetime64]:
    """Add `delta_time` to its origin.

    Parameters
    ----------
    origin : datetime64
        The date in the units, or that of `time`.
    delta : ndarray, shape (n_scanline,) or (n_scanline, n_ground_pixel)
        As stored; some files keep the ground pixel dimension.
    fill : number
        Marks missing values.
    units : str
        Of `delta`; what follows its first word is passed over.
    where : str
        Name of the file, for messages.

    Returns
    -------
    ndarray of datetime64[ms], shape (n_scanline,)
        UTC, NaT where missing.

    Raises
    ------
    ProductError
        If the unit is unknown.
    """
    step = _STEPS.get(units.partition(" ")[0].lower())
    if step is None:
        msg = f"{where}: unknown unit of delta_time {units!r}. {L2_ADVICE}"
        raise ProductError(msg)
    is_valid = (delta != fill) & np.isfinite(delta)
    if delta.ndim == 2:
        delta, is_valid = delta[:, 0], is_valid[:, 0]
    milliseconds = np.round(np.where(is_valid, delta, 0).astype(np.float64) * step)
    times = origin.astype("datetime64[ms]") + milliseconds.astype("timedelta64[ms]")
    return np.where(is_valid, times, np.datetime64("NaT", "ms"))


def scanline_times(orbit: Orbit, crop: Crop, epoch: str) -> NDArray[np.datetime64]:
    """Return `time` and `delta_time` as one time a scanline, datetime64[ms] UTC, NaT where missing.

    Parameters
    ----------
    orbit, crop
        The open file and the part in use.
    epoch : str
        Unit of `time`, where the file does not say.

    Raises
    ------
    ProductError
        If a unit is unknown, or there is not one value a scanline.
    """
    with orbit.reading("delta_time and time"):
        times = _scanline_times(orbit, crop, epoch)
    if times.shape != crop.shape[:1]:
        msg = (
            f"{orbit.path.name}: delta_time must have one value a scanline, {crop.shape[0]}. "
            f"Given {times.shape}. {orbit.advice}"
        )
        raise ProductError(msg)
    return times


def _scanline_times(orbit: Orbit, crop: Crop, epoch: str) -> NDArray[np.datetime64]:
    variable, where = orbit.variables["delta_time"], orbit.path.name
    scanline = orbit.names.pixel_dimensions[-2].split("/")[-1]
    known = scanline in variable.dimensions
    lead = variable.dimensions.index(scanline) if known else orbit.names.n_leading
    delta = orbit.raw("delta_time", (*[slice(0, 1)] * lead, crop.scanline))[(0,) * lead]
    kind = f"{delta.dtype.kind}{delta.dtype.itemsize}"
    fill = getattr(variable, "_FillValue", netCDF4.default_fillvals[kind])
    units = str(getattr(variable, "units", "milliseconds"))
    if "since" in units:
        origin = date_after_since(units, where)
    else:
        start = np.ravel(orbit.raw("time"))[:1]
        text = str(getattr(orbit.variables["time"], "units", epoch))
        origin = add_delta_time(date_after_since(text, where), start, np.nan, text, where)[0]
    return add_delta_time(origin, delta, fill, units, where)


def tropopause_at_layer(orbit: Orbit, crop: Crop, name: str) -> Tropopause:
    """Tropopause layer index counted from the surface, and where it is valid.

    Fills and indices outside 1 .. layer - 1 are invalid; they are masked before anything uses them
    as an index (docs/formats.md 1.6).
    """
    index, is_valid = orbit.read_integer(name, crop)
    index = index.astype(np.intp)
    if orbit.is_reversed:
        index = orbit.n_layer - 1 - index
    is_valid &= (index >= 1) & (index < orbit.n_layer)
    return Tropopause(is_valid, index=np.where(is_valid, index, 0))


_PER_AREA = re.compile(
    r"(?:(?:1\.?0*e\+?|10\^)(?P<power>\d+)\s*)?"
    r"(?:(?P<molecules>molec(?:ules|s|\.)?\s*/?\s*cm\^?-?2)|mol\s*/?\s*m\^?-?2)",
    re.IGNORECASE,
)


def column_scale(units: str) -> float | None:
    """Return what a column in mol m-2 is multiplied with to be in these units; None if unknown.

    Examples
    --------
    >>> column_scale("molecules cm-2")
    6.02214076e+19
    >>> round(column_scale("1e15 molecules/cm^2"), 2)
    60221.41
    >>> column_scale("mol m-2"), column_scale("DU")
    (1.0, None)
    """
    found = _PER_AREA.fullmatch(units.strip())
    if found is None:
        return None
    unit = MOLEC_CM2_PER_MOL_M2 if found["molecules"] else 1.0
    return unit / 10.0 ** int(found["power"] or 0)


LEAPS = np.array(
    [
        *("1972-07-01", "1973-01-01", "1974-01-01", "1975-01-01", "1976-01-01", "1977-01-01"),
        *("1978-01-01", "1979-01-01", "1980-01-01", "1981-07-01", "1982-07-01", "1983-07-01"),
        *("1985-07-01", "1988-01-01", "1990-01-01", "1991-01-01", "1992-07-01", "1993-07-01"),
        *("1994-07-01", "1996-01-01", "1997-07-01", "1999-01-01", "2006-01-01", "2009-01-01"),
        *("2012-07-01", "2015-07-01", "2017-01-01"),
    ],
    dtype="datetime64[ms]",
)
"""Days (0 h UTC) that a leap second stood before (IERS Bulletin C); none since 2017."""


def leap_seconds(epoch: np.datetime64, times: NDArray[np.datetime64]) -> NDArray[np.timedelta64]:
    """Return the leap seconds inserted between an epoch and times, to be taken off.

    Files of GPS or TAI seconds count every second since their epoch; UTC repeated some. Times are
    given as the plain sum of epoch and seconds, ahead of UTC by what is returned.

    Examples
    --------
    >>> gps = np.datetime64("1980-01-06T00:00:00", "ms")
    >>> leap_seconds(gps, np.array(["2024-06-01"], dtype="datetime64[ms]")).tolist()[0].seconds
    18
    """
    before = int(np.searchsorted(LEAPS, epoch.astype("datetime64[ms]"), side="right"))
    after = np.arange(1, LEAPS.size - before + 1)
    # ahead of UTC: the n-th leap since the epoch shows n seconds later in the plain sum
    shown = LEAPS[before:] + after.astype("timedelta64[s]")
    count = np.searchsorted(shown, times, side="right")
    return np.asarray(count).astype("timedelta64[s]").astype("timedelta64[ms]")


def count_times(
    count: Float, units: str, where: str, *, leap: bool = False
) -> NDArray[np.datetime64]:
    """Return times that are counted from the date in a unit, datetime64[ms] UTC.

    Parameters
    ----------
    count : ndarray
        NaN where missing.
    units : str
        `seconds since 1993-01-01`, days or milliseconds alike.
    where : str
        Name of the file, for messages.
    leap : bool
        Whether leap seconds are counted (TAI, GPS): those since the date are taken off.

    Raises
    ------
    ProductError
        If the unit is unknown.

    Examples
    --------
    >>> tai = np.array([757382410.0, np.nan])  # 0 h of 2017, ten leap seconds after 1993
    >>> count_times(tai, "seconds since 1993-01-01", "a.he5", leap=True).astype("M8[s]").tolist()
    [datetime.datetime(2017, 1, 1, 0, 0), None]
    """
    epoch = date_after_since(units, where)
    times = add_delta_time(epoch, count, np.nan, units, where)
    if not leap:
        return times
    is_valid = ~np.isnat(times)
    plain = np.where(is_valid, times, epoch)
    return np.where(is_valid, times - leap_seconds(epoch, plain), times)


@dataclass(frozen=True)
class LayerOrder:
    """How the file's layers map to surface-first ones."""

    a: Float
    """Hybrid coefficient at base and top of each layer [Pa], shape (layer, 2), surface first."""
    b: Float
    """Hybrid coefficient at base and top of each layer [1], shape (layer, 2), surface first."""
    is_reversed: bool
    """True where the file counts layers from the top."""

    @property
    def n_layer(self) -> int:
        """Number of layers."""
        return int(self.a.shape[0])


def layer_order(
    tm5_constant_a: NDArray[Any],
    tm5_constant_b: NDArray[Any],
    where: str,
    names: str = "tm5_constant_a/b",
) -> LayerOrder:
    """Find the order of a file's layers from the pressures its coefficients give.

    Parameters
    ----------
    tm5_constant_a, tm5_constant_b : ndarray
        As stored: (layer, 2), (2, layer) or (layer + 1,), [Pa] and [1].
    where, names : str
        The file and the variables, for messages.

    Raises
    ------
    ProductError
        If the pressures are not contiguous or do not fall from the surface to the top.

    References
    ----------
    PUM, `tm5_constant_a`; docs/formats.md 1.4, 1.5: order is asserted from the data, never assumed.
    """
    a = _base_and_top(tm5_constant_a, where, names)
    b = _base_and_top(tm5_constant_b, where, names)
    base, top = (a + b * STANDARD_PRESSURE).T
    is_reversed = bool(base[0] < base[-1])
    if is_reversed:
        a, b = a[::-1], b[::-1]
        base, top = base[::-1], top[::-1]
    if base[0] < top[0]:
        a, b = a[:, ::-1], b[:, ::-1]
        base, top = top, base
    is_closed = np.allclose(base[1:], top[:-1], rtol=1e-6, atol=1e-3)
    if not (np.isfinite(base).all() and (base > top).all() and is_closed):
        msg = (
            f"{where}: invalid {names}. Pressures at the layer interfaces "
            "must be contiguous and fall from the surface to the top. "
            f"Given {base[0]:.6g} .. {top[-1]:.6g} Pa out of order. {L2_ADVICE}"
        )
        raise ProductError(msg)
    return LayerOrder(np.ascontiguousarray(a), np.ascontiguousarray(b), is_reversed)


def _base_and_top(values: NDArray[Any], where: str, names: str) -> Float:
    """Hybrid coefficients as (layer, 2), from (layer, 2), (2, layer) or (layer + 1,)."""
    values = np.asarray(values, dtype=np.float64)
    if values.ndim == 1 and values.size > 2:
        return np.stack([values[:-1], values[1:]], axis=1)
    if values.ndim == 2 and values.shape[1] == 2:
        return values
    if values.ndim == 2 and values.shape[0] == 2:
        return values.T
    msg = f"{where}: {names} have shape {values.shape}, expected (layer, 2). {L2_ADVICE}"
    raise ProductError(msg)
