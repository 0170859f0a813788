"""`dacno2-s5p report`: tables and figures of a folder as one self-contained HTML page."""

from __future__ import annotations

import logging
from pathlib import Path

import rich_click as click

from cli.console import print_json
from cli.options.shared import (
    json_option,
    output_file_option,
    overwrite_option,
    update_option,
    verbosity_options,
)

logger = logging.getLogger(__name__)

TITLE = "NO₂ columns and a-priori profiles: a report"
MEGABYTE = 1_000_000


@click.command(short_help="Tables and figures of a folder as one self-contained HTML page.")
@click.argument(
    "folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False)
)
@output_file_option("FILE.html", "The page.  [default: DIR/report.html]")
@click.option("--title", default=TITLE, show_default=True, help="Heading of the page.")
@click.option(
    "--warn-above",
    type=click.FloatRange(min=0.0, min_open=True),
    default=25.0,
    show_default=True,
    metavar="MB",
    help="Warn of a page larger than this: mail and phones refuse it.",
)
@overwrite_option
@update_option
@json_option
@verbosity_options
def report(
    folder: Path,
    output: Path | None,
    title: str,
    warn_above: float,
    *,
    overwrite: bool,
    update: bool,
    as_json: bool,
) -> None:
    """Gather what demo, evaluate, validate, grid, maps, attribute and train wrote below DIR.

    The page opens from disk, offline, on a phone and in print; it holds no script and fetches
    nothing. Commands are recognised by the files that only they write, wherever they lie; other
    files are listed, links are not followed. The same folder gives the same bytes.

    Examples:

    \b
      dacno2-s5p report demo
      dacno2-s5p report evidence -o evidence.html --title "Summer 2023"
    """
    from cli.reporting.folder import clean, size_text
    from cli.reporting.page import gather, is_page, render
    from retrieval.files.atomic import atomic_output, check_output

    target = folder / "report.html" if output is None else output
    if target.suffix != ".html":
        msg = f"{target} must end in .html."
        raise click.BadParameter(msg, param_hint="-o")
    overwrite = overwrite or (update and is_page(target))
    check_output(target, overwrite=overwrite)
    found = gather(folder, title=title, leave_out=target)
    page = render(found).encode()
    is_new = not (update and target.is_file() and target.read_bytes() == page)
    if is_new:
        with atomic_output(target, overwrite=overwrite) as temporary:
            temporary.write_bytes(page)
    if len(page) > warn_above * MEGABYTE:
        logger.warning(
            "The page is %s, above %g MB. Draw figures with fewer points or report folders apart.",
            size_text(len(page)),
            warn_above,
        )
    counts = {"tables": found.n_table, "figures": found.n_figure, "bytes": len(page)}
    if as_json:
        problems = [text for product in found.products for text in product.problems]
        done = {} if is_new else {"skipped": "done before"}
        print_json(
            {"file": str(target), **counts, "synthetic": found.synthetic, "not_shown": problems}
            | done
        )
        return
    for product in found.products:
        for problem in product.problems:
            logger.warning("Not shown: %s", clean(problem))
    click.echo(
        f"{target}\t{size_text(len(page))}, {found.n_table} tables, {found.n_figure} figures"
    )
