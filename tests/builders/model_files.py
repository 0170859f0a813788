"""Small files in the layouts of regional models (docs/formats.md 4.5), all of one made-up field.

NO2 falls with height and is highest in the middle of the domain round Paris; the air is isothermal,
so that pressures and heights of interfaces follow from each other by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import netCDF4
import numpy as np
import pyproj

TEMPERATURE, GAS, GRAVITY = 260.0, 287.0, 9.81
SCALE_HEIGHT = GAS * TEMPERATURE / GRAVITY
TOP = 5000.0
SPHERE = 6370000.0
TIMES = ("2023-06-01T11:00", "2023-06-01T12:00", "2023-06-01T13:00")


@dataclass
class Field:
    """The field: a Lambert grid of 4 km cells and sigma layers over a sloping surface."""

    n: int = 36
    n_level: int = 14
    spacing: float = 4000.0
    is_uniform: bool = False
    centre: tuple[float, float] = (48.9, 2.3)

    @cached_property
    def sigma(self):
        """Interfaces, 1 at the ground."""
        return np.linspace(1.0, 0.0, self.n_level + 1) ** 1.5

    @cached_property
    def projection(self):
        """Lambert conformal on WRF's sphere."""
        lat, lon = self.centre
        return {"proj": "lcc", "lat_1": 30.0, "lat_2": 60.0, "lat_0": lat, "lon_0": lon,
                "R": SPHERE}  # fmt: skip

    def places(self, shift_x=0.0, shift_y=0.0, more_x=0, more_y=0):
        """Longitude and latitude of centres, or shifted by parts of a cell."""
        x, y = (
            (np.arange(self.n + more) - 0.5 * (self.n - 1) + shift) * self.spacing
            for more, shift in ((more_x, shift_x), (more_y, shift_y))
        )
        to_degrees = pyproj.Transformer.from_crs(
            pyproj.CRS(self.projection), pyproj.CRS({"proj": "latlong", "R": SPHERE}),
            always_xy=True,
        )  # fmt: skip
        return to_degrees.transform(*np.meshgrid(x, y))

    @cached_property
    def altitude(self):
        """Terrain [m], a slope."""
        return np.add.outer(np.linspace(20.0, 180.0, self.n), np.zeros(self.n))

    @cached_property
    def surface_pressure(self):
        """[Pa]."""
        return 101325.0 * np.exp(-self.altitude / SCALE_HEIGHT)

    @cached_property
    def edges(self):
        """Pressures of interfaces, (n_level + 1, y, x) [Pa]."""
        return TOP + self.sigma[:, None, None] * (self.surface_pressure - TOP)

    @cached_property
    def heights(self):
        """Heights of interfaces above ground [m]."""
        return SCALE_HEIGHT * np.log(self.surface_pressure / self.edges)

    @cached_property
    def middles(self):
        """Pressures at half the height of layers [Pa]."""
        return np.sqrt(self.edges[1:] * self.edges[:-1])

    def fraction(self, hour=12):
        """Mole fractions [mol mol-1], (n_level, y, x)."""
        if self.is_uniform:
            return np.full(self.middles.shape, 1e-9)
        y, x = np.mgrid[-1 : 1 : self.n * 1j, -1 : 1 : self.n * 1j]
        bump = 1.0 + 4.0 * np.exp(-3.0 * (x**2 + y**2)) + 0.1 * (hour - 12)
        profile = np.exp(-6.0 * (1.0 - 0.5 * (self.sigma[1:] + self.sigma[:-1])))
        return 1e-9 * profile[:, None, None] * bump + 3e-11


def _hours():
    return [int(time[11:13]) for time in TIMES]


def put(dataset, name, dimensions, values, kind="f4", **attributes):
    """Write a variable, its dimensions made where they are new."""
    values = np.asarray(values)
    for dimension, size in zip(dimensions, values.shape, strict=True):
        if dimension not in dataset.dimensions:
            dataset.createDimension(dimension, size)
    variable = dataset.createVariable(name, kind, dimensions)
    variable.setncatts(attributes)
    variable[...] = values


def frames(values, n=3):
    """Repeat a field for each time."""
    return np.broadcast_to(values, (n, *np.shape(values)))


