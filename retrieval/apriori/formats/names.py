"""Names of CAMS files, and dates in names, taken apart.

Only what a name alone can say is taken from it (the level of a CAMS reanalysis file); what a file
holds is decided by its content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from retrieval.files.names import parse_stamp

_CAMS_EUROPE = re.compile(
    r"cams\.eaq\.(?P<stage>vra|ira)\.(?P<model>[A-Za-z0-9-]+)a\.(?P<species>\w+)\.l(?P<level>\d+)\."
    r"(?P<year>\d{4})-(?P<month>0[1-9]|1[0-2])(?:\.(?P<subset>.+?))?\.nc4?$",
    re.IGNORECASE,
)
_CAMS_GLOBAL = re.compile(
    r"z_cams_c_ecmf_(?P<base>\d{14})_prod_(?P<type>fc|an)_(?P<leveltype>pl|ml|sfc)_"
    r"(?P<step>\d{3})_(?P<parameter>\w+?)\.(?:grib2?|nc)$"
)
_DATE = re.compile(
    r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<s>[-_.]?)(?P<m>0[1-9]|1[0-2])"
    r"(?:(?P=s)(?P<d>0[1-9]|[12]\d|3[01]))?(?!\d{2})"
)


@dataclass(frozen=True)
class CamsEuropeName:
    """The fields of a CAMS European reanalysis file name; `level` [m] is nowhere else."""

    stage: str
    model: str
    species: str
    level: int
    month: np.datetime64
    subset: str


def parse_cams_europe(name: str) -> CamsEuropeName | None:
    """Take a CAMS European reanalysis file name apart; None when it is not one.

    Examples
    --------
    >>> n = parse_cams_europe("cams.eaq.vra.ENSa.no2.l50.2019-01.area-subset.54.9.42.-5.nc")
    >>> n.stage, n.model, n.species, n.level, str(n.month), n.subset
    ('vra', 'ENS', 'no2', 50, '2019-01', 'area-subset.54.9.42.-5')
    """
    match = _CAMS_EUROPE.search(PurePath(name).name)
    if match is None:
        return None
    return CamsEuropeName(
        match["stage"].lower(),
        match["model"].upper(),
        match["species"].lower(),
        int(match["level"]),
        np.datetime64(f"{match['year']}-{match['month']}", "M"),
        match["subset"] or "",
    )


@dataclass(frozen=True)
class CamsGlobalName:
    """The fields of a file name of the CAMS global FTP service."""

    base: np.datetime64
    type: str
    leveltype: str
    step: int
    parameter: str


def parse_cams_global(name: str) -> CamsGlobalName | None:
    """Take a CAMS global FTP file name apart; None when it is not one.

    Examples
    --------
    >>> parse_cams_global("z_cams_c_ecmf_20190601000000_prod_fc_ml_012_no2.nc").step
    12
    """
    match = _CAMS_GLOBAL.match(PurePath(name).name)
    if match is None:
        return None
    try:
        base = parse_stamp(match["base"])
    except ValueError:
        return None
    return CamsGlobalName(
        base, match["type"], match["leveltype"], int(match["step"]), match["parameter"]
    )


def dates_in_name(name: str) -> list[tuple[np.datetime64, np.datetime64]]:
    """Return the periods (first day, last day) that a file name mentions, days or months.

    Examples
    --------
    >>> [(str(a), str(b)) for a, b in dates_in_name("no2_20190630.nc")]
    [('2019-06-30', '2019-06-30')]
    >>> [(str(a), str(b)) for a, b in dates_in_name("cams.eaq.vra.ENSa.no2.l0.2019-02.nc")]
    [('2019-02-01', '2019-02-28')]
    """
    periods = []
    for match in _DATE.finditer(PurePath(name).name):
        month = np.datetime64(f"{match['y']}-{match['m']}", "M")
        first = month.astype("datetime64[D]")
        last = (month + 1).astype("datetime64[D]") - 1
        if match["d"]:
            day = first + (int(match["d"]) - 1)
            if day > last:
                continue
            first = last = day
        elif match["s"] == "":
            continue  # six digits alone are too often something else than a month
        periods.append((first, last))
    return periods


def is_near(name: str, around: np.datetime64, days: int) -> bool:
    """Tell whether a file name has no date, or one within some days of a time.

    Examples
    --------
    >>> is_near("no2_20190630.nc", np.datetime64("2019-07-01T13:00"), 2)
    True
    >>> is_near("no2_20190630.nc", np.datetime64("2019-08-01T13:00"), 2)
    False
    """
    day = around.astype("datetime64[D]")
    periods = dates_in_name(name)
    return not periods or any(first - days <= day <= last + days for first, last in periods)
