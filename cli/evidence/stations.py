"""Which part of a bias at a station is whose: the twin's instruments against its known truth.

For each pair of a pixel and an instrument the difference satellite minus ground is the sum of

- a priori: the column with that a priori minus that with the true profiles,
- noise: what the spectrum's noise makes of the latter,
- retrieval: the rest of the latter minus the pixel's true column (clouds, albedo, stratosphere),
- dilution: the pixel's true column minus the true one over the station,
- path: that over the station minus that along the ray to the sun or the line of sight,
- instrument: the latter minus what was measured (noise, kernel, stratosphere taken off).

Run `python -m cli.evidence.stations FOLDER [-o TABLE.md] [-a NAME=PATH]`, with FOLDER as
`dacno2-s5p twin FOLDER --files l2,cams,truth,ground` fills it.
"""

from __future__ import annotations

import argparse
import csv
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from cli.console import logging_of_a_command
from cli.options.orbits import find_orbits
from cli.options.shared import split_named_path
from cli.story.ground import SKY, SUN, TRUTH
from retrieval.errors import NoOverlapError
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.simulate.truth_file import truth_path
from retrieval.substitution.job import Job
from retrieval.substitution.options import Above, Options
from retrieval.substitution.reretrieve import reretrieve
from retrieval.validation.ground_files import read_ground
from retrieval.validation.pairs import make_pairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.validation.pair import Pair

PARTS = ("a priori", "noise", "retrieval", "dilution", "path", "instrument")
TRUE_SET, RETRIEVED = "TRUTH", "stations"
PMOLEC = 1e15 / MOLEC_CM2_PER_MOL_M2
OVERPASS = np.timedelta64(30, "m")


@dataclass(frozen=True)
class Shares:
    """Parts of the differences of one instrument and a priori [mol m-2], a row a pair."""

    instrument: str
    product: str
    difference: np.ndarray
    parts: np.ndarray


def retrieve(folder: Path, sets: dict[str, Path]) -> list[Path]:
    """Re-retrieve the folder's orbits with the sets and the truth; what is there stays."""
    target = folder / RETRIEVED
    target.mkdir(exist_ok=True)
    named = {**sets, TRUE_SET.lower(): folder / "truth8"}
    done = []
    for orbit in find_orbits([folder / "orbits"], originals=True).paths:
        output = target / orbit.name
        if not output.exists():
            options = Options(above=Above.UPPER)
            try:
                reretrieve(orbit, Job(named, options, upper=folder / "ctm"), output)
            except NoOverlapError as error:  # a pass at the edge of the domain
                print(f"left out: {error}", file=sys.stderr)
                continue
        done.append(output)
    return done


def shares_of(folder: Path, outputs: Sequence[Path]) -> list[Shares]:
    """Pair the outputs with the instruments and divide the differences."""
    truth = read_truth(folder / TRUTH)
    found = []
    for instrument, place in ((SUN, "pandora"), (SKY, "maxdoas")):
        ground = read_ground(sorted((folder / place).iterdir()))
        pairs = [p for p in make_pairs(outputs, ground) if (p.station, instrument) in truth]
        if not pairs:
            continue
        pixel, noise = np.array([true_column(folder, pair) for pair in pairs]).T
        over, along = (
            np.array([_at(truth[p.station, instrument], p)[k] for p in pairs]) for k in (0, 1)
        )
        reference = np.array([p.reference_column for p in pairs])
        ideal = np.array([p.columns[TRUE_SET] for p in pairs])
        common = (noise, ideal - noise - pixel, pixel - over, over - along, along - reference)
        for product in pairs[0].columns:
            column = np.array([p.columns[product] for p in pairs])
            parts = np.stack([column - ideal, *common], axis=1)
            found.append(Shares(instrument, product, column - reference, parts))
    return found


def read_truth(folder: Path) -> dict[tuple[str, str], np.ndarray]:
    """Return the rows (time, over, along) of each station and instrument."""
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for path in sorted(folder.glob("*.csv")):
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            time = np.datetime64(row["time"].rstrip("Z"), "ms").astype(float)
            values = (time, float(row["over_station"]), float(row["along_path"]))
            rows.setdefault((row["station"], row["instrument"]), []).append(values)
    return {key: np.array(values) for key, values in rows.items()}


def _at(rows: np.ndarray, pair: Pair) -> np.ndarray:
    """Return the truth of the measurements in the window of a pair, mean of over and along."""
    distance = np.abs(rows[:, 0] - pair.time.astype("datetime64[ms]").astype(float))
    is_near = distance <= OVERPASS.astype("timedelta64[ms]").astype(float)
    return np.asarray(rows[is_near, 1:].mean(axis=0))


def true_column(folder: Path, pair: Pair) -> tuple[float, float]:
    """Return a pixel's true tropospheric column, and the noise of that with the true profiles."""
    path = truth_path(folder / "orbits" / pair.granule, folder / "orbits_truth")
    with netCDF4.Dataset(path) as file:
        column = _pixel(file, pair, "true_tropospheric_column")
        noise = _pixel(file, pair, "slant_column_noise")
    with netCDF4.Dataset(folder / RETRIEVED / pair.granule) as file:
        name = f"air_mass_factor_troposphere_{TRUE_SET}_apriori"
        return column, noise / _pixel(file["PRODUCT"], pair, name)


def _pixel(group: netCDF4.Dataset, pair: Pair, name: str) -> float:
    i, j = (
        int(np.flatnonzero(group[axis][:] == index)[0])
        for axis, index in (("scanline", pair.scanline), ("ground_pixel", pair.ground_pixel))
    )
    return float(np.ma.filled(np.ma.squeeze(group[name][...])[i, j], np.nan))


def table(shares: Sequence[Shares]) -> str:
    """Return the mean and the spread of each part as Markdown, in 1e15 molecules cm-2."""
    header = ["instrument", "a priori", "difference", *PARTS, "pairs"]
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for one in shares:
        columns = [one.difference, *one.parts.T]
        cells = [f"{c.mean() / PMOLEC:+.2f} ± {c.std() / PMOLEC:.2f}" for c in columns]
        row = [one.instrument, one.product, *cells, str(one.difference.size)]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines)


@logging_of_a_command()
def main(arguments: Sequence[str] | None = None) -> None:
    """Run as a command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("-a", "--apriori", action="append", default=[], metavar="NAME=PATH")
    given = parser.parse_args(arguments)
    sets = dict(split_named_path(text, "-a", "cams=cams") for text in given.apriori)
    outputs = retrieve(given.folder, sets or {"cams": given.folder / "cams"})
    text = table(shares_of(given.folder, outputs))
    if given.output is not None:
        given.output.write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
