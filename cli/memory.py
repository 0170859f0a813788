"""How much memory a call takes, said before it takes it."""

from __future__ import annotations

import logging

from cli.console import note

logger = logging.getLogger(__name__)


def say_memory(needed: float, advice: str, where: str = "") -> None:
    """Note the memory a call takes [bytes], and warn where less is free.

    Parameters
    ----------
    needed : float
        The estimate of `dacno2_s5p.network.memory`.
    advice : str
        What to give for less.
    where : str
        What the number is of: "in 2 process(es)".
    """
    from dacno2_s5p.network.memory import available_bytes

    free = available_bytes()
    note(f"about {needed / 1e9:.1f} GB of memory {where}".rstrip())
    if free is not None and needed > free:
        logger.warning(
            "about %.1f GB of memory are needed, %.1f are free. %s",
            needed / 1e9,
            free / 1e9,
            advice,
        )
