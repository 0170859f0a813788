"""`dacno2-s5p demo`: the whole story on the embedded twin world."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import print_table, progress_bar
from cli.options.shared import json_option, output_folder_option, twin_date, verbosity_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.story.day import Columns
    from retrieval.substitution.options import Above


logger = logging.getLogger(__name__)


@click.command(short_help="The whole story on synthetic files: no download, no argument needed.")
@output_folder_option(
    "Folder for files, figures, table.md and summary.json; its files are replaced.", "demo"
)
@click.option(
    "--date",
    default=None,
    metavar="YYYY-MM-DD",
    show_default="2023-06-01",
    help="Day of the twin world, 2019 to 2024.",
)
@json_option
@verbosity_options
def demo(output: Path, date: str | None, *, as_json: bool) -> None:
    """One day of a synthetic Western Europe whose NO2 is known: files, orbit, retrieval, truth.

    Writes the day's files in the real layouts, simulates the overpass, re-retrieves it with each
    a-priori set in each mode above the sets' top, and says which comes closer to the truth.
    """
    from cli.story.day import DATE, HEADLINE
    from cli.story.numbers import (
        HEADER,
        LEGEND,
        WHY_UPPER,
        summary,
        table_rows,
        write_summary,
        write_table,
    )

    day = twin_date(date or DATE, "--date")
    modes = _run(output, day)
    found = summary(modes, day)
    legend = {name: LEGEND[name] for name in modes[HEADLINE].products if name in LEGEND}
    write_summary(output / "summary.json", found)
    write_table(output / "table.md", modes, legend)
    figures = _figures(modes[HEADLINE], output / "workspace" / "ctm", output / "figures", day)
    if as_json:
        import json

        click.echo(json.dumps(found, indent=2))
        return
    rows = [[str(mode), *row] for mode, columns in modes.items() for row in table_rows(columns)]
    print_table(f"Against the truth (headline: {HEADLINE})", ["--above", *HEADER], rows)
    click.echo(WHY_UPPER)
    for path in (output / "summary.json", output / "table.md", *figures):
        click.echo(path)


def _run(output: Path, day: str) -> dict[Above, Columns]:
    """Make the files, simulate, re-retrieve; returns what to compare, by mode."""
    from cli.story import day as story
    from dacno2_s5p.network.checkpoint import shipped_checkpoint
    from dacno2_s5p.twin.true_world import SEED
    from dacno2_s5p.twin.twin import Twin

    checkpoint = shipped_checkpoint(cams=True) or shipped_checkpoint()
    with progress_bar(f"Twin world, {day}: geography, weather, NO2") as progress:
        twin = Twin(SEED, story.version_for(checkpoint))
        swath = story.best_swath(day)
        if progress is not None:
            progress(1, 3)
        files = story.write_day(twin, day, swath, output / "workspace")
    if checkpoint is None:
        logger.warning("there is no packaged checkpoint: the demo goes without DACNO2-S5P")
    else:
        with progress_bar("Predicting DACNO2-S5P profiles") as progress:
            story.predict_profiles(twin, day, files, output / "workspace", checkpoint, progress)
    with progress_bar("Simulating the orbit") as progress:
        story.simulate_day(twin, swath, files, output / "orbits", progress)
    with progress_bar("Re-retrieving") as progress:
        outputs = story.retrieve_day(files, output / "retrieved", progress)
    return {
        mode: story.load_columns(path, files.truth, list(files.sets))
        for mode, path in outputs.items()
    }


def _figures(columns: Columns, ctm: Path, folder: Path, day: str) -> list[Path]:
    from cli.story.figures import draw_changes, draw_columns, draw_profiles, draw_regions
    from cli.story.numbers import gridded
    from retrieval.files.atomic import make_folder
    from retrieval.l3.differences import default_pairs

    make_folder(folder)
    l3 = gridded(columns, day)
    pairs = default_pairs([name for name in columns.products if name not in ("TRUTH", "TRUE")])
    with progress_bar("Drawing") as progress:
        jobs: list[Callable[[], Path]] = [
            lambda: draw_columns(columns, folder / "columns.png", day),
            lambda: draw_changes(l3, pairs, folder / "relative_change.png", day),
            lambda: draw_regions(columns, folder / "regions.png", day),
            lambda: draw_profiles(columns, ctm, folder / "profiles.png", day),
        ]
        paths = []
        for i, job in enumerate(jobs):
            paths.append(job())
            if progress is not None:
                progress(i + 1, len(jobs))
    return paths
