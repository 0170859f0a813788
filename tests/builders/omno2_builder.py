"""OMNO2 orbits true to structure: HDF-EOS5 swaths without dimension scales.

Names, types, fills and attributes are those of a real version 003 file of 2016; the numbers are
made here, from a state that is known. Nothing is taken from what reads them. With the structure of
the real file (a DMR, see `real_structure`) every data set of it is made, attributes and all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FILL = np.float32(-1.2676506e30)
SWATH = "/HDFEOS/SWATHS/ColumnAmountNO2"
NODES = np.array(
    [1020, 1010, 1000, 985, 960, 930, 890, 840, 780, 700, 600, 500, 400, 300, 200, 120, 70, 30, 5.0]
)
"""Pressures of the weights [hPa], surface first."""
TAI_MINUS_UTC = 8
"""Leap seconds from 1993 to the date of these orbits."""
TIME = np.datetime64("2015-06-15T18:00:00", "ms")
DIMENSIONS = {"t": "nTimes", "x": "nXtrack", "l": "nPresLevels", "c": "nCorners"}
_XML = "{http://xml.opendap.org/ns/DAP/4.0#}"
_TYPES = {
    "Float32": "f4",
    "Float64": "f8",
    "Int16": "i2",
    "UInt16": "u2",
    "Byte": "u1",
    "Int32": "i4",
}


@dataclass(frozen=True)
class Omno2:
    """An orbit and what it was made of.

    Attributes
    ----------
    path : Path
    weights : ndarray, shape (t, x, node)
        At `NODES`, surface first.
    column, amf : ndarray, shape (t, x)
        [molecules cm-2], [1].
    surface, tropopause : ndarray, shape (t, x)
        [Pa].
    """

    path: Path
    weights: np.ndarray
    column: np.ndarray
    amf: np.ndarray
    surface: np.ndarray
    tropopause: np.ndarray


def build_omno2(
    path: Path,
    *,
    shape: tuple[int, int] = (7, 6),
    collection: int = 3,
    top_first: bool = False,
    leave_out: tuple[str, ...] = (),
    structure: Path | None = None,
    struct_metadata: bool = True,
    amf: np.ndarray | None = None,
) -> Omno2:
    """Write an orbit over New York.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Times and pixels.
    collection : {3, 4}
        In 4 the cloud fraction is a float and some names are in other cases.
    top_first : bool
        Weights and their pressures from the top down.
    leave_out : tuple of str
        Fields not to write.
    structure : Path, optional
        DMR of a real file: all of its other fields are made, too, full of fill.
    struct_metadata : bool
        Whether the text with the dimensions is there.
    amf : ndarray, optional
        Air mass factors, in place of random ones.
    """
    rng = np.random.default_rng(11)
    t, x = shape
    i, j = np.meshgrid(np.arange(t), np.arange(x), indexing="ij")
    latitude, longitude = 40.0 + 0.13 * i, -75.0 + 0.3 * j + 0.02 * i
    # left and right along the scan, upper and lower along the track: ll, ul, uu, lu
    south, north, west, east = -0.06, 0.06, -0.14, 0.14
    lat_corner = latitude[..., None] + np.array([south, north, north, south])
    lon_corner = longitude[..., None] + np.array([west, west, east, east])
    surface = np.round(1012.0 - 6.0 * j - 3.0 * i)  # hPa, whole numbers in the file
    tropopause = (170.0 + 3.0 * i + j).astype("f4")
    shared = 0.35 + 1.9 * (1.0 - NODES / 1100.0)
    weights = (shared + 0.1 * rng.random((t, x, NODES.size))).astype("f4")
    weights[1, 2, :2] = FILL  # below the ground of a high pixel
    random = rng.uniform(0.7, 2.0, shape)
    amf = np.asarray(random if amf is None else amf, dtype="f4")
    column = rng.uniform(1e15, 9e15, shape).astype("f4")
    column[0, 0] *= -0.2  # noise: negative columns stay
    strat = np.full(shape, 3e15, "f4")
    flags, track = np.zeros(shape, "u2"), np.zeros(shape, "u1")
    flags[1, 1], flags[1, 0], track[2, 2], track[2, 3] = 1, 2, 1, 255
    cloud = np.full(shape, 0.1)
    cloud[3, 3] = 0.4
    bright = np.where(cloud > 0.3, 0.48, 0.2)
    seconds = (TIME - np.datetime64("1993-01-01", "ms")) / np.timedelta64(1, "s")
    time = seconds + TAI_MINUS_UTC + 2.0 * np.arange(t)
    turn = slice(None, None, -1) if top_first else slice(None)
    as_float = collection == 4
    clouds = ("f4", 1.0) if as_float else ("i2", 0.001)
    data = {
        "ColumnAmountNO2": (column + strat, "f4", "tx", 1.0, "molec/cm^2"),
        "ColumnAmountNO2Std": (0.3 * np.abs(column), "f4", "tx", 1.0, "molec/cm^2"),
        "ColumnAmountNO2Trop": (column, "f4", "tx", 1.0, "molec/cm^2"),
        "ColumnAmountNO2TropStd": (0.2 * np.abs(column), "f4", "tx", 1.0, "molec/cm^2"),
        "ColumnAmountNO2Strat": (strat, "f4", "tx", 1.0, "molec/cm^2"),
        "AMFTrop" if as_float else "AmfTrop": (amf, "f4", "tx", 1.0, "NoUnits"),
        "AmfTropClear": (amf * 1.1, "f4", "tx", 1.0, "NoUnits"),
        "AmfStrat": (np.full(shape, 2.4, "f4"), "f4", "tx", 1.0, "NoUnits"),
        "ScatteringWeight": (weights[..., turn], "f4", "txl", 1.0, "NoUnits"),
        "ScatteringWtPressure": (NODES[turn], "f4", "l", 1.0, "hPa"),
        "TropopausePressure": (tropopause, "f4", "tx", 1.0, "hPa"),
        "TerrainPressure": (surface, "i2", "tx", 1.0, "hPa"),
        "TerrainHeight": (np.full(shape, 40.0), "i2", "tx", 1.0, "m"),
        "CloudFraction": (cloud, clouds[0], "tx", clouds[1], "NoUnits"),
        "CloudRadianceFraction": (bright, clouds[0], "tx", clouds[1], "NoUnits"),
        "TerrainReflectivity": (np.full(shape, 0.05), "i2", "tx", 0.001, "NoUnits"),
        "VcdQualityFlags": (flags, "u2", "tx", 1.0, "NoUnits"),
        "XTrackQualityFlags": (track, "u1", "tx", 1.0, "NoUnits"),
    }
    geolocation = {
        "Latitude": (latitude, "f4", "tx", 1.0, "deg"),
        "Longitude": (longitude, "f4", "tx", 1.0, "deg"),
        "FoV75CornerLatitude": (lat_corner, "f4", "txc", 1.0, "deg"),
        "FoV75CornerLongitude": (lon_corner, "f4", "txc", 1.0, "deg"),
        "SolarZenithAngle": (np.full(shape, 35.0), "f4", "tx", 1.0, "deg"),
        "Time": (time, "f8", "t", 1.0, "s"),
    }
    sizes = {"t": t, "x": x, "l": NODES.size, "c": 4}
    with h5py.File(path, "w", track_order=False) as file:
        if structure is not None:
            _all_of(file, structure, t, x)
        for section, content in (("Data Fields", data), ("Geolocation Fields", geolocation)):
            for name, (values, kind, axes, scale, units) in content.items():
                if name not in leave_out:
                    _field(file, f"{SWATH}/{section}/{name}", values, kind, axes, scale, units)
        file.require_group("HDFEOS INFORMATION").attrs["HDFEOSVersion"] = "HDFEOS_5.1.12"
        if struct_metadata:
            text = struct_text(file, sizes)
            piece = np.array(text.encode(), dtype="S32000")
            file["HDFEOS INFORMATION"].create_dataset("StructMetadata.0", data=piece)
    return Omno2(path, weights, column, amf, 100.0 * surface, 100.0 * tropopause.astype("f8"))


def _field(file, path, values, kind, axes, scale, units):
    """Make a field with the attributes of HDF-EOS, or fill the one that is there."""
    fills = {"f4": FILL, "f8": float(FILL), "i2": -32767, "u2": 65535, "u1": 255}
    stored = np.asarray(values, dtype="f8")
    stored = np.where(stored == FILL, FILL, np.round(stored / scale) if scale != 1.0 else stored)
    if path in file:
        file[path][...] = stored.astype(kind)
        return
    new = file.create_dataset(
        path, data=stored.astype(kind), chunks=values.shape if values.ndim > 1 else None,
        compression="gzip" if values.ndim > 1 else None, fillvalue=np.asarray(fills[kind], kind),
    )  # fmt: skip
    for key in ("_FillValue", "MissingValue"):
        new.attrs[key] = np.array([fills[kind]], dtype=kind)
    new.attrs["ScaleFactor"], new.attrs["Offset"] = np.array([scale]), np.array([0.0])
    # some texts of the real file are padded with blanks
    new.attrs["Units"] = np.bytes_(units.ljust(40))


def _all_of(file, structure, t, x):
    """Make every data set of a DMR with its type and attributes, on this many times and pixels."""
    sizes = {1644: t, 60: x, 35: NODES.size}
    for section in ("Data Fields", "Geolocation Fields"):
        path = f"{SWATH}/{section}"
        group = ElementTree.parse(structure).getroot()
        for part in path.strip("/").split("/"):
            group = next(one for one in group.iter(f"{_XML}Group") if one.get("name") == part)
        for item in group:
            kind = _TYPES.get(item.tag.removeprefix(_XML))
            if kind is None:
                continue
            shape = [int(one.get("size")) for one in item.iter(f"{_XML}Dim")]
            shape = [sizes.get(one, one) for one in shape]
            found = {
                one.get("name"): (one.get("type"), one.find(f"{_XML}Value").text)
                for one in item.iter(f"{_XML}Attribute")
            }
            fill = np.asarray(float(found["_FillValue"][1])).astype(kind)
            new = file.create_dataset(
                f"{path}/{item.get('name')}", shape, kind, fillvalue=fill, compression="gzip"
            )
            for name, (type_, text) in found.items():
                number = _TYPES.get(type_)
                new.attrs[name] = (
                    np.array([float(text)]).astype(number) if number else np.bytes_(text)
                )


def struct_text(file: h5py.File, sizes: dict[str, int], swath: str = "ColumnAmountNO2") -> str:
    """Return the text that names the dimensions, as the HDF-EOS5 library writes it."""
    swath_path = f"/HDFEOS/SWATHS/{swath}"
    by_size = {sizes[key]: name for key, name in DIMENSIONS.items()}
    lines = ["GROUP=SwathStructure", "\tGROUP=SWATH_1", f'\t\tSwathName="{swath}"']
    lines.append("\t\tGROUP=Dimension")
    others = {
        size
        for section in ("Data Fields", "Geolocation Fields")
        for one in file[f"{swath_path}/{section}"].values()
        for size in one.shape
        if size not in by_size
    }
    by_size |= {size: f"nOther{size}" for size in sorted(others)}
    for n, (size, name) in enumerate(by_size.items(), 1):
        lines += [
            f"\t\t\tOBJECT=Dimension_{n}",
            f'\t\t\t\tDimensionName="{name}"',
            f"\t\t\t\tSize={size}",
            f"\t\t\tEND_OBJECT=Dimension_{n}",
        ]
    lines.append("\t\tEND_GROUP=Dimension")
    for empty in ("DimensionMap", "IndexDimensionMap"):
        lines += [f"\t\tGROUP={empty}", f"\t\tEND_GROUP={empty}"]
    for kind, section in (("GeoField", "Geolocation Fields"), ("DataField", "Data Fields")):
        lines.append(f"\t\tGROUP={kind}")
        for n, (name, field) in enumerate(file[f"{swath_path}/{section}"].items(), 1):
            dimensions = ",".join(f'"{by_size[size]}"' for size in field.shape)
            lines += [
                f"\t\t\tOBJECT={kind}_{n}",
                f'\t\t\t\t{kind}Name="{name}"',
                "\t\t\t\tDataType=H5T_NATIVE_FLOAT",
                f"\t\t\t\tDimList=({dimensions})",
                f"\t\t\t\tMaxdimList=({dimensions})",
                f"\t\t\tEND_OBJECT={kind}_{n}",
            ]
        lines.append(f"\t\tEND_GROUP={kind}")
    for empty in ("ProfileField", "MergedFields"):
        lines += [f"\t\tGROUP={empty}", f"\t\tEND_GROUP={empty}"]
    lines += ["\tEND_GROUP=SWATH_1", "END_GROUP=SwathStructure"]
    lines += ["GROUP=GridStructure", "END_GROUP=GridStructure", "END", ""]
    return "\n".join(lines)
