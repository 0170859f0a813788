"""GRIB as it comes from the data stores, turned into netCDF once, in a temporary folder.

Every reader speaks netCDF, so that a GRIB file is unpacked as a member of an archive is. pygrib, an
extra, decodes the messages, in a process of its own: what a damaged one does to a C library ends
there. The wheels of eccodes itself are no choice: they load a PROJ of their own, and with it in a
process pyproj fails or the process dies, whichever xarray plug-in imports it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from retrieval.errors import AprioriError
from retrieval.files.owners import scratch_folder

logger = logging.getLogger(__name__)

_UNPACK = Path(__file__).with_name("grib_unpack.py")


def is_available() -> bool:
    """Say whether the extra `grib` is installed."""
    return importlib.util.find_spec("pygrib") is not None


def hint(where: str) -> str:
    """Sentence for a GRIB file that cannot be read for want of the extra."""
    return (
        f"Invalid file {where}. It must be netCDF unless pygrib is installed. Given GRIB. "
        "Request netCDF from the data store, or: pip install 'dacno2-s5p[grib]'."
    )


@dataclass
class GribFile:
    """A GRIB file and its netCDF form, which goes with this object.

    Attributes
    ----------
    path : Path
        The GRIB file; nothing is written beside it.
    where : str
        Its name in messages.
    """

    path: Path
    where: str
    _folder: Path | None = field(default=None, repr=False)

    def unpacked(self) -> Path:
        """Return the netCDF file, written when first asked for.

        Raises
        ------
        AprioriError
            If the extra is absent, messages are damaged, or they are on no one grid.
        """
        if self._folder is None:
            if not is_available():
                raise AprioriError(hint(self.where))
            folder = scratch_folder(self)
            self._convert(folder / "unpacked.nc")
            self._folder = folder
        return self._folder / "unpacked.nc"

    def _convert(self, target: Path) -> None:
        logger.info("%s is GRIB: unpacked to %s", self.where, target)
        # -P: the modules beside the script are no top-level modules
        command = [sys.executable, "-P", os.fspath(_UNPACK), os.fspath(self.path), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        reason = " ".join(done.stdout.split())[:200] or f"it stopped with {done.returncode}"
        logger.debug("unpacking said: %s", done.stderr)
        msg = (
            f"Damaged file {self.where}. Its messages must be complete, and each variable on one "
            f"grid of latitudes and longitudes. Given GRIB with {reason}. Download it again, or "
            "request netCDF."
        )
        raise AprioriError(msg)
