"""Which version of an orbit or day is taken: reprocessed over offline over near real time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from retrieval.files.names import parse_ctm, parse_s5p

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retrieval.fetch.catalogue import Remote

logger = logging.getLogger(__name__)

STREAMS = ("NRTI", "OFFL", "PAL_", "RPRO")
"""From the hastiest to the most careful."""


def best_orbits(found: Iterable[Remote]) -> list[Remote]:
    """Take one version of each orbit: by stream, collection, processor, time of creation.

    Near-real-time files are granules of five minutes: an orbit that has an offline or reprocessed
    file keeps that one and none of its granules. What is passed over is logged once.
    """
    orbits: dict[int, list[tuple[tuple[int, str, str, str], str, Remote]]] = {}
    for remote in found:
        name = parse_s5p(remote.name)
        if name is None:
            logger.warning("%s has no name of an orbit and is passed over.", remote.name)
            continue
        stream = STREAMS.index(name.stream) if name.stream in STREAMS else -1
        rank = (stream, name.collection, name.processor, str(name.created))
        orbits.setdefault(name.orbit, []).append((rank, str(name.start), remote))
    taken: list[Remote] = []
    for orbit, versions in sorted(orbits.items()):
        highest = max(rank[:3] for rank, _, _ in versions)
        of_version = [v for v in versions if v[0][:3] == highest]
        # one file an orbit, but near-real-time granules of one version lie beside each other
        latest: dict[str, tuple[tuple[int, str, str, str], str, Remote]] = {}
        for version in of_version:
            start = version[1] if highest[0] == 0 else ""
            if start not in latest or version[0] > latest[start][0]:
                latest[start] = version
        taken += [remote for _, _, remote in (latest[s] for s in sorted(latest))]
        if len(versions) > len(latest):
            logger.info(
                "Orbit %d: %s of %d versions taken (%s)",
                *(orbit, latest[min(latest)][2].name, len(versions), "stream, processor, creation"),
            )
    return taken


def best_days(found: Iterable[Remote]) -> list[Remote]:
    """Take one AUX_CTM file of each period: the one created last."""
    days: dict[str, tuple[str, Remote]] = {}
    for remote in found:
        name = parse_ctm(remote.name)
        if name is None:
            continue
        key = f"{name.product} {name.start}"
        created = str(name.created)
        if key not in days or created > days[key][0]:
            days[key] = (created, remote)
    return [remote for _, remote in (days[key] for key in sorted(days))]
