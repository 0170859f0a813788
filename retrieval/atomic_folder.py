"""Results that belong together: all of them appear in their folder, or none does."""

from __future__ import annotations

import os
import re
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from retrieval.errors import OutputError
from retrieval.files.atomic import check_outputs, give_its_name, make_folder
from retrieval.files.owners import owner_is_dead, unique_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Name = TypeVar("Name")

_DRAFTS = re.compile(r"\.results\.(?P<owner>[^.]+)\.part")


@contextmanager
def results_together(
    targets: Mapping[Name, Path], *, overwrite: bool = False
) -> Iterator[dict[Name, Path]]:
    """Give a path to write for each result, and give them their names when the block succeeds.

    So a command that fails or is interrupted between two of its results can be repeated: nothing
    of it is there that the repeat would have to replace. What it replaces stays until the end.

    Parameters
    ----------
    targets : mapping of str to Path
        Where the results shall be, all in one folder, which is made when it is missing. Those
        that the block does not write are left out.
    overwrite : bool
        Whether existing files may be replaced.

    Yields
    ------
    dict of str to Path
        Where to write each of them: in a hidden folder inside of theirs.

    Raises
    ------
    OutputError
        If a result exists and may not be replaced, or the folder is not writable.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     maps = Path(folder) / "maps"
    ...     with results_together({"table": maps / "numbers.csv"}) as drafts:
    ...         _ = drafts["table"].write_text("1,2,3")
    ...     [path.name for path in maps.iterdir()]
    ['numbers.csv']
    """
    (folder,) = {path.parent for path in targets.values()}
    check_outputs(targets.values(), overwrite=overwrite)
    hidden = folder / f".results.{unique_name()}.part"
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    named: list[Path] = []
    try:
        make_folder(folder)
        make_folder(hidden)
        _remove_leftovers(folder)
        drafts = {name: hidden / path.name for name, path in targets.items()}
        yield drafts
        for name in [name for name, draft in drafts.items() if draft.exists()]:
            give_its_name(drafts[name], targets[name], overwrite=overwrite)
            named.append(targets[name])
    except BaseException as error:
        for path in [] if overwrite else named:
            path.unlink(missing_ok=True)
        if isinstance(error, OutputError):  # the user knows the folder, not the hidden one
            raise OutputError(
                str(error).replace(f"{hidden}{os.sep}", f"{folder}{os.sep}")
            ) from error
        raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
        with suppress(OSError):  # what holds something stays
            for one in missing:
                one.rmdir()


def _remove_leftovers(folder: Path) -> None:
    """Remove the hidden folders that killed processes of this machine left."""
    for path in folder.glob(".results.*.part"):
        match = _DRAFTS.fullmatch(path.name)
        if match and owner_is_dead(match["owner"]):
            shutil.rmtree(path, ignore_errors=True)
