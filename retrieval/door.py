"""What a notebook calls: files, sets and Datasets in, one `xarray.Dataset` out.

The functions do what the commands of the same names do, by the same code, and label the result.
"""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from retrieval.apriori.base import AprioriSet
from retrieval.apriori.in_memory import NAME as IN_MEMORY
from retrieval.apriori.registry import open_apriori
from retrieval.errors import ProductError
from retrieval.l2.identity import check_one_generation, one_file_an_orbit
from retrieval.l2.labels import product_dataset
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.orbit import Orbit
from retrieval.l2.product.write import Layout, product_attributes
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.l3.add import add_files
from retrieval.l3.areas import grid_of_area
from retrieval.l3.cells import parse_cell, regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.file import write_l3
from retrieval.l3.means import period_mean
from retrieval.l3.pixels import product_labels
from retrieval.physics.geometry.grids import EUROPE_PLANE, GEOGRAPHIC
from retrieval.substitution import substitute as chain
from retrieval.substitution.job import Job, OpenedSets, input_file, input_paths, orbit_time
from retrieval.substitution.options import Above, Options
from retrieval.substitution.reretrieve import (
    check_original,
    describe,
    provenance_of,
    say_what_is_assumed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyresample import AreaDefinition

    from retrieval.apriori.meteorology import Meteo
    from retrieval.physics.geometry.grids import BoundingBox
    from retrieval.validation.pair import PairOptions

    Given = str | Path | AprioriSet | xr.Dataset

__all__ = ["grid", "sample", "substitute", "validate"]

_DATA = Path(__file__).parent / "data"
SAMPLES = {
    "orbit": _DATA
    / "S5P_RPRO_L2__NO2____20230601T113338_20230601T131507_29185_03_020400_20230609T131507.nc",
    "model": _DATA / "model_20230601.nc",
}
"""Packaged files, both synthetic: some pixels over Paris, and a model's NO2 around them."""


def sample(name: str) -> Path:
    """Return a packaged file to try things with: "orbit" or "model".

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in SAMPLES:
        msg = f"Invalid sample. It is one of {', '.join(SAMPLES)}. Given {name!r}. Choose one."
        raise ValueError(msg)
    return SAMPLES[name]


def substitute(
    orbit: Orbit | str | Path,
    sets: Mapping[str, Given],
    options: Options | None = None,
    *,
    upper: Given | None = None,
    meteo: str | Path | Meteo | None = None,
) -> xr.Dataset:
    """Re-retrieve an orbit with one or more a-priori sets.

    Parameters
    ----------
    orbit : Orbit or path
        An open orbit, which stays open, or a file.
    sets : mapping of str to path, open set, or xarray.Dataset
        Sets by name, the primary first. A Dataset is any CF field of NO2, lazy or in memory; of a
        lazy one only what the orbit needs is computed.
    options : Options, optional
        Choices. By default those of the command; `upper` stands above the sets where it is given.
    upper : path, open set, or xarray.Dataset, optional
        Global set for `Above.UPPER`, common to all sets.
    meteo : path or open meteorology, optional
        Temperatures for layer heights; the standard atmosphere where absent.

    Returns
    -------
    xarray.Dataset
        On (scanline, ground_pixel): the variables that the command `reretrieve` writes, with the
        same numbers, names, units and meanings of flags; the orbit's own columns; `qa_value` from
        0 to 1; coordinates, `*_bounds`, `time`; provenance in `attrs`. Columns in mol m-2.

    Raises
    ------
    RetrievalError
        In one line: what is wrong with which input, and what to do.

    Examples
    --------
    >>> import retrieval as rt
    >>> new = rt.substitute(rt.open_orbit(path), {"cams": "cams/2023"})  # doctest: +SKIP
    >>> new.nitrogendioxide_tropospheric_column_CAMS_apriori.mean()  # doctest: +SKIP
    """
    options = options or Options(above=Above.CONSTANT_VMR if upper is None else Above.UPPER)
    job = Job(
        {name: _path_of(one) for name, one in sets.items()},
        options,
        upper=None if upper is None else _path_of(upper),
        meteo=Path(meteo) if isinstance(meteo, (str, Path)) else None,
        command=f"retrieval.substitute with {', '.join(name.upper() for name in sets)}",
    )
    with ExitStack() as stack:
        if not isinstance(orbit, Orbit):
            orbit = stack.enter_context(open_orbit(orbit))
        check_original(orbit)
        around = orbit_time(orbit)

        def opened(given: Given) -> AprioriSet:
            if isinstance(given, AprioriSet):
                return given
            return stack.enter_context(closing(open_apriori(given, around)))

        found = OpenedSets(
            {name: opened(one) for name, one in sets.items()},
            None if upper is None else opened(upper),
            _meteorology(meteo, around, stack),
        )
        say_what_is_assumed(orbit, found)
        table, crop = chain.substitute(
            orbit, found.sets, options, upper=found.upper, meteo=found.meteo
        )
        describe(table, orbit, found)
        named = [
            (role, path) for role, path in input_paths(orbit, job, found) if path != Path(IN_MEMORY)
        ]
        provenance = provenance_of(job, tuple(input_file(*one) for one in named), crop, found)
        attributes = product_attributes(table, Layout.EXTEND, provenance, crop, orbit.shape)
        return product_dataset(orbit, crop, orbit.read_footprints(crop), table, attributes)


def _path_of(given: object) -> Path:
    """Return what stands for a set in the provenance: its path, or that it was in memory."""
    return Path(given) if isinstance(given, (str, Path)) else Path(IN_MEMORY)


def _meteorology(
    meteo: str | Path | Meteo | None, around: np.datetime64, stack: ExitStack
) -> Meteo | None:
    if not isinstance(meteo, (str, Path)):
        return meteo
    from retrieval.apriori.meteorology import open_meteo  # only where one is given

    return stack.enter_context(closing(open_meteo(Path(meteo), around)))


def grid(
    files: Sequence[str | Path],
    cell: str = "2km",
    bbox: BoundingBox | None = None,
    *,
    crs: str = EUROPE_PLANE,
    area: AreaDefinition | str | None = None,
    products: Sequence[str] | None = None,
    qa_threshold: int = QA_RECOMMENDED,
    days: str | Path | None = None,
) -> xr.Dataset:
    """Average the columns of orbits over the cells of a grid, on one pixel set for all products.

    Parameters
    ----------
    files : sequence of path
        Original or re-retrieved L2 NO2 files.
    cell : str
        Size of the cells: "2km" in the plane of `crs`, "0.1deg" on longitude and latitude.
    bbox : tuple of float, optional
        West, south, east, north [degrees]; the defaults of the command `grid`.
    crs : str
        Plane of cells in km or m.
    area : pyresample.AreaDefinition or str, optional
        Its cells, instead of `cell`, `bbox` and `crs`; FILE:NAME names one of an `areas.yaml`.
    products : sequence of str, optional
        Labels of the columns, such as "TM5"; all of the first file by default.
    qa_threshold : int
        Pixels with a quality above it [percent] take part.
    days : path, optional
        Folder that keeps the sums of each day, to add more orbits later; none is kept by default.

    Returns
    -------
    xarray.Dataset
        What the command `grid` writes: a mean column a product [mol m-2], counts, coverage and
        weights, with time and its bounds.

    Raises
    ------
    RetrievalError
        If a file cannot be read, or files do not belong in one map.
    """
    chosen, _ = one_file_an_orbit([Path(file) for file in files])
    if not chosen:
        msg = "Invalid files. A map is made of one orbit at least. Given none. Name some files."
        raise ProductError(msg)
    check_one_generation(chosen)
    if area is None:
        size, is_degrees = parse_cell(cell)
        cells = regular_grid(size, bbox, GEOGRAPHIC if is_degrees else crs)
    else:
        cells = grid_of_area(area)
    labels = tuple(products) if products is not None else product_labels(chosen[0])
    job = GridJob(cells, labels, qa_threshold=qa_threshold)
    with TemporaryDirectory() as scratch:
        folder = Path(days) if days is not None else Path(scratch) / "days"
        report = add_files(DayStore.open(folder, job), chosen)
        if report.failed:
            name, error = report.failed[0]
            msg = f"{name} could not be gridded: {error}"
            raise ProductError(msg)
        path = write_l3(Path(scratch) / "l3.nc", period_mean(folder))
        with xr.open_dataset(path) as made:
            loaded: Any = made.load()
    return loaded  # type: ignore[no-any-return]


def validate(
    orbits: Sequence[str | Path] | str | Path,
    ground: Sequence[str | Path] | str | Path,
    options: PairOptions | None = None,
    *,
    n_draw: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Pair orbits with columns from the ground and score every a priori on the same pairs.

    Parameters
    ----------
    orbits : path or sequence of path
        Original or re-retrieved files; all must hold the same a-priori sets.
    ground : path or sequence of path
        Pandora L2, GEOMS, or tables.
    options : PairOptions, optional
        How they are brought together; the rules of the command by default.
    n_draw, seed : int
        Draws of days behind the intervals, and their seed.

    Returns
    -------
    xarray.Dataset
        On `pair`: what `pairs.csv` has, `column` on (pair, product) [mol m-2]. On (scope, product,
        statistic): `score`, `score_low` and `score_high` (95 % interval); `n` on scope.

    Raises
    ------
    RetrievalError
        If a file cannot be read, the orbits hold different sets, or there is no pair.

    Examples
    --------
    >>> import retrieval as rt
    >>> found = rt.validate(["new.nc"], "pandora.txt")  # doctest: +SKIP
    >>> found.score.sel(scope="all", statistic="median_difference")  # doctest: +SKIP
    """
    from retrieval.validation.ground_files import read_ground
    from retrieval.validation.pair_scores import score_pairs
    from retrieval.validation.pairs import make_pairs

    files = [Path(one) for one in ([orbits] if isinstance(orbits, str | Path) else orbits)]
    given = [Path(one) for one in ([ground] if isinstance(ground, str | Path) else ground)]
    pairs = make_pairs(files, read_ground(given), options)
    sets = {tuple(pair.columns) for pair in pairs}
    if len(sets) != 1:
        said = " and ".join(", ".join(one) for one in sorted(sets)) or "no pair"
        msg = (
            "Invalid orbits to validate. Some pixel must hold a station in time, and all must have "
            f"the same a-priori sets. Given {said}. Choose other orbits, ground data or options."
        )
        raise ProductError(msg)
    products = list(sets.pop())
    rows = [pair.row() for pair in pairs]
    names = [name for name in rows[0] if not name.startswith("column_")]
    found = xr.Dataset({name: ("pair", [row[name] for row in rows]) for name in names})
    found["time"] = ("pair", np.array([pair.time for pair in pairs]).astype("datetime64[ns]"))
    columns = [[pair.columns[name] for name in products] for pair in pairs]
    found["column"] = (("pair", "product"), np.array(columns), {"units": "mol m-2"})
    found["reference_column"].attrs["units"] = "mol m-2"
    scores = score_pairs(pairs, n_draw=n_draw, seed=seed)
    axes = [list(dict.fromkeys(getattr(s, axis) for s in scores)) for axis in _SCORED]
    shape = tuple(map(len, axes))
    for part, name in (("value", "score"), ("low", "score_low"), ("high", "score_high")):
        values = np.array([getattr(score, part) for score in scores]).reshape(shape)
        found[name] = (_SCORED, values)
    found["n"] = ("scope", np.array([s.n for s in scores]).reshape(shape)[:, 0, 0])
    return found.assign_coords(dict(zip(_SCORED, axes, strict=True)))


_SCORED = ("scope", "product", "statistic")
