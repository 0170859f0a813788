"""Names of Sentinel-5P files, taken apart: L2 orbits and AUX_CTM.

Only what a name alone can say is taken from it (stream, orbit, versions, times of creation); what a
file holds is decided by its content.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

S5P_STEM_LENGTH = 83
"""Characters of an S5P file name before suffix and extension."""

_STAMP = r"\d{8}T\d{6}"
_S5P = re.compile(
    rf"(?P<stem>S5P_(?P<stream>[A-Z]{{3}}[A-Z_])_(?P<product>.{{10}})_(?P<start>{_STAMP})_"
    rf"(?P<end>{_STAMP})_(?P<orbit>\d{{5}})_(?P<collection>\d{{2}})_(?P<processor>\d{{6}})_"
    rf"(?P<created>{_STAMP}))(?P<suffix>.*?)(?:\.(?:nc4?|zip))?$"
)
_CTM = re.compile(
    rf"S5P_(?P<stream>[A-Z]{{4}})_(?P<product>AUX_CTM(?:ANA|FCT))_(?P<start>{_STAMP})_"
    rf"(?P<end>{_STAMP})_(?P<created>{_STAMP})"
)


def parse_stamp(text: str) -> np.datetime64:
    """Read a time as in names: `YYYYMMDDTHHMMSS` or fourteen digits."""
    date, clock = text[:8], text[8:].lstrip("T")
    return np.datetime64(
        f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:]}", "ms"
    )


@dataclass(frozen=True)
class S5PName:
    """The fields of an S5P L2 file name; times are the window of the L1B data, not coverage."""

    stem: str
    stream: str
    product: str
    start: np.datetime64
    end: np.datetime64
    orbit: int
    collection: str
    processor: str
    created: np.datetime64
    suffix: str

    @property
    def processor_version(self) -> tuple[int, int, int]:
        """Processor version as numbers, `(2, 4, 0)` for `020400`."""
        p = self.processor
        return int(p[:2]), int(p[2:4]), int(p[4:])


def parse_s5p(name: str) -> S5PName | None:
    """Take an S5P L2 file name apart; None when it is not one. Lenient after the creation time.

    Examples
    --------
    >>> name = parse_s5p(
    ...     "S5P_RPRO_L2__NO2____20210725T110715_20210725T124844_19594_03_020400_"
    ...     "20221104T141836_reduced.nc"
    ... )
    >>> name.product, name.orbit, name.processor_version, name.suffix, len(name.stem)
    ('L2__NO2___', 19594, (2, 4, 0), '_reduced', 83)
    """
    match = _S5P.match(PurePath(name).name)
    if match is None or len(match["stem"]) != S5P_STEM_LENGTH:
        return None
    try:
        start, end, created = (parse_stamp(match[key]) for key in ("start", "end", "created"))
    except ValueError:
        return None
    return S5PName(
        match["stem"],
        match["stream"],
        match["product"],
        start,
        end,
        int(match["orbit"]),
        match["collection"],
        match["processor"],
        created,
        match["suffix"],
    )


@dataclass(frozen=True)
class CtmName:
    """The fields of an AUX_CTMANA or AUX_CTMFCT file name."""

    stream: str
    product: str
    start: np.datetime64
    end: np.datetime64
    created: np.datetime64


def parse_ctm(name: str) -> CtmName | None:
    """Take an AUX_CTM file name apart; None when it is not one."""
    match = _CTM.match(PurePath(name).name)
    if match is None:
        return None
    try:
        start, end, created = (parse_stamp(match[key]) for key in ("start", "end", "created"))
    except ValueError:
        return None
    return CtmName(match["stream"], match["product"], start, end, created)
