"""Random valid worlds as files: an orbit of any version and a set in any layout CF allows.

Everything a writer may choose is drawn: sizes, versions, optional variables, how times are counted,
the order and direction of axes, longitudes from 0 or around Greenwich, units, number types.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import hypothesis.strategies as st
import netCDF4
import numpy as np

from retrieval.simulate.l2_file.layout import VARIANTS
from tests.builders.array_sets import HEIGHTS, contrast_field
from tests.builders.orbit_builder import build_orbit

DAY = "2019-06-26"
MOLAR_MASS = 46.0055
"""NO2 [g mol-1] (docs/equations.md 3.3)."""
UNITS = {
    "ug m-3": 1e6 * MOLAR_MASS,
    "µg/m3": 1e6 * MOLAR_MASS,
    "kg m-3": 1e-3 * MOLAR_MASS,
    "mg m-3": 1e3 * MOLAR_MASS,
    "mol m-3": 1.0,
}
"""Spelling to the number of it in 1 mol m-3."""
OPTIONAL = (
    "surface_altitude",
    "air_mass_factor_stratosphere",
    "nitrogendioxide_stratospheric_column",
    "nitrogendioxide_tropospheric_column_precision_kernel",
)
"""Variables that an orbit may lack."""


@dataclass(frozen=True)
class World:
    """What was drawn; `write` makes the files of it."""

    variant: str
    shape: tuple[int, int]
    seed: int
    centre: tuple[float, float]
    lacking: frozenset[str]
    orbit_time: str
    spacing: float
    names: tuple[str, str, str, str]
    order: tuple[int, int, int, int]
    reversed_axes: frozenset[str]
    from_zero: bool
    unit: str
    number: str
    set_time: tuple[str, str]
    level_unit: str

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write orbit and set."""
        west, south = self.centre
        orbit = build_orbit(
            folder / "orbit.nc",
            n_scanline=self.shape[0],
            n_ground_pixel=self.shape[1],
            variant=self.variant,
            seed=self.seed,
            area=(west, south, west, south),
            date=DAY,
            dead_rows=(),
            noise=0.0,
        )
        self._edit_orbit(orbit.path)
        self._write_set(folder / "set.nc")
        return orbit.path, folder / "set.nc"

    def _edit_orbit(self, path: Path) -> None:
        """Take optional variables away and count time in another way."""
        with h5py.File(path, "r+") as file:
            found: dict[str, str] = {}
            file.visit(lambda name: found.setdefault(name.split("/")[-1], name) and None)
            for name in self.lacking & found.keys():
                del file[found[name]]
            count_time(file, self.orbit_time)

    @property
    def axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitudes around Greenwich and latitudes of the set's cells, ascending."""
        steps = self.spacing * (np.arange(round(1.6 / self.spacing)) - 0.8 / self.spacing + 0.5)
        return self.centre[0] + steps, self.centre[1] + steps

    def _write_set(self, path: Path) -> None:
        from retrieval.physics.geometry.grids import RectilinearGrid

        x, y = self.axes
        field = contrast_field(RectilinearGrid.from_centres(x, y), self.seed) * UNITS[self.unit]
        x = x % 360.0 if self.from_zero else x
        hours = np.array([f"{DAY}T{hour}:00" for hour in (11, 12, 13)], "M8[m]")
        step = {"seconds": "s", "minutes": "m", "hours": "h", "days": "D"}[self.set_time[0]]
        count = (hours - np.datetime64("2000-01-01")) / np.timedelta64(1, step)
        height = HEIGHTS / {"m": 1.0, "km": 1000.0}[self.level_unit]
        coordinates = {
            "time": (count.astype(self.set_time[1]), f"{self.set_time[0]} since 2000-01-01"),
            "level": (height, self.level_unit),
            "y": (y, "degrees_north"),
            "x": (x, "degrees_east"),
        }
        values = np.stack([0.8 * field, field, 1.2 * field])
        for axis, role in enumerate(coordinates):
            if role in self.reversed_axes:
                coordinate, unit = coordinates[role]
                coordinates[role] = (coordinate[::-1], unit)
                values = np.flip(values, axis)
        dims = dict(zip(coordinates, self.names, strict=True))
        with netCDF4.Dataset(path, "w") as file:
            for role, (coordinate, unit) in coordinates.items():
                file.createDimension(dims[role], coordinate.size)
                variable = file.createVariable(dims[role], coordinate.dtype, (dims[role],))
                variable.units = unit
                variable[:] = coordinate
            file[dims["level"]].setncatts({"standard_name": "height", "positive": "up"})
            names = [self.names[i] for i in self.order]
            no2 = file.createVariable("no2", self.number, names, zlib=True, fletcher32=True)
            no2.setncatts({"units": self.unit, "long_name": "nitrogen dioxide"})
            no2[...] = np.transpose(values, self.order)

    def field(self, path: Path) -> np.ndarray:
        """Mean of the stored concentrations, as (level, y, x), ascending, in mol m-3."""
        with netCDF4.Dataset(path) as file:
            stored = np.asarray(file["no2"][...], dtype=np.float64)
        values = np.transpose(stored, np.argsort(self.order))
        for axis, role in enumerate(("time", "level", "y", "x")):
            if role in self.reversed_axes:
                values = np.flip(values, axis)
        return values.mean(axis=0) / UNITS[self.unit]


