"""No station is evaluated that a network was trained on: the split its checkpoint speaks of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dacno2_s5p.sources.stations.cells import StationCell
    from dacno2_s5p.sources.stations.metadata import Station


def training_points(stations: Mapping[str, Sequence[Mapping[str, Any]]]) -> frozenset[str]:
    """Return the sampling points of the training cells of a store's manifest, all years.

    Parameters
    ----------
    stations : mapping of str to sequence of mappings
        Entry `stations` of the manifest: records of station cells by year.

    Examples
    --------
    >>> record = {"members": ["SPO-A"], "is_evaluation": False}
    >>> sorted(training_points({"2019": [record, {"members": ["B"], "is_evaluation": True}]}))
    ['SPO-A']
    """
    return frozenset(
        point
        for records in stations.values()
        for record in records
        if not record["is_evaluation"]
        for point in record["members"]
    )


def checkpoint_points(
    name: str,
    kept: Collection[str],
    data_manifest: str,
    stores: Mapping[str, Mapping[str, Any]],
) -> frozenset[str]:
    """Return the stations a checkpoint was trained on.

    Parameters
    ----------
    name : str
        Of the checkpoint, for messages.
    kept : collection of str
        The training stations the checkpoint names; older checkpoints name none.
    data_manifest : str
        Fingerprint of the store it was trained on, kept in it.
    stores : mapping of str to mapping
        Entry `stations` of stores by fingerprint.

    Raises
    ------
    CheckpointError
        If neither the checkpoint nor one of the stores tells.
    """
    if kept:
        return frozenset(kept)
    if data_manifest in stores:
        return training_points(stores[data_manifest])
    msg = (
        f"Unknown training split of {name}. Its stations must be known to be left out. Given a "
        f"checkpoint of the store {data_manifest[:12] or '(unnamed)'} and "
        f"{len(stores) or 'no'} other store(s). Give --store DIR, the store it was trained on: an "
        "older checkpoint does not name its stations."
    )
    raise CheckpointError(msg)


def refuse_training_stations(
    cells: Sequence[StationCell],
    stations: Mapping[str, Station],
    training: Collection[str],
    origin: str,
) -> None:
    """Refuse to evaluate where any station of a cell was trained on.

    Parameters
    ----------
    cells : sequence of StationCell
        To be evaluated.
    stations : mapping of str to Station
        Metadata by sampling point.
    training : collection of str
        Sampling points or EoI codes trained on.
    origin : str
        Where the split comes from, for the message.

    Raises
    ------
    DataError
        Naming the first such station and their number.
    """
    trained = set(training)
    found = [
        point
        for cell in cells
        for point in cell.members
        if point in trained or (point in stations and stations[point].code in trained)
    ]
    if found:
        msg = (
            f"Invalid evaluation stations. None may be in the training split of {origin}. Given "
            f"{len(found)} that are, the first {found[0]}. Correct the list of evaluation stations."
        )
        raise DataError(msg)
