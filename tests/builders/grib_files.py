"""GRIB twins of netCDF files, written message by message as the data stores do.

pygrib runs in a process of its own, as it does in the package: this file is its script.
"""

from __future__ import annotations

import base64
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import netCDF4
import numpy as np

PARAMETERS = {
    **{"u10": 165, "v10": 166, "t2m": 167, "d2m": 168, "sp": 134, "blh": 159, "tcc": 164},
    **{"tcwv": 137, "tp": 228, "ssrd": 169, "strd": 175, "sshf": 146, "slhf": 147},
    **{"u": 131, "v": 132, "w": 135, "t": 130, "q": 133, "z": 129, "vo": 138, "d": 155, "cc": 248},
    "no2": 210121,
}
"""ECMWF numbers of the parameters."""

SAMPLES = {
    ("sfc", 1): (
        "R1JJQgAAbAEAADSAYoD/gKcBAAAHAxcMAAEAAAAAAAAVAAAAAAAAAAAAAAAAAAAAAQECBAEwMDAxAAAAAAAgAP8AAAIA"
        "AgDqYAAAAIAAAAAAdTAH0AfQAAAAAAAAAAwIAABBEAAAAAA3Nzc3"
    ),
    ("sfc", 2): (
        "R1JJQv//AAIAAAAAAAAAswAAABUBAGIAAAQAAQfXAxcMAAAAAgAAAEgDAAAAAAQAAAAABv///////////////////wAAAAIA"
        "AAACAAAAAP////8Dk4cAAAAAADAAAAAAAcnDgAAehIAAHoSAAAAAACIEAAAAAAAAAP+AAAAAAQAAAAAB//////////////8A"
        "AAAVBQAAAAQAAD+AAAAAAAAAAAAAAAAGBv8AAAAFBzc3Nzc="
    ),
    ("pl", 1): (
        "R1JJQgAAbAEAADSAYoD/gKdkA1IHAxcMAAEAAAAAAAAVAAAAAAAAAAAAAAAAAAAAAQECBAEwMDAxAAAAAAAgAP8AAAIA"
        "AgDqYAAAAIAAAAAAdTAH0AfQAAAAAAAAAAwIAABBEAAAAAA3Nzc3"
    ),
    ("pl", 2): (
        "R1JJQv//AAIAAAAAAAAAswAAABUBAGIAAAQAAQfXAxcMAAAAAgAAAEgDAAAAAAQAAAAABv///////////////////wAAAAIA"
        "AAACAAAAAP////8Dk4cAAAAAADAAAAAAAcnDgAAehIAAHoSAAAAAACIEAAAAAAAAAP+AAAAAAQAAAABkAAABhqD///////8A"
        "AAAVBQAAAAQAAD+AAAAAAAAAAAAAAAAGBv8AAAAFBzc3Nzc="
    ),
    ("ml", 2): (
        "R1JJQv//AAIAAAAAAAAA0wAAABUBAGIAAAQAAQfXAxcMAAAAAgAAAEgDAAAAAAQAAAAABv//////////////////"
        "/wAAAAIAAAACAAAAAP////8Dk4cAAAAAADAAAAAAAcnDgAAehIAAHoSAAAAAAEIEAAgAAAAAAP+AAAAAAQAAAABp"
        "AAABhqD///////8AAAAARPoAAEU7gAAAAAAAAAAAAD3MzM0/AAAAP4AAAAAAABUFAAAABAAAP4AAAAAAAAAAAAAA"
        "AAYG/wAAAAUHNzc3Nw=="
    ),
}
"""Messages of two by two points, of the ground, of a pressure, and of a model level with the
coefficients of four interfaces (a = 0, 2000, 3000, 0 Pa; b = 0, 0.1, 0.5, 1)."""

ACCUMULATED = ("tp", "ssrd", "strd", "sshf", "slhf")
BITS = 24
"""Bits of a packed value: its error is the range of the field times 2^-24."""


def write_grib(
    path: Path,
    name: str,
    values,
    times,
    latitude,
    longitude,
    *,
    levels=None,
    edition=1,
    keys=None,
) -> None:
    """Append the fields of a variable, shape (time[, level], y, x), to a GRIB file.

    Accumulations have the date of their forecast (6 and 18 UTC) and the step that ends at the
    stamp, as those of ERA5 have. `keys` are further ones of ecCodes,
    and `sample`.
    """
    _run(path, [(name, values, times, latitude, longitude, levels, edition, keys or {})])


