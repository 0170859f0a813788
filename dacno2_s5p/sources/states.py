"""The states whose flights are summed, in all spellings: by name, or by the codes of airports."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

STATES = (
    "France",
    "United Kingdom",
    "Netherlands",
    "Belgium",
    "Luxembourg",
    "Germany",
    "Switzerland",
    "Italy",
    "Spain",
)
"""The states of the domain. The paper says nine and does not name them: these have land in it."""

OTHER_NAMES = {
    "France": ("French Republic",),
    "United Kingdom": (
        "UK",
        "Great Britain",
        "United Kingdom of Great Britain and Northern Ireland",
    ),
    "Netherlands": ("The Netherlands", "Kingdom of the Netherlands", "Nederland", "Holland"),
    "Belgium": ("Kingdom of Belgium", "Belgie", "Belgique"),
    "Luxembourg": ("Luxemburg", "Grand Duchy of Luxembourg"),
    "Germany": ("Federal Republic of Germany", "Deutschland"),
    "Switzerland": ("Swiss Confederation", "Suisse", "Schweiz"),
    "Italy": ("Italian Republic", "Italia"),
    "Spain": ("Kingdom of Spain", "España"),
}
"""Other spellings, without regard to case, accents and punctuation."""

PREFIXES = {
    "France": ("LF",),
    "United Kingdom": ("EG",),
    "Netherlands": ("EH",),
    "Belgium": ("EB",),
    "Luxembourg": ("EL",),
    "Germany": ("ED", "ET"),
    "Switzerland": ("LS",),
    "Italy": ("LI",),
    "Spain": ("LE", "GC", "GE"),
}
"""First letters of ICAO codes (Doc 7910), for states in a spelling that is not known."""


def plain_name(name: str) -> str:
    """Spell a name without case, accents and punctuation.

    Examples
    --------
    >>> plain_name("UNITED-KINGDOM "), plain_name("España")
    ('united kingdom', 'espana')
    """
    letters = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(c for c in letters if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z]+", plain))


def known_names(states: Sequence[str]) -> dict[str, str]:
    """Return the state of each spelling that is known.

    Examples
    --------
    >>> known_names(["Germany"])["deutschland"]
    'Germany'
    """
    found = {plain_name(state): state for state in states}
    return found | {plain_name(n): s for s in states for n in OTHER_NAMES.get(s, ())}


def state_of_airport(code: str, states: Sequence[str]) -> str | None:
    """Return the state of an airport by its ICAO code, None where it is none of them.

    Examples
    --------
    >>> state_of_airport("EDDF", STATES), state_of_airport("EIDW", STATES)
    ('Germany', None)
    """
    return next((s for s in states if code.startswith(PREFIXES.get(s, ("no code",)))), None)
