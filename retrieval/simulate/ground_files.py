"""Ground columns written as their networks do: Pandora L2 text, GEOMS in HDF5; marked synthetic.

As far as the readers in `retrieval.validation` go, whose layouts docs/formats.md 6 says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.files.atomic import atomic_output
from retrieval.files.tables import write_text
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.typing import Float
    from retrieval.validation.ground_columns import GroundColumns

RULE = "-" * 87
GAS = "nitrogen dioxide"
UNIT = "moles per square meter"
PMOLEC = 1e15 / MOLEC_CM2_PER_MOL_M2
FILL = -90000.0
COLUMN = "NO2.COLUMN.TROPOSPHERIC_SCATTER.SOLAR.OFFAXIS"
LAYERS = "NO2.COLUMN.PARTIAL_SCATTER.SOLAR.OFFAXIS"
MJD2K = np.datetime64("2000-01-01T00:00:00", "ms")


def write_direct_sun(
    path: Path, series: GroundColumns, number: int, *, overwrite: bool = False
) -> None:
    """Write total columns of the direct sun as the Pandonia network does.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    header = [
        f"File name: {path.name}",
        "Data description: Level 2 file, synthetic: simulated in a twin world, no measurement",
        "Data file version: rnvs3p1-8",
        "DOI: none",
        f"Instrument number: {number}",
        "Spectrometer number: 1",
        f"Short location name: {series.station}",
        f"Location latitude [deg]: {series.latitude:.5f}",
        f"Location longitude [deg]: {series.longitude:.5f}",
        f"Location altitude [m]: {series.altitude:.0f}",
        "Data caveats: synthetic",
    ]
    columns = [
        "UT date and time for measurement center, yyyymmddThhmmssZ (ISO 8601)",
        f"L2 data quality flag for {GAS}, 0=assured high quality",
        f"Climatological {GAS} stratospheric column amount [{UNIT}]",
        f"{GAS.capitalize()} total vertical column amount [{UNIT}], -9e99=not successful",
        f"Independent uncertainty of {GAS} total vertical column amount [{UNIT}], -4=none",
    ]
    lines = [*header, RULE, *(f"Column {i}: {text}" for i, text in enumerate(columns, 1)), RULE]
    rows = zip(
        *(series.time, series.flag, series.stratosphere, series.column, series.uncertainty),
        strict=True,
    )
    for time, flag, above, column, error in rows:
        stamp = str(time.astype("datetime64[s]")).replace("-", "").replace(":", "")
        lines.append(f"{stamp}.0Z {flag} {above:.6e} {column:.6e} {error:.6e}")
    write_text(path, "\n".join(lines) + "\n", overwrite=overwrite)


def write_max_doas(path: Path, series: GroundColumns, *, overwrite: bool = False) -> None:
    """Write tropospheric columns with layers, a priori and kernel in GEOMS, HDF5.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    if series.layer_edges is None or series.partial_column is None or series.apriori is None:
        msg = (
            f"Invalid series of {series.station}. It must have layers and an a priori. Given none. "
            "Retrieve profiles."
        )
        raise ValueError(msg)
    edges = (series.layer_edges[0] + series.altitude) / 1000.0
    days = (series.time - MJD2K) / np.timedelta64(86_400_000, "ms")
    variables: dict[str, tuple[Float | None, str]] = {
        "DATETIME": (days, "MJD2K"),
        "LATITUDE.INSTRUMENT": (np.array([series.latitude]), "deg"),
        "LONGITUDE.INSTRUMENT": (np.array([series.longitude]), "deg"),
        "ALTITUDE.INSTRUMENT": (np.array([series.altitude / 1000.0]), "km"),
        "ALTITUDE.BOUNDARIES": (np.stack([edges[:-1], edges[1:]]), "km"),
        COLUMN: (series.column / PMOLEC, "Pmolec cm-2"),
        f"{COLUMN}_UNCERTAINTY.RANDOM.STANDARD": (series.uncertainty / PMOLEC, "Pmolec cm-2"),
        f"{COLUMN}_AVK": (series.kernel, "1"),
        f"{LAYERS}_AVK": (series.profile_kernel, "1"),
        LAYERS: (series.partial_column / PMOLEC, "Pmolec cm-2"),
        f"{LAYERS}_APRIORI": (series.apriori / PMOLEC, "Pmolec cm-2"),
    }
    with atomic_output(path, overwrite=overwrite) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["DATA_TEMPLATE"] = "GEOMS-TE-UVVIS-DOAS-OFFAXIS-GAS-006"
        file.attrs["DATA_LOCATION"] = series.station
        file.attrs["DATA_SOURCE"] = series.instrument
        file.attrs["DATA_QUALITY"] = "synthetic: simulated in a twin world, no measurement"
        for name, (values, unit) in variables.items():
            if values is None:
                continue
            item = file.create_dataset(name, data=np.asarray(values, dtype=np.float64))
            item.attrs["VAR_UNITS"] = unit
            item.attrs["VAR_FILL_VALUE"] = FILL
