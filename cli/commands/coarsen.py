"""`dacno2-s5p coarsen`: a set averaged to the cells of a coarser one."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from cli.console import history_line, print_json, progress_bar
from cli.options.shared import (
    json_option,
    output_folder_option,
    overwrite_option,
    verbosity_options,
)


@click.command(short_help="A set averaged to 10 km or 1 degree: resolution and content apart.")
@click.argument("path", metavar="SET", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--to",
    "label",
    type=click.Choice(["10km", "1deg"]),
    required=True,
    help="10km: the 0.1 degree cells of CAMS. 1deg: the cells of TM5-MP, which `reretrieve` "
    "interpolates bilinearly, too.",
)
@click.option(
    "--boxes",
    is_flag=True,
    help="With 1deg: constant over each cell (in pieces of 0.2 degree), not interpolated.",
)
@output_folder_option("Folder to write.  [default: SET_10km or SET_1deg beside the set]")
@overwrite_option
@json_option
@verbosity_options
def coarsen(
    path: Path,
    label: str,
    output: Path | None,
    *,
    boxes: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Average profile files (or any set at heights above ground) to coarser cells.

    The result is a set like any other. The difference of a set and its average is what its
    resolution does; that of the average and a model on the same cells is what its content does.
    Cells are averaged by exact overlap, which keeps the amount of NO2; cells that the set covers
    to less than 99 % have no value.

    Examples:

    \b
      dacno2-s5p coarsen profiles --to 10km
      dacno2-s5p coarsen profiles --to 1deg --boxes -o boxes
      dacno2-s5p reretrieve ORBIT -a dacno2=profiles -a dacno2at10km=profiles_10km -a cams=cams
      dacno2-s5p maps map.nc --pair DACNO2/DACNO2AT10KM --pair DACNO2AT10KM/CAMS
    """
    from retrieval.apriori.coarsen import BOXES, RESOLUTIONS
    from retrieval.apriori.coarsen_files import coarsen_files
    from retrieval.apriori.sidecar import with_a_name

    resolution = RESOLUTIONS[label]
    if boxes:
        if label != "1deg":
            msg = "--boxes is for --to 1deg. Sets of 10 km are averaged over pixels as they are."
            raise click.UsageError(msg)
        resolution = BOXES
    path = with_a_name(path)
    folder = output or path.with_name(f"{path.stem}_{resolution.label}")
    with progress_bar("files") as progress:
        written = coarsen_files(
            path, folder, resolution, overwrite=overwrite, history=history_line(), progress=progress
        )
    if as_json:
        print_json({"set": str(path), "to": resolution.label, "files": [str(p) for p in written]})
        return
    click.echo(str(folder))
