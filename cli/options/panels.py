"""Where an option stands in a command's help: what goes in, what comes out, the method, the rest.

An option is placed by its flag, since a flag means one thing in all commands; what is named nowhere
here is of the command's own method.
"""

from __future__ import annotations

import click

INPUT, METHOD, OUTPUT = "What goes in", "Method", "What comes out"
WORK, WORDS = "Many files, again and in parallel", "What is said"

PANELS = {
    INPUT: """
        --apriori --area --bbox --best-version --cams --checkpoint --collection --constants --date
        --days --end --evaluation-stations --files --forecast --from --grid --inputs
        --inventory-version --meteo --pair --period --point --polygons --predictions --product
        --raster-year --recipe --record --region --run --site --source --stage --start
        --station-offset --station-zone --stations --store --target --training-stations --upper
        --weather-end --where --with --workspace --year-excluded --year-held
    """,
    OUTPUT: """
        --draw-stations --format --kernels --layout --output --overwrite --profiles
        --raw-uncertainty --title --update
    """,
    WORK: """
        --allow-empty --allow-mixed --allow-synthetic --jobs --resume --scheduler --skip-missing
        --stop-after --threads --time-limit
    """,
    WORDS: "--dry-run --json --log-file --quiet --verbose --what-to-download",
}
"""Flags of each panel but METHOD, which takes what is left."""

ORDER = (INPUT, METHOD, OUTPUT, WORK, WORDS)
_PANEL_OF = {flag: panel for panel, flags in PANELS.items() for flag in flags.split()}


def panel_of(option: click.Parameter) -> str:
    """Return the panel of an option, by its long flag."""
    found = [_PANEL_OF[flag] for flag in option.opts if flag in _PANEL_OF]
    return found[0] if found else METHOD


def place_options(command: click.Command) -> None:
    """Put the options of a command into panels, in their order."""
    command.params.sort(key=lambda one: ORDER.index(panel_of(one)))
    for option in command.params:
        if isinstance(option, click.Option):
            option.panel = panel_of(option)  # type: ignore[attr-defined]