def write_cf(path, field, *, kind="f4", is_projected=False):
    """Write the field as plain CF: sigma as hybrid coefficients with bounds.

    On two-dimensional coordinates with true corners, or on the plane with a grid mapping.
    """
    lon, lat = field.places()
    corner = [
        field.places(dx, dy) for dx, dy in ((-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5))
    ]
    a, b = (1.0 - field.sigma) * TOP, field.sigma
    with netCDF4.Dataset(path, "w") as ds:
        hours = [hour - 12.0 for hour in _hours()]
        put(ds, "time", ("time",), hours, "f8", units="hours since 2023-06-01 12:00:00")
        put(ds, "no2", ("time", "lev", "y", "x"), [field.fraction(h) for h in _hours()], kind,
            units="mol mol-1", coordinates="lat lon",
            standard_name="mole_fraction_of_nitrogen_dioxide_in_air")  # fmt: skip
        name = "atmosphere_hybrid_sigma_pressure_coordinate"
        put(ds, "lev", ("lev",), np.arange(field.n_level), "f8", bounds="lev_bnds",
            formula_terms="ap: ap b: b ps: ps", standard_name=name)  # fmt: skip
        put(ds, "lev_bnds", ("lev", "two"), np.zeros((field.n_level, 2)), "f8",
            formula_terms="ap: ap_bnds b: b_bnds ps: ps")  # fmt: skip
        for name, values, unit in (("ap", a, "Pa"), ("b", b, "1")):
            put(ds, name, ("lev",), 0.5 * (values[1:] + values[:-1]), "f8", units=unit)
            bounds = np.stack([values[:-1], values[1:]], axis=1)
            put(ds, f"{name}_bnds", ("lev", "two"), bounds, "f8", units=unit)
        put(ds, "ps", ("time", "y", "x"), frames(field.surface_pressure), "f8", units="Pa")
        if is_projected:
            ds.variables["no2"].delncattr("coordinates")
            ds.variables["no2"].grid_mapping = "crs"
            ds.createVariable("crs", "i4", ()).setncatts(
                {k: v for k, v in pyproj.CRS(field.projection).to_cf().items() if v != ""}
            )
            centres = (np.arange(field.n) - 0.5 * (field.n - 1)) * field.spacing
            for name in ("x", "y"):
                put(ds, name, (name,), centres, "f8", units="m",
                    standard_name=f"projection_{name}_coordinate")  # fmt: skip
            return Path(path)
        for i, (name, values) in enumerate((("lon", lon), ("lat", lat))):
            unit = ("degrees_east", "degrees_north")[i]
            put(ds, name, ("y", "x"), values, "f8", units=unit, bounds=f"{name}_bnds")
            put(ds, f"{name}_bnds", ("y", "x", "four"), np.stack([c[i] for c in corner], -1), "f8")
    return Path(path)


def write_wrf(path, field, *, without=(), kind="f4"):
    """Write a `wrfout` file: P + PB, PH + PHB, text times, staggered dimensions, ppmv."""
    zw = GRAVITY * (field.heights + field.altitude)
    mass, plane = (
        ("Time", "bottom_top", "south_north", "west_east"),
        ("Time", "south_north", "west_east"),
    )
    stag = ("Time", "bottom_top_stag", "south_north", "west_east")
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        ds.setncatts({"TITLE": " OUTPUT FROM WRF/CHEM V4.4 MODEL", "MAP_PROJ": 1})
        ds.createDimension("Time", None)
        texts = np.array([time.replace("T", "_") + ":00" for time in TIMES], dtype="S19")
        put(ds, "Times", ("Time", "DateStrLen"), netCDF4.stringtochar(texts), "S1")
        base = {"P": frames(0.01 * field.middles), "PB": frames(0.99 * field.middles)}
        for name, values in base.items():
            put(ds, name, mass, values, kind, units="Pa", stagger="", MemoryOrder="XYZ")
        for name, share in (("PH", 0.05), ("PHB", 0.95)):
            put(ds, name, stag, frames(share * zw), kind, units="m2 s-2", stagger="Z")
        put(ds, "PSFC", plane, frames(field.surface_pressure), kind, units="Pa")
        put(ds, "HGT", plane, frames(field.altitude), kind, units="m")
        put(ds, "P_TOP", ("Time",), np.full(len(TIMES), TOP), kind, units="Pa")
        put(ds, "T2", plane, frames(np.full((field.n, field.n), 285.0)), kind, units="K")
        put(ds, "no2", mass, np.array([field.fraction(h) for h in _hours()]) * 1e6, kind,
            units="ppmv", stagger="", coordinates="XLONG XLAT XTIME")  # fmt: skip
        for suffix, shift, more in (("", {}, {}), ("_U", {"shift_x": -0.5}, {"more_x": 1}),
                                    ("_V", {"shift_y": -0.5}, {"more_y": 1})):  # fmt: skip
            lon, lat = field.places(**shift, **more)
            dims = ("Time", "south_north_stag" if suffix == "_V" else "south_north",
                    "west_east_stag" if suffix == "_U" else "west_east")  # fmt: skip
            put(ds, f"XLONG{suffix}", dims, frames(lon), kind, units="degree_east")
            put(ds, f"XLAT{suffix}", dims, frames(lat), kind, units="degree_north")
    if without:
        _drop(path, without)
    return Path(path)


