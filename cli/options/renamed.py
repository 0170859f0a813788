"""Old spellings of options, taken with a warning for one version: one flag, one meaning everywhere.

`--days` is a folder of daily sums, `--stations` a folder of measurements, `--profiles` asks for
profiles in the output, `-p` names products, and a-priori sets are `-a NAME=PATH`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

RENAMED: dict[str, dict[str, str]] = {
    "attribute": {"--days": "--sample-days", "--stations": "--station-role"},
    "calibrate": {"--days": "--sample-days", "--profiles": "--predictions"},
    "evaluate": {"-s": "--apriori", "--set": "--apriori"},
    "extract": {"-p": "--points"},
}
"""Of a command from an old spelling to the one that replaced it."""


def renamed(command: str, words: Sequence[str]) -> list[str]:
    """Return the words of a call with new spellings, and warn of each old one.

    Examples
    --------
    >>> renamed("extract", ["--points", "a.csv", "--", "-p"])
    ['--points', 'a.csv', '--', '-p']
    """
    old_names = RENAMED.get(command, {})
    found: list[str] = []
    for i, word in enumerate(words):
        if word == "--":
            return [*found, *words[i:]]
        old, value = _split(word)
        new = old_names.get(old)
        if new is None:
            found.append(word)
            continue
        logger.warning(
            "%s of %s is now %s: a flag means one thing in all commands. The old spelling goes "
            "with the next version.",
            old,
            command,
            new,
        )
        found.append(new if value is None else f"{new}={value}")
    return found


def _split(word: str) -> tuple[str, str | None]:
    """Return a flag and the value that is written with it, None without one."""
    if word.startswith("--"):
        flag, sign, value = word.partition("=")
        return flag, value if sign else None
    if word.startswith("-") and len(word) > 2:
        return word[:2], word[2:]
    return word, None