def count_time(file: h5py.File, way: str) -> None:
    """Count the time of scanlines in another way that files of S5P have, or might have.

    `plain` leaves it; the others are "number type, unit" with or without a date.
    """
    if way == "plain":
        return
    kind, unit = way.split(", ")
    product = file["PRODUCT"]
    old = product["delta_time"]
    start = np.datetime64("2010-01-01", "ms") + 1000 * np.asarray(product["time"])[0].astype(int)
    text = old.attrs["units"]
    text = text.decode() if isinstance(text, bytes) else str(text)
    if "since" in text:
        start = np.datetime64(text.split("since ")[1].replace(" ", "T").rstrip("Z"), "ms")
    times = start + np.asarray(old[()]).astype("timedelta64[ms]")
    per_unit = 1.0 if unit.startswith("milliseconds") else 1000.0
    origin = np.datetime64(unit.split("since ")[1], "ms") if "since" in unit else start
    count = (times - origin).astype(np.int64) / per_unit
    scales = [dim[0] for dim in old.dims]
    del product["delta_time"]
    new = product.create_dataset("delta_time", data=np.round(count, 3).astype(kind))
    new.attrs["units"] = unit
    for dim, scale in zip(new.dims, scales, strict=True):
        dim.attach_scale(scale)


ORBIT_TIMES = (
    "plain",
    f"i4, milliseconds since {DAY}",
    f"i8, milliseconds since {DAY}",
    "i8, milliseconds since 2010-01-01",
    f"f8, seconds since {DAY}",
    f"f4, seconds since {DAY}",
)
"""32-bit and 64-bit counts, integers and floats; f4 seconds of a day are good to 4 ms."""

SET_TIMES = (
    *(("seconds", kind) for kind in ("i4", "i8", "f8")),
    *(("minutes", kind) for kind in ("i4", "f8")),
    *(("hours", kind) for kind in ("i4", "f4", "f8")),
    ("days", "f8"),
)
"""Units and number types that hold whole hours of our days exactly, or to a microsecond."""


@st.composite
def worlds(draw):
    """Draw a valid world."""
    names = st.sampled_from(
        [
            ("time", "height", "latitude", "longitude"),
            ("time", "level", "lat", "lon"),
            ("valid_time", "z", "lat", "lon"),
        ]
    )
    return World(
        variant=draw(st.sampled_from(sorted(VARIANTS))),
        shape=(draw(st.integers(3, 9)), draw(st.integers(3, 7))),
        seed=draw(st.integers(0, 10_000)),
        centre=(draw(st.sampled_from([-3.0, 0.1, 2.0, 6.5])), draw(st.sampled_from([43.2, 48.0]))),
        lacking=draw(st.frozensets(st.sampled_from(OPTIONAL))),
        orbit_time=draw(st.sampled_from(ORBIT_TIMES)),
        spacing=draw(st.sampled_from([0.04, 0.1, 0.2])),
        names=draw(names),
        order=tuple(draw(st.permutations(range(4)))),
        reversed_axes=draw(st.frozensets(st.sampled_from(["level", "y"]))),
        from_zero=draw(st.booleans()),
        unit=draw(st.sampled_from(sorted(UNITS))),
        number=draw(st.sampled_from(["f4", "f8"])),
        set_time=draw(st.sampled_from(SET_TIMES)),
        level_unit=draw(st.sampled_from(["m", "km"])),
    )
