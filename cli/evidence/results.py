"""From daily sums to what is kept: tables, figures, and a page that holds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.evidence.day import TM5_CUT
from cli.evidence.figures import draw_changes, draw_errors, draw_maps
from cli.evidence.gridding import AVERAGES, COMMON, TRUE, Plan
from cli.evidence.numbers import (
    BACKGROUND,
    HOTSPOTS,
    N_REPLICATE,
    Found,
    numbers_of,
    quarters_of,
)
from cli.evidence.predictions import predictions_table, update_block
from cli.evidence.retrieve import label
from cli.evidence.tables import (
    AREAS,
    changes_table,
    means_table,
    quarters_table,
    steps_table,
    three_numbers_table,
    write_csv,
)
from cli.story.day import DACNO2
from retrieval.files.tables import write_text
from retrieval.l2.names import TM5
from retrieval.maps.regions import DOMAIN, REGIONS
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PAGE = """# Results of the twin season

Written by `make evidence`; [evidence.md](../evidence.md) says what they mean. Synthetic data.
{n_day} days from {first} to {last}, one orbit a day; columns gridded to 4 km, cells measured on
{minimum} or more days, one mask for all sets and modes. {network}
Changes are ratios of means in percent, with 95 % intervals of a bootstrap over days in brackets.
Hotspots and background are cells at or above the 95th percentile (and 5e15 molec cm-2) and at or
below the median of the true mean column. All numbers, with the means of the cells' relative
differences and their medians, are in [season.csv](season.csv).

## Predictions

{predictions}

## Change against TM5 by mode

{changes}

![Change against TM5](changes.png)

## The paper's numbers: domain means in three readings

{three}

## Mean column against the true one

{errors}

![Mean column against the truth](errors.png)

## Mean columns in mode `upper` [1e15 molec cm-2]

{means}

## Content and resolution

On the cells that the averages to 1 degree serve, half a degree inside of the domain. The steps
multiply to the whole change.

{steps}

## By quarter of the year: change of the domain's mean

{quarters}

## Maps

![Relative differences with nothing above 5 km, and with TM5 there](maps.png)
"""


@dataclass(frozen=True)
class Source:
    """What the results are made from, for the page and the note beside it."""

    days: Sequence[str]
    checkpoint: str = ""
    fingerprint: str = ""

    @property
    def network(self) -> str:
        """A sentence on the network."""
        if not self.checkpoint:
            return "No checkpoint was at hand: without DACNO2-S5P."
        return f"DACNO2-S5P: {self.checkpoint}, SHA-256 {self.fingerprint[:12]}."


def write_results(
    plans: Sequence[Plan], folder: Path, source: Source, *, n_replicate: int = N_REPLICATE
) -> list[Path]:
    """Compute and write tables, figures, page and note.

    Returns
    -------
    list of Path
        What was written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = {plan.name: numbers_of(plan, n_replicate=n_replicate) for plan in plans}
    common = found[COMMON]
    common_plan = next(plan for plan in plans if plan.name == COMMON)
    written = [folder / name for name in ("season.csv", "results.md", "source.json")]
    write_csv(written[0], found)
    page = PAGE.format(
        n_day=common.l3.n_day,
        first=common.l3.period[0],
        last=common.l3.period[1],
        minimum=common.sampling.minimum_days,
        network=source.network,
        predictions=predictions_table(common),
        changes=changes_table(common, AREAS, TM5),
        three=three_numbers_table(common),
        errors=changes_table(common, (*AREAS, *(region.name for region in REGIONS)), TRUE),
        means=means_table(common, Above.UPPER),
        steps=steps_table(found[AVERAGES]),
        quarters=quarters_table(quarters_of(common_plan, _quarter_pairs(common))),
    )
    write_text(written[1], page, overwrite=True)
    summary = f"{common.l3.n_day} days. {source.network}\n\n{predictions_table(common)}"
    update_block(folder.parent / f"{folder.name}.md", summary)
    note = {
        "data": "synthetic: twin world",
        "days": list(source.days),
        "checkpoint": source.checkpoint,
        "checkpoint_sha256": source.fingerprint,
        "bootstrap": n_replicate,
        "areas": [DOMAIN.name, *(region.name for region in REGIONS), HOTSPOTS, BACKGROUND],
    }
    write_text(written[2], json.dumps(note, indent=1) + "\n", overwrite=True)
    return [
        *written,
        draw_changes(common, folder / "changes.png"),
        draw_errors(common, folder / "errors.png"),
        draw_maps(common, _MAPPED, _map_pairs(common), folder / "maps.png"),
    ]


_MAPPED = (Above.NONE, Above.UPPER)


def _quarter_pairs(found: Found) -> list[tuple[str, str]]:
    """Choose what may depend on the sun: changes against TM5 in two modes, and errors."""
    names = [TM5_CUT, "cams", DACNO2, "truth8"]
    pairs = [(label(name, mode), TM5) for mode in _MAPPED for name in names]
    pairs += [(TM5, TRUE), *((label(name, Above.UPPER), TRUE) for name in names)]
    return [pair for pair in pairs if set(pair) <= set(found.l3.products)]


def _map_pairs(found: Found) -> list[tuple[str, str]]:
    """Choose the paper's three pairs; the true profiles stand for an absent network."""
    fine = next(name for name in ("DACNO2", "TRUTH8") if name in found.sets)
    return [("CAMS", TM5), (fine, TM5), (fine, "CAMS")]
