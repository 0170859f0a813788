"""Open an L2 NO2 orbit of whatever sensor: `open_orbit(path)`.

A sensor is one module of `retrieval.l2.sensors` that has `SENSOR`, a subclass of `Orbit`; modules
are found by looking, nothing else needs to change. Which sensor a file is of, its content says.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import netCDF4

from retrieval.errors import ProductError
from retrieval.files.archives import orbit_content
from retrieval.files.damage import CONTENT_ERRORS
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.l2 import sensors as package
from retrieval.l2.description import read_description
from retrieval.l2.orbit import Orbit
from retrieval.l2.sensors.described import sensor_of
from retrieval.l2.sensors.tropomi import PRODUCT_NAME, Tropomi, product_name

if TYPE_CHECKING:
    from collections.abc import Sequence

S5P_ID_LENGTH = 83


GIVEN = "DACNO2_S5P_SENSORS"
"""Environment variable with the user's descriptions, so that every process of a call has them."""


def give_sensors(paths: Sequence[Path]) -> None:
    """Make descriptions of sensors known, in this process and those it starts.

    Raises
    ------
    ProductError
        If one is not valid.
    """
    for path in paths:
        _described(path.resolve())
    os.environ[GIVEN] = os.pathsep.join(str(path.resolve()) for path in paths)


def sensors() -> tuple[type[Orbit], ...]:
    """Return the sensors that can be read: the user's first, then in the order of modules."""
    paths = filter(None, os.environ.get(GIVEN, "").split(os.pathsep))
    return (*(_described(Path(path)) for path in paths), *_packaged())


def _described(path: Path) -> type[Orbit]:
    """Return the sensor of a description, read again where the file has changed."""
    return _described_at(path, path.stat().st_mtime_ns if path.is_file() else 0)


@cache
def _described_at(path: Path, _changed: int) -> type[Orbit]:
    return sensor_of(read_description(path))


@cache
def _packaged() -> tuple[type[Orbit], ...]:
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    described = [sensor for module in modules for sensor in getattr(module, "SENSORS", ())]
    return (*described, *(module.SENSOR for module in modules if hasattr(module, "SENSOR")))


def open_orbit(path: str | Path, *, sensor: str | Path | None = None) -> Orbit:
    """Open and check an L2 NO2 file.

    Parameters
    ----------
    path : path
        An orbit or granule of a sensor that is known, or a ZIP archive with one in it.
    sensor : path, optional
        Description of its sensor (docs/sensors.md), whatever the file looks like.

    Returns
    -------
    Orbit
        To be closed after use, or used as a context.

    Raises
    ------
    ProductError
        If the file cannot be read, is another product, or lacks a required variable.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path} is not a file. Expected an L2 NO2 orbit. Check the path."
        raise ProductError(msg)
    content = orbit_content(path)
    refuse_unsafe(content.path, ProductError)
    try:
        dataset = netCDF4.Dataset(content.path)
        dataset.set_auto_maskandscale(False)
    except CONTENT_ERRORS as error:
        msg = (
            f"{path.name} cannot be opened as netCDF-4. Expected an {PRODUCT_NAME} file; "
            f"the library says: {_first_line(error)}. Download the file again."
        )
        raise ProductError(msg) from error
    kind = _described(Path(sensor).resolve()) if sensor is not None else _sensor_of(dataset)
    try:
        orbit = kind(path, dataset, content)
        with orbit.reading("its variables"):
            orbit.check()
    except ProductError:
        dataset.close()
        raise
    return orbit


def open_lenient(path: Path) -> Orbit:
    """Open an L2 NO2 file even where it lacks variables that `reretrieve` needs.

    Raises
    ------
    ProductError
        If it cannot be read or is not an L2 NO2 file.
    """
    if not path.is_file():
        msg = f"Invalid file {path}. It must exist. Given a name without a file. Check the path."
        raise ProductError(msg)
    content = orbit_content(path)
    refuse_unsafe(content.path, ProductError)
    try:
        dataset = netCDF4.Dataset(content.path)
    except CONTENT_ERRORS as error:
        words = " ".join(str(error).split())
        msg = (
            f"Invalid file {path.name}. It must be an undamaged netCDF-4 file. Given: {words}. "
            "Download the file again."
        )
        raise ProductError(msg) from error
    dataset.set_auto_maskandscale(False)
    try:
        orbit = _sensor_of(dataset)(path, dataset, content)
    except ProductError:
        dataset.close()
        raise
    names = orbit.names
    missing = [n for n in (names.latitude, names.longitude, names.column) if not orbit.has(n)]
    product = _product_of(orbit)
    if names.product in product and not missing:
        return orbit
    title = orbit.attribute("title") or "a netCDF file"
    dataset.close()
    if product and names.product not in product:
        given = f"product {product}"
    else:
        given = f"{title!r} without {', '.join(missing) or 'a product name'}"
    msg = (
        f"Invalid file {path.name}. It must be a {names.sensor} {names.product} product. Given "
        f"{given}. Choose an L2 NO2 orbit."
    )
    raise ProductError(msg)


def looks_like_l2(path: str | Path) -> bool:
    """Tell whether a file has the groups of a level-2 product of a known sensor."""
    try:
        content = orbit_content(Path(path))
        refuse_unsafe(content.path, ProductError)
        with netCDF4.Dataset(content.path) as dataset:
            return any(sensor.matches(dataset) for sensor in sensors())
    except (*CONTENT_ERRORS, ProductError):
        return False


def _sensor_of(dataset: netCDF4.Dataset) -> type[Orbit]:
    """Return the sensor of a file; TROPOMI, which says what is missing, for any other file."""
    return next((sensor for sensor in sensors() if sensor.matches(dataset)), Tropomi)


def _product_of(orbit: Orbit) -> str:
    """Name of the product: from the metadata or the file's own id; of others, as recognised."""
    if not isinstance(orbit, Tropomi):
        return orbit.names.product
    identity = orbit.attribute("id")
    return product_name(orbit.dataset) or (identity[9:19] if len(identity) >= S5P_ID_LENGTH else "")


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