def _run(path: Path, jobs: list[tuple]) -> None:
    command = [sys.executable, "-P", __file__, str(path)]
    subprocess.run(command, input=pickle.dumps(jobs), check=True)


def _append(path: Path, name, values, times, latitude, longitude, levels, edition, more) -> None:
    with path.open("ab") as file:
        for i, time in enumerate(times):
            for k, level in enumerate(levels if levels is not None else [0]):
                block = values[i] if levels is None else values[i, k]
                _message(file, name, block, time, latitude, longitude, level, levels, edition, more)


def _message(file, name, block, time, latitude, longitude, level, levels, edition, more):
    import pygrib

    sample = more.get("sample", "sfc" if levels is None else "pl")
    message = pygrib.fromstring(base64.b64decode(SAMPLES[sample, edition]))
    start, steps = _forecast(time) if name in ACCUMULATED else (time, 0)
    day = start.astype("datetime64[D]")
    keys = {
        "centre": "ecmf",
        "Ni": len(longitude),
        "Nj": len(latitude),
        "latitudeOfFirstGridPointInDegrees": float(latitude[0]),
        "latitudeOfLastGridPointInDegrees": float(latitude[-1]),
        "longitudeOfFirstGridPointInDegrees": float(longitude[0]) % 360.0,
        "longitudeOfLastGridPointInDegrees": float(longitude[-1]) % 360.0,
        "iDirectionIncrementInDegrees": float(abs(longitude[1] - longitude[0])),
        "jDirectionIncrementInDegrees": float(abs(latitude[1] - latitude[0])),
        "jScansPositively": int(latitude[1] > latitude[0]),
        "paramId": PARAMETERS[name],
        "dataDate": int(str(day).replace("-", "")),
        "dataTime": 100 * int((start - day) / np.timedelta64(1, "h")),
        "bitsPerValue": BITS,
    }
    if levels is not None:
        keys["level"] = int(level)
    if steps:
        keys |= {"stepType": "accum", "startStep": steps - 1, "endStep": steps}
    for key, value in (keys | {k: v for k, v in more.items() if k != "sample"}).items():
        message[key] = value
    message["values"] = np.asarray(block, dtype=np.float64)
    file.write(message.tostring())


def _forecast(time: np.datetime64) -> tuple[np.datetime64, int]:
    """Run (6 or 18 UTC) whose steps of up to twelve hours hold a stamp, and the step."""
    shifted = time.astype("datetime64[h]") - np.timedelta64(7, "h")
    since = shifted.astype(int) % 12
    return time.astype("datetime64[h]") - np.timedelta64(int(since) + 1, "h"), int(since) + 1


def era5_as_grib(netcdf: Path, folder: Path, *, edition: int = 1) -> None:
    """Write the variables of an ERA5 file or archive of `source_files.write_era5` as GRIB."""
    folder.mkdir(parents=True, exist_ok=True)
    if zipfile.is_zipfile(netcdf):
        with zipfile.ZipFile(netcdf) as packed:
            opened = [netCDF4.Dataset("m", memory=packed.read(m)) for m in packed.namelist()]
    else:
        opened = [netCDF4.Dataset(netcdf)]
    jobs = [job for dataset in opened for job in _jobs(dataset, edition)]
    _run(folder / f"{netcdf.stem}.grib", jobs)


def _jobs(dataset: netCDF4.Dataset, edition: int) -> list[tuple]:
    with dataset:
        dataset.set_auto_mask(False)
        times = dataset["valid_time"][:].astype("datetime64[s]").astype("datetime64[h]")
        levels = dataset["pressure_level"][:] if "pressure_level" in dataset.variables else None
        plane = dataset["latitude"][:], dataset["longitude"][:]
        return [
            (name, variable[...], times, *plane, levels, edition, {})
            for name, variable in dataset.variables.items()
            if name in PARAMETERS
        ]


if __name__ == "__main__":
    for job in pickle.load(sys.stdin.buffer):
        _append(Path(sys.argv[1]), *job)
