"""Figures as they are embedded, and what is said of each."""

from __future__ import annotations

import base64
import re
import struct
from typing import TYPE_CHECKING

from cli.reporting.folder import checksum
from cli.reporting.parts import Figure

if TYPE_CHECKING:
    from cli.reporting.folder import Folder
    from cli.reporting.parts import Product

PNG = b"\x89PNG\r\n\x1a\n"
_SVG_SIZE = re.compile(rb"<svg[^>]*?\sviewBox=[\"']\s*\S+\s+\S+\s+([\d.]+)\s+([\d.]+)")
SUFFIXES = (".png", ".svg")

EVALUATION = {
    "stations": (
        "stations",
        "Every pair of each set with the held-out stations; below, each station's own correlation. "
        "Pairs above the 99.5th percentile stand at the edge, the numbers are of all.",
        "Scatter of sets against station measurements, and histograms of correlations",
    ),
    "series": (
        "stations",
        "Mean over all held-out stations, measured and of each set: of days, and of seasons.",
        "Time series of daily means of stations and sets",
    ),
    "years": (
        "stations",
        "Mean of each year at the held-out stations that have all years.",
        "Lines of yearly means of stations and sets",
    ),
    "station_map": (
        "stations",
        "Correlation of each station's own series, where the station is.",
        "Maps of stations coloured by correlation, one for each set",
    ),
    "layers": (
        "layers",
        "r, R² and relative RMSE of each layer against the reference on its own cells.",
        "Scores of each set by height above ground",
    ),
    "layers_in_time": (
        "layers",
        "Correlation in time with the reference: of each layer's mean, and of each cell.",
        "Correlations in time by height, and maps of them, one row for each set",
    ),
    "layer_maps": (
        "layers",
        "Mean NO₂ of all sets at several heights, each height on a scale of its own.",
        "Maps of mean NO2, heights in rows and sets in columns",
    ),
    "maps": (
        "layers",
        "Mean surface NO₂ of all sets on one scale: the domain, and the regions it holds.",
        "Maps of mean surface NO2, one column for each set",
    ),
    "profiles": (
        "profiles",
        "Regional mean profiles, and ratios to the reference by degree of urbanisation.",
        "Profiles of NO2 against height by region and set",
    ),
    "transects": (
        "profiles",
        "Mean profiles along transects; each height has one thickness whatever the air between.",
        "Cross sections of NO2, height against distance, one for each set",
    ),
}
"""Figures of `evaluate` by stem: section, caption, alternative text."""

MAPS = {
    "figure7": (
        "columns",
        "Mean columns on one scale, relative differences, and the regions of the last pair.",
        "Maps of mean columns by a priori, of their relative differences, and of regions",
    ),
    "columns": (
        "columns",
        "Mean tropospheric columns of every a priori on one scale.",
        "Maps of mean tropospheric NO2 columns, one for each a priori",
    ),
    "differences": (
        "columns",
        "Relative differences of each pair; below, absolute ones.",
        "Maps of relative and absolute differences of the columns, one for each pair",
    ),
    "regions": (
        "columns",
        "Relative differences of the last pair in each region; below, absolute ones.",
        "Zooms of the differences of the last pair, one for each region",
    ),
}
"""Figures of `maps`."""

VALIDATION = {
    "scatter": (
        "columns",
        "Each a priori against the ground, coloured by density; the line is one to one.",
        "Scatter of satellite columns against ground-based ones, one panel for each a priori",
    ),
    "stations": (
        "stations",
        "Median difference at each station, where it is, and before and after substitution.",
        "Map of stations coloured by bias, and their biases by a priori",
    ),
    "series": (
        "stations",
        "Columns of ground and satellite in time.",
        "Time series of ground-based and satellite columns",
    ),
    "seasons": (
        "columns",
        "Differences by season.",
        "Differences of satellite and ground by season, for each a priori",
    ),
}
"""Figures of `validate`."""

DEMO = {
    "columns": (
        "columns",
        "The true column and what is retrieved with each a priori, on one scale; below, errors.",
        "Maps of true and retrieved tropospheric NO2 columns, and of retrieved minus true",
    ),
    "relative_change": (
        "columns",
        "Relative differences of the gridded columns, pair by pair.",
        "Maps of relative differences of columns, one for each pair of a priori",
    ),
    "regions": (
        "columns",
        "Regions: the true column and what is retrieved with each a priori.",
        "Zooms of the columns, regions in rows and a priori in columns",
    ),
    "profiles": (
        "profiles",
        "A-priori profiles and box air mass factors over a city and over the sea.",
        "A-priori NO2 against pressure for each set, with box air mass factors",
    ),
}
"""Figures of `demo`."""

