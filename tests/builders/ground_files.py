"""Small files of ground columns in the layouts of their networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

RULE = "-" * 87


def write_pandora(
    path: Path,
    rows: list[tuple[str, int, float]],
    *,
    kind: str = "sky",
    unit: str = "moles per square meter",
    place: tuple[float, float, float] = (48.85, 2.35, 50.0),
    station: str = "Paris",
    layers: list[list[tuple[float, float]]] | None = None,
    stratosphere: float = 4e-5,
) -> Path:
    """Write a Level 2 text file.

    Parameters
    ----------
    path : Path
    rows : list of tuple
        Time (`yyyymmddThhmmss.sZ`), quality flag, column.
    kind : str
        `sky` (tropospheric) or `sun` (total).
    unit, place, station, stratosphere
        As in the file; place is latitude, longitude, altitude.
    layers : list, optional
        Of each row, top height [km] and partial column.
    """
    word = "tropospheric" if kind == "sky" else "total"
    header = [
        f"File name: {path.name}",
        "Data file version: " + ("rnvh3p1-8" if kind == "sky" else "rnvs3p1-8"),
        "DOI: 10.48596/pgn.test",
        "Instrument number: 7",
        "Spectrometer number: 1",
        f"Short location name: {station}",
        f"Location latitude [deg]: {place[0]}",
        f"Location longitude [deg]: {place[1]}",
        f"Location altitude [m]: {place[2]}",
        "Data caveats: None",
    ]
    gas = "nitrogen dioxide"
    columns = [
        "UT date and time for measurement center, yyyymmddThhmmssZ (ISO 8601)",
        "Wavelength effective temperature [\u00b0C], 999=no effective temperature given",
        f"L2 data quality flag for {gas}, 0=assured high quality",
        f"Climatological {gas} stratospheric column amount [{unit}]",
        f"{gas.capitalize()} {word} vertical column amount [{unit}], -9e99=not successful",
        f"Independent uncertainty of {gas} {word} vertical column amount [{unit}], -4=none",
    ]
    if layers:
        columns += [
            "Top height of water vapor layer 1 [km]",
            f"Partial water vapor vertical column amount in layer 1 [{unit}]",
            f"Top height of {gas} layer 1 [km]",
            f"Partial {gas} vertical column amount in layer 1 [{unit}]",
        ]
    lines = [*header, RULE, *(f"Column {i}: {text}" for i, text in enumerate(columns, 1)), RULE]
    for i, (time, flag, column) in enumerate(rows):
        words = [time, "999", str(flag), repr(stratosphere), repr(column), repr(abs(column) / 10)]
        for top, amount in layers[i] if layers else []:
            words += [repr(top), "1.0", repr(top), repr(amount)]
        lines.append(" ".join(words))
    path.write_text("\n".join(lines) + "\n", encoding="latin-1")
    return path


def write_geoms(
    path: Path, days: np.ndarray, column: np.ndarray, *, altitude_first: bool = False
) -> Path:
    """Write MAX-DOAS columns with three layers in HDF5, layers from the top down.

    Parameters
    ----------
    path : Path
    days : ndarray
        Days since 2000-01-01.
    column : ndarray
        [1e15 molecules cm-2]; NaN becomes fill.
    altitude_first : bool
        Write profiles as (layer, time).
    """
    tops = np.array([2.1, 0.6, 0.3])  # km above the sea; the instrument stands at 0.1 km
    bounds = np.stack([[0.6, 0.3, 0.1], tops])  # (2, layer)
    share = np.array([0.2, 0.3, 0.5])
    partial = column[:, None] * share
    fill = -90000.0
    name = "NO2.COLUMN.TROPOSPHERIC_SCATTER.SOLAR.OFFAXIS"
    profile = "NO2.COLUMN.PARTIAL_SCATTER.SOLAR.OFFAXIS"
    turn = (lambda a: a.T) if altitude_first else (lambda a: a)
    variables = {
        "DATETIME": (days, "MJD2K"),
        "LATITUDE.INSTRUMENT": (np.array([48.85]), "deg"),
        "LONGITUDE.INSTRUMENT": (np.array([2.35]), "deg"),
        "ALTITUDE.INSTRUMENT": (np.array([0.1]), "km"),
        "ALTITUDE.BOUNDARIES": (bounds, "km"),
        name: (column, "Pmolec cm-2"),
        f"{name}_UNCERTAINTY.RANDOM.STANDARD": (0.1 * column, "Pmolec cm-2"),
        f"{name}_AVK": (turn(np.tile([0.4, 0.9, 1.1], (days.size, 1))), "1"),
        profile: (turn(partial), "Pmolec cm-2"),
        f"{profile}_APRIORI": (turn(partial * 0.5), "Pmolec cm-2"),
    }
    with h5py.File(path, "w") as file:
        file.attrs["DATA_TEMPLATE"] = "GEOMS-TE-UVVIS-DOAS-OFFAXIS-GAS-006"
        file.attrs["DATA_LOCATION"] = "PARIS"
        file.attrs["DATA_SOURCE"] = "UVVIS.DOAS.OFFAXIS.NO2_TEST01"
        file.attrs["FILE_DOI"] = "10.1/x"
        for key, (values, unit) in variables.items():
            item = file.create_dataset(key, data=np.where(np.isnan(values), fill, values))
            item.attrs["VAR_UNITS"] = unit
            item.attrs["VAR_FILL_VALUE"] = fill
    return path
