"""A month from downloads to a report on ground stations, of the twin world's services.

The twin's files stand behind services on the loopback that speak the real ones' protocols, so that
`dacno2-s5p run` does what it does every night: fetch, predict, re-retrieve, grid, draw, validate,
report. Nothing is real, no account is needed. A second call makes nothing anew; a later LAST adds
days: `python examples/08_month_from_services.py FOLDER [FIRST [LAST]]` (3 minutes a day).
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from cli.tasks.twin_services import KEY, recipe_text, serving

FIRST, LAST = "2023-06-01", "2023-06-30"
FILES = "l2,cams,era5,emissions,flights,geography,ground"
KINDS = ["orbits", "cams", "era5", "emissions", "flights", "pandora"]
STATIC = ("grip4", "geostat", "viirs", "merit", "corine")


def command(*arguments: object) -> None:
    """Run `dacno2-s5p` with arguments, as a shell would."""
    print("dacno2-s5p", *arguments, flush=True)
    program = [sys.executable, "-c", "from cli.main import main; main()"]
    subprocess.run([*program, *map(str, arguments)], check=True)


def run(served: Path, work: Path, first: str, last: str) -> Path:
    """Run the recipe in a workspace against the services; return the page."""
    work.mkdir(parents=True, exist_ok=True)
    for name in STATIC:  # maps that a person fetches in a browser
        if (served / name).is_dir() and not (work / name).exists():
            (work / name).symlink_to((served / name).resolve())
    os.environ.setdefault("ECMWF_DATASTORES_KEY", KEY)
    with serving(served) as services:
        days = (date.fromisoformat(first), date.fromisoformat(last))
        recipe = work / "month.toml"
        recipe.write_text(recipe_text(services, *days, kinds=KINDS), encoding="utf-8")
        command("run", recipe)
    return work / "results" / "month" / "report.html"


def main(folder: Path, first: str = FIRST, last: str = "") -> Path:
    """Run the example; return the page."""
    last = last or (LAST if first == FIRST else first)
    command("twin", folder / "served", "--start", first, "--end", last, "--files", FILES)
    return run(folder / "served", folder / "work", first, last)


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), *sys.argv[2:]))
