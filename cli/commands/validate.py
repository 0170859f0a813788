"""`dacno2-s5p validate`: satellite columns beside those from the ground, before and after."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import EXIT_DATA, note, print_json, print_table, progress_bar
from cli.options.orbits import find_orbits
from cli.options.shared import (
    allow_empty_option,
    bootstrap_option,
    choice_option,
    json_option,
    output_folder_option,
    overwrite_option,
    parse_named_path,
    qa_option,
    seed_option,
    sensor_option,
    update_option,
    verbosity_options,
)
from cli.reporting.origin import (
    LEAF,
    input_file,
    input_folder,
    is_made_of,
    is_ours,
    origin_of,
    write_origin,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.files.provenance import InputFile, Provenance
    from retrieval.validation.ground_columns import GroundColumns
    from retrieval.validation.pair import Pair, PairOptions
    from retrieval.validation.pair_scores import Score

SURFACE = "EEA"
"""Network of the surface stations, whose pairs are of concentrations."""


@click.command(short_help="Pairs with ground-based columns and their scores, before and after.")
@sensor_option
@click.argument("orbits", metavar="[ORBIT]...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "-g",
    "--ground",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Ground data: Pandora L2, GEOMS, or a CSV; a folder of them. Repeatable.",
)
@output_folder_option("Folder of pairs, scores and figures.", "validation")
@click.option(
    "--window",
    default="30min",
    show_default=True,
    metavar="TIME",
    help="References this long before and after the overpass are averaged (min or h).",
)
@choice_option(
    "--match",
    ["contains", "nearest", "radius"],
    "contains",
    "The pixel that contains the station, the nearest, or the mean of those within --radius.",
)
@click.option(
    "--radius",
    type=click.FloatRange(min=0.0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="KM",
    help="Of --match radius, and the farthest centre of nearest [km].",
)
@click.option(
    "--flags",
    default="0,1,10,11",
    show_default=True,
    metavar="N,N,...",
    help="Quality flags of the ground data that count.",
)
@choice_option(
    "--stratosphere",
    ["satellite", "climatology"],
    "satellite",
    "What is taken off total columns of the direct sun.",
)
@click.option(
    "--surface",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="EEA stations beside the sets' own surface values, at overpasses that a pixel of good "
    "quality sees. Writes surface_pairs.csv and surface_scores.csv.",
)
@click.option(
    "--profiles",
    is_flag=True,
    help="The sets' profiles (--apriori) beside those of --ground, smoothed with their kernels, by "
    "height, hour and season; without ORBIT.",
)
@choice_option(
    "--smooth",
    ["none", "reference", "satellite"],
    "none",
    "Where the reference has a profile: none; the reference through the satellite's kernels; the "
    "satellite with the reference's profile as its a priori.",
)
@click.option(
    "-a",
    "--apriori",
    multiple=True,
    metavar="NAME=PATH",
    help="An a-priori set to read at the stations: its surface value goes into the pairs. "
    "Repeatable.",
)
@click.option(
    "--dilution",
    metavar="NAME",
    help="Score also with references that this set, much finer than the pixel, spreads over it: "
    "divided by the ratio of its column at the station to its mean over the pixel.",
)
@qa_option("Pixels with a higher quality value count.", 100)
@bootstrap_option("days", 1000)
@seed_option("Seed of the draws.")
@allow_empty_option
@overwrite_option
@update_option
@json_option
@verbosity_options
def validate(
    orbits: tuple[Path, ...],
    ground: tuple[Path, ...],
    surface: Path | None,
    profiles: bool,
    output: Path,
    overwrite: bool,
    update: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Pair each ORBIT (original or re-retrieved) with ground-based columns, and score them.

    Every a priori of a file is scored on the same pairs: what differs between them is the a priori.
    Writes pairs.csv, scores.csv, scores.md, figures and provenance.json.

    Examples:

    \b
      dacno2-s5p validate re-retrieved --ground pandora -o validation
      dacno2-s5p validate new.nc -g Pandora118s1_Cabauw_L2_rnvh3p1-8.txt --window 1h
      dacno2-s5p validate new -g maxdoas --smooth reference -a dacno2=profiles --dilution dacno2
    """
    how = _options(options)
    if profiles:
        _profiles(orbits, ground, how, output, overwrite=overwrite, as_json=as_json)
        return
    if not orbits:
        msg = "there is no ORBIT. Give orbits, or --profiles for the sets alone."
        raise click.UsageError(msg)
    _check_references(ground, surface, how)
    files = _ground_files(ground) if ground else []
    paths = find_orbits(orbits, originals=False).paths
    inputs = [input_file(p, "orbit") for p in paths] + _inputs(files, how)
    inputs += [] if surface is None else [input_folder(surface, "surface stations")]
    origin = origin_of(inputs, options)
    if update and is_made_of(output / LEAF, origin):
        _say_skipped(output, as_json=as_json)
        return
    overwrite = overwrite or (update and is_ours(output / LEAF))
    stations = _stations(files, surface)
    found, failures = _pairs(paths, stations, how)
    pairs = [pair for pair in found if pair.network != SURFACE]
    at_ground = [pair for pair in found if pair.network == SURFACE]
    how_written = {"overwrite": overwrite, "as_json": as_json}
    _write_all(output, (pairs, at_ground), paths, origin, options, **how_written)
    if not found or (ground and not pairs):
        failures.insert(0, _nothing(paths, stations))
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        sys.exit(EXIT_DATA)