def _drop(path, names):
    """Write the file again without some variables."""
    with netCDF4.Dataset(path) as ds:
        ds.set_auto_maskandscale(False)
        held = {n: (v.dimensions, v[...], v.dtype, {k: v.getncattr(k) for k in v.ncattrs()})
                for n, v in ds.variables.items() if n not in names}  # fmt: skip
        attributes = {k: ds.getncattr(k) for k in ds.ncattrs()}
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        ds.setncatts(attributes)
        for name, (dimensions, values, kind, own) in held.items():
            put(ds, name, dimensions, values, kind, **own)


def write_ioapi(path, field, variables, *, n_level=None, **attributes):
    """Write variables (values, units) in the convention of the I/O API, with the field's grid."""
    n_level = n_level or field.n_level
    half = 0.5 * field.n * field.spacing
    lat, lon = field.centre
    flags = [(2023152, 10000 * hour) for hour in _hours()]
    own = {
        "IOAPI_VERSION": "ioapi-3.2", "FTYPE": 1, "SDATE": 2023152, "STIME": 110000,
        "TSTEP": 10000, "NTHIK": 1, "NCOLS": field.n, "NROWS": field.n, "NLAYS": n_level,
        "NVARS": len(variables), "GDTYP": 2, "P_ALP": 30.0, "P_BET": 60.0, "P_GAM": lon,
        "XCENT": lon, "YCENT": lat, "XORIG": -half, "YORIG": -half, "XCELL": field.spacing,
        "YCELL": field.spacing, "VGTYP": np.int32(7), "VGTOP": np.float32(TOP),
        "VGLVLS": field.sigma.astype("f4"), "GDNAM": "PARIS_4KM       ",
    } | attributes  # fmt: skip
    with netCDF4.Dataset(path, "w", format="NETCDF3_64BIT_OFFSET") as ds:
        ds.setncatts({k: v for k, v in own.items() if v is not None})
        ds.createDimension("TSTEP", None)
        put(ds, "TFLAG", ("TSTEP", "VAR", "DATE-TIME"),
            np.repeat(np.array(flags)[:, None], len(variables), axis=1), "i4",
            units="<YYYYDDD,HHMMSS>", long_name="TFLAG           ")  # fmt: skip
        for name, (values, units) in variables.items():
            layer = "LAY" if np.shape(values)[1] == n_level else "LAY_1"
            put(ds, name, ("TSTEP", layer, "ROW", "COL"), values, "f4",
                units=f"{units:<16}", long_name=f"{name:<16}")  # fmt: skip
    return Path(path)


def no2_frames(field, factor):
    """Mole fractions of every hour, times a factor."""
    return np.array([field.fraction(hour) for hour in _hours()]) * factor


def write_cmaq(path, field, **attributes):
    """Write a CCTM concentration file: NO2 in ppmV, layers by attributes alone."""
    return write_ioapi(path, field, {"NO2": (no2_frames(field, 1e6), "ppmV")}, **attributes)


def write_mcip(folder, field, *, only=("METCRO3D", "METCRO2D"), **attributes):
    """Write the meteorology of a CMAQ run beside it."""
    middle = 0.5 * (field.heights[1:] + field.heights[:-1])
    three = {"PRES": (frames(field.middles), "Pa"), "ZF": (frames(field.heights[1:]), "M"),
             "ZH": (frames(middle), "M")}  # fmt: skip
    two = {"PRSFC": (frames(field.surface_pressure[None]), "Pascal")}
    for name, variables, n_level in (("METCRO3D", three, None), ("METCRO2D", two, 1)):
        if name in only:
            write_ioapi(folder / f"{name}.nc", field, variables, n_level=n_level, **attributes)


def write_camx(path, field, **attributes):
    """Write a CAMx average file: NO2 in ppmv, `z` the tops of layers, no sigma."""
    variables = {"z": (frames(field.heights[1:]), "m"), "NO2": (no2_frames(field, 1e6), "ppmv")}
    own = {"VGTYP": np.int32(6), "VGTOP": np.float32(10000.0), "VGLVLS": np.zeros(3, "f4")}
    return write_ioapi(path, field, variables, **(own | attributes))
