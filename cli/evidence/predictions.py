"""What the hypothesis on the missing upper troposphere predicts, and whether it came out.

The predictions are those of docs/equations.md 6.2, 3.6 and 7.3, made before any of these numbers;
each is held against the season's numbers here, so that the page says what was found, either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cli.evidence.day import FINE, TM5_CUT
from cli.evidence.gridding import TRUE
from cli.evidence.numbers import BACKGROUND
from cli.evidence.retrieve import label
from cli.evidence.tables import NAMES, markdown, signed, with_interval
from cli.story.day import DACNO2
from retrieval.l2.names import TM5
from retrieval.maps.regions import DOMAIN
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.evidence.numbers import Found
    from retrieval.l3.differences import AreaNumbers

BEGIN, END = "<!-- begin: written by make evidence -->", "<!-- end -->"
LARGE, SMALL = 15.0, 5.0
"""Changes [%] that count as large and small: docs/equations.md 3.6 has +12 to +44 % for nothing
above 5 km, and -8 to +15 % for the same mixing ratio there."""
CANCELS = 2.0
"""By how much the difference of two sets may depend on the mode [%]."""


class Row(NamedTuple):
    """One prediction, what was found, and whether it holds; None where there are no numbers."""

    prediction: str
    found: str
    holds: bool | None


def predictions(found: Found) -> list[Row]:
    """Hold each prediction against the numbers of the season's common maps."""
    return [*_cut(found), *_sets(found), *_pairs(found), *_errors(found)]


def _cut(found: Found) -> Iterator[Row]:
    one = _number(found, label(TM5_CUT, Above.NONE), TM5)
    yield Row(
        f"`none`: TM5's own profile cut at 5 km raises the mean column by more than {LARGE:.0f} %",
        with_interval(one),
        one is not None and _low(one) > LARGE,
    )
    whole = _number(found, label(TM5_CUT, Above.UPPER), TM5)
    yield Row(
        "`upper`: the same profile, its upper part given back, changes nothing",
        with_interval(whole),
        whole is not None and abs(whole.ratio_of_means) < 0.1,
    )


def _sets(found: Found) -> Iterator[Row]:
    cut = _number(found, label(TM5_CUT, Above.NONE), TM5)
    for name in _present(found):
        title = NAMES[name.upper()]
        none = _number(found, label(name, Above.NONE), TM5)
        own = _number(found, label(name, Above.NONE), label(TM5_CUT, Above.NONE))
        upper = _number(found, label(name, Above.UPPER), TM5)
        if none is None or own is None or upper is None or cut is None:
            continue
        yield Row(
            f"`none`, {title}: the change is the cut's; what the set itself adds is less than a "
            "third of it",
            f"{with_interval(none)}; set / cut TM5 {with_interval(own)}",
            abs(own.ratio_of_means) < cut.ratio_of_means / 3,
        )
        yield Row(
            f"`upper`, {title}: the domain's mean changes by less than {SMALL:.0f} %",
            with_interval(upper),
            abs(upper.ratio_of_means) < SMALL,
        )
        yield Row(
            f"{title}: mean of cells above ratio of means in `none`, not in `upper`",
            f"{_both(none)}; {_both(upper)}",
            none.mean_of_cells > none.ratio_of_means
            and upper.mean_of_cells <= upper.ratio_of_means,
        )


def _pairs(found: Found) -> Iterator[Row]:
    for name in FINE:
        modes = (Above.NONE, Above.UPPER)
        pair = [_number(found, label(name, m), label("cams", m)) for m in modes]
        none, upper = pair
        if none is None or upper is None:
            continue
        yield Row(
            f"{NAMES[name.upper()]} / CAMS: the same in `none` and `upper` to {CANCELS:.0f} %",
            f"{with_interval(none)}; {with_interval(upper)}",
            abs(none.ratio_of_means - upper.ratio_of_means) < CANCELS,
        )


def _errors(found: Found) -> Iterator[Row]:
    for name in _present(found):
        none, upper = (
            found.number(BACKGROUND, label(name, mode), TRUE) for mode in (Above.NONE, Above.UPPER)
        )
        if none is None or upper is None:
            continue
        yield Row(
            f"{NAMES[name.upper()]} against the truth in the background: more than {LARGE:.0f} % "
            f"too high with `none`, within {SMALL:.0f} % with `upper`",
            f"{with_interval(none)}; {with_interval(upper)}",
            _low(none) > LARGE and abs(upper.ratio_of_means) < SMALL,
        )


def _present(found: Found) -> list[str]:
    return [name for name in ("cams", DACNO2, "truth8") if name.upper() in found.sets]


def _number(found: Found, product: str, reference: str) -> AreaNumbers | None:
    return found.number(DOMAIN.name, product, reference)


def _low(one: AreaNumbers) -> float:
    """Lower end of the interval, the number itself where there is none."""
    low = one.ratio_of_means_low
    return low if np.isfinite(low) else one.ratio_of_means


def _both(one: AreaNumbers) -> str:
    return f"{signed(one.mean_of_cells)} and {signed(one.ratio_of_means)}"


def predictions_table(found: Found) -> str:
    """Write the predictions with what was found [%], and whether they hold."""
    rows = [
        [row.prediction, row.found, "yes" if row.holds else "**no**"] for row in predictions(found)
    ]
    return markdown(["prediction", "found [%]", "holds"], rows)


def update_block(path: Path, text: str) -> bool:
    """Replace what stands between the marks of a page; tells whether the page has them."""
    from retrieval.files.tables import write_text

    page = path.read_text(encoding="utf-8") if path.exists() else ""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        return False
    write_text(path, f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", overwrite=True)
    return True