def _inputs(files: list[Path], how: PairOptions) -> list[InputFile]:
    found = [input_file(path, "ground") for path in files]
    for name, path in how.sets.items():
        found.append(input_file(path, name) if path.is_file() else input_folder(path, name))
    return found


def _stations(files: list[Path], surface: Path | None) -> list[GroundColumns]:
    from retrieval.validation.ground_files import read_ground

    if surface is None:
        return read_ground(files)
    from cli.tasks.surface import read_surface

    return read_ground(files) + read_surface(surface)


def _write_all(
    output: Path,
    pairs: tuple[list[Pair], list[Pair]],
    paths: Sequence[Path],
    origin: Provenance,
    options: dict[str, Any],
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write and say what there is: pairs of columns, pairs at the surface, where they are from."""
    from cli.tasks.validation import write_surface, write_validation

    of_columns, at_ground = pairs
    if at_ground:
        write_surface(output, at_ground, options, overwrite=overwrite)
    if of_columns:
        scores = write_validation(output, of_columns, paths, origin, options, overwrite=overwrite)
        _say(output, of_columns, scores, as_json)
    elif at_ground:
        write_origin(output / LEAF, origin, overwrite=overwrite)
        _say_surface(output, at_ground, as_json=as_json)


def _profiles(
    orbits: tuple[Path, ...],
    ground: tuple[Path, ...],
    how: PairOptions,
    output: Path,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Hold the sets' profiles against measured ones."""
    from cli.tasks.validation import write_profiles
    from retrieval.errors import DataError
    from retrieval.validation.ground_files import read_ground
    from retrieval.validation.pairs import usable
    from retrieval.validation.profiles import pair_profiles

    if orbits or not ground or not how.sets:
        msg = "--profiles takes --ground FILE and --apriori NAME=PATH, and no ORBIT."
        raise click.UsageError(msg)
    files = _ground_files(ground)
    pairs = pair_profiles(usable(read_ground(files), how), how.sets)
    if not pairs:
        msg = (
            "No pair of profiles. A measured profile must lie in an hour that all sets serve. "
            f"Given {len(files)} files and {', '.join(how.sets)}. Check days and layers."
        )
        raise DataError(msg)
    origin = origin_of(_inputs(files, how), {"profiles": True})
    write_profiles(output, pairs, origin, overwrite=overwrite)
    if as_json:
        print_json({"output": str(output), "profiles": len(pairs)})
    else:
        click.echo(f"{len(pairs)} profiles in {output}")


def _check_references(ground: tuple[Path, ...], surface: Path | None, how: PairOptions) -> None:
    """Refuse a call that has nothing to hold columns or sets against."""
    if not ground and surface is None:
        msg = "there is no ground data. Give --ground FILE, or --surface DIR."
        raise click.UsageError(msg)
    if surface is not None and not how.sets:
        msg = "--surface is for the sets' surface values. Give them: --apriori NAME=PATH."
        raise click.UsageError(msg)


def _say_surface(output: Path, pairs: list[Pair], *, as_json: bool) -> None:
    if as_json:
        print_json({"output": str(output), "surface_pairs": len(pairs)})
    else:
        click.echo(f"{len(pairs)} pairs with surface stations in {output}")


def _options(options: dict[str, Any]) -> PairOptions:
    import numpy as np

    from retrieval.validation.pair import Matching, PairOptions, Stratosphere
    from retrieval.validation.smoothing import Smooth

    match = re.fullmatch(r"(\d+)\s*(min|h)", options["window"].strip())
    if match is None or int(match[1]) == 0:
        msg = f"{options['window']!r} is no time. Write for example 30min or 1h."
        raise click.BadParameter(msg, param_hint="--window")
    minutes = int(match[1]) * {"min": 1, "h": 60}[match[2]]
    try:
        flags = tuple(int(x) for x in options["flags"].split(","))
    except ValueError as error:
        msg = f"{options['flags']!r} are no flags. Write for example 0,1,10,11."
        raise click.BadParameter(msg, param_hint="--flags") from error
    sets = dict(
        parse_named_path(text, "--apriori", "dacno2=profiles") for text in options["apriori"]
    )
    sets = {name.upper().replace("-", "_"): path for name, path in sets.items()}
    dilution = (options["dilution"] or "").upper().replace("-", "_")
    if dilution and dilution not in sets:
        msg = f"{options['dilution']!r} is none of the sets. Give it: --apriori {dilution}=PATH."
        raise click.BadParameter(msg, param_hint="--dilution")
    return PairOptions(
        smooth=Smooth(options["smooth"]),
        sets=sets,
        dilution=dilution,
        window=np.timedelta64(minutes, "m"),
        matching=Matching(options["match"]),
        radius=1000.0 * options["radius"],
        flags=flags,
        stratosphere=Stratosphere(options["stratosphere"]),
        qa=options["qa"],
    )


def _ground_files(given: tuple[Path, ...]) -> list[Path]:
    """Return the files, those of folders by name; hidden ones are not ours."""
    files: list[Path] = []
    for path in given:
        if not path.exists():
            msg = f"{path} does not exist. Check the path."
            raise click.BadParameter(msg, param_hint="--ground")
        inside = (
            sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            if (path.is_dir())
            else [path]
        )
        files += inside
    if not files:
        msg = f"{given[0]} holds no file. Give Pandora, GEOMS or CSV files."
        raise click.BadParameter(msg, param_hint="--ground")
    return files


def _pairs(
    paths: Sequence[Path], stations: list[GroundColumns], how: PairOptions
) -> tuple[list[Pair], list[str]]:
    """Pair orbit by orbit; a bad one does not stop the rest."""
    from cli.console import one_line, show_traceback
    from retrieval.validation.pairs import distinct, pair_orbit, usable

    kept = usable(stations, how)
    pairs: list[Pair] = []
    failures = []
    with progress_bar("Pairing") as update:
        for i, path in enumerate(paths):
            try:
                pairs += pair_orbit(path, kept, how)
            except Exception as error:
                show_traceback(error)
                failures.append(f"Error: {path}: {one_line(error)}")
            if update is not None:
                update(i + 1, len(paths))
    return distinct(pairs, how), failures


def _nothing(paths: Sequence[Path], stations: list[GroundColumns]) -> str:
    """Say why there may be no pair: where and when the stations are."""
    from retrieval.l2.open_orbit import open_lenient

    when = [s.time for s in stations if len(s)]
    period = f"{min(t[0] for t in when)} to {max(t[-1] for t in when)}" if when else "no time"
    with open_lenient(paths[0]) as orbit:
        time = orbit.scanline_times(orbit.full)
    places = ", ".join(f"{s.station} {s.latitude:.2f} {s.longitude:.2f}" for s in stations[:4])
    return (
        "Error: No pair. A pixel must hold a station within the window. Given "
        f"{len(paths)} orbit(s) from {time.min()} on, ground data of {period} at {places}. Check "
        "days and places, or widen --window or --match."
    )


def _say_skipped(output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"output": str(output), "skipped": "done before"})
    else:
        click.echo(f"skipped {output}: done before, from the same content and options")


def _say(output: Path, pairs: list[Pair], scores: list[Score], as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "output": str(output),
                "pairs": len(pairs),
                "stations": sorted({p.station for p in pairs}),
                "scores": [s._asdict() for s in scores if s.scope == "all"],
            }
        )
        return
    from cli.tasks.validation import score_table

    header, rows = score_table(scores)
    print_table("Pairs (columns in 1e15 molecules cm-2)", header, rows)
    note(f"{len(pairs)} pairs in {output}")