ATTRIBUTION = {
    "groups": (
        "attribution",
        "Share of each group of inputs, target by target, a bar for each checkpoint.",
        "Bar charts of shares of groups of inputs, one panel for each target",
    ),
    "group_changes": (
        "attribution",
        "Signed change of the RMSE by each group of inputs, a bar for each checkpoint.",
        "Bar charts of signed changes by groups of inputs, one panel for each target",
    ),
    "features": (
        "attribution",
        "The most important features of each target, a bar for each checkpoint.",
        "Bar charts of the most important inputs, one panel for each target",
    ),
    "heat_map": (
        "attribution",
        "Share of each feature for each target, a panel for each checkpoint.",
        "Heat maps of shares, inputs in rows and targets in columns",
    ),
}
"""Figures of `attribute`."""

SEASON = {
    "changes": (
        "columns",
        "Change of the mean column against TM5 by mode above the sets' top: domain, hotspots, "
        "background.",
        "Points with intervals: change against TM5 for each set and mode, by area",
    ),
    "errors": (
        "columns",
        "Mean column against the gridded truth by mode above the sets' top.",
        "Points with intervals: error of the mean column for each set and mode, by area",
    ),
    "maps": (
        "columns",
        "Relative differences of the mean columns, pair by pair: above, with nothing above 5 km; "
        "below, with the operational a priori there.",
        "Maps of relative differences of columns, pairs in columns and modes in rows",
    ),
}
"""Figures of `make evidence`."""

CURVES = {
    "curves": (
        "training",
        "Losses and their terms against steps, phases one after the other: validation solid, "
        "training dotted.",
        "Training and validation losses against steps",
    )
}
"""The figure of `train`."""

COMPARISON = {
    "scatter": (
        "comparison",
        "Every pixel: above, the model as the instrument would see it against the column of the "
        "file; below, the model's own column against that with the model as a priori.",
        "Densities of model columns against satellite columns, sets in columns and ways in rows",
    ),
    "bias": (
        "comparison",
        "Mean of the model over mean of the satellite by kind of pixel, with intervals over days.",
        "Points with intervals: relative difference by region, season, hour, cloud and surface",
    ),
    "columns": (
        "comparison",
        "Mean columns of the instrument and of the models, on one scale.",
        "Maps of mean NO2 columns, retrieved and of the models",
    ),
    "differences": (
        "comparison",
        "Model over satellite, relative; below, absolute.",
        "Maps of relative and absolute differences of models and satellite",
    ),
    "regions": (
        "comparison",
        "The last set by region, relative; below, absolute.",
        "Zooms of the differences of the last set, one for each region",
    ),
}
"""Figures of `compare`."""

Captions = dict[str, tuple[str, str, str]]


def embed(data: bytes, name: str, caption: str, alt: str) -> Figure:
    """Return a PNG or SVG figure with all of its bytes as a data URI.

    Raises
    ------
    ValueError
        If it is neither by content, or cut short.
    """
    if data.startswith(PNG):
        if b"IEND" not in data[-16:]:
            msg = "a PNG without its end"
            raise ValueError(msg)
        kind = "image/png"
        width, height = struct.unpack(">II", data[16:24])
    elif name.endswith(".svg") and b"<svg" in data[:4000]:
        kind = "image/svg+xml"
        found = _SVG_SIZE.search(data[:8000])
        width, height = (round(float(part)) for part in found.groups()) if found else (0, 0)
    else:
        msg = "neither PNG nor SVG by content"
        raise ValueError(msg)
    uri = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    return Figure(caption, alt, uri, name, len(data), int(width), int(height))


def add_figures(product: Product, folder: Folder, parent: str, captions: Captions) -> None:
    """Embed the known figures of a folder into a product, in the order of their captions."""
    by_stem: dict[str, list[str]] = {}
    for name in folder.names_in(parent):
        leaf = name.rpartition("/")[2]
        stem, dot, suffix = leaf.rpartition(".")
        if dot and f".{suffix}" in (*SUFFIXES, ".pdf"):
            by_stem.setdefault(stem, []).append(name)
    for stem, (section, caption, alt) in captions.items():
        drawn = [name for name in by_stem.get(stem, []) if name.endswith(SUFFIXES)]
        if drawn:  # of a figure drawn twice, PNG comes first in the order of names
            _add(product, folder, drawn[0], section, caption, alt)
        elif stem in by_stem:
            product.problems.append(f"{by_stem[stem][0]}: PDF is not shown; draw it as PNG or SVG")


def _add(product: Product, folder: Folder, name: str, section: str, caption: str, alt: str) -> None:
    """Embed one figure into a product; one that cannot be shown is a problem of it."""
    try:
        data = folder.read(name)
        product.add(section, embed(data, name, caption, alt))
        product.used[name] = checksum(data)
    except (OSError, ValueError) as error:
        product.problems.append(f"{name}: {' '.join(str(error).split())}")
