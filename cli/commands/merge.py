"""`dacno2-s5p merge`: an orbit and its side file to one file."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from cli.console import print_json
from cli.options.shared import json_option, overwrite_option, verbosity_options


@click.command(short_help="An orbit and the side file of its new variables to one file.")
@click.argument("orbit", type=click.Path(path_type=Path, exists=True))
@click.argument("side", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.nc",
    help="What `--layout extend` would have written.",
)
@overwrite_option
@json_option
@verbosity_options
def merge(orbit: Path, side: Path, output: Path, *, overwrite: bool, as_json: bool) -> None:
    """Put the variables of SIDE, made by `reretrieve --layout side`, beside those of its ORBIT.

    Side files are small: keep them, and merge those whose originals you need beside.

    Examples:

    \b
      dacno2-s5p reretrieve ORBIT.nc -a cams=cams --layout side -o side.nc
      dacno2-s5p merge ORBIT.nc side.nc -o new.nc
    """
    from retrieval.l2.product.merge import merge as put_together

    put_together(orbit, side, output, overwrite=overwrite)
    if as_json:
        print_json({"orbit": str(orbit), "side": str(side), "output": str(output)})
        return
    click.echo(str(output))
