"""The data contract of orbits: which pixels, where they are, and what the file says of them.

Arrays of n pixels are float64, layers surface first, columns mol m-2. The chain, the simulator and
the maps know these and no variable name of any sensor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

    Bool = NDArray[np.bool_]
    Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Crop:
    """Positions of the scanlines and ground pixels in use, as slices with plain bounds."""

    scanline: slice
    ground_pixel: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Number of scanlines and ground pixels."""
        return (
            self.scanline.stop - self.scanline.start,
            self.ground_pixel.stop - self.ground_pixel.start,
        )


@dataclass(frozen=True)
class Geometry:
    """Where n pixels are.

    Attributes
    ----------
    latitude, longitude : ndarray, shape (n,)
        Centres [degrees], NaN where missing.
    latitude_bounds, longitude_bounds : ndarray, shape (n, 4)
        Corners [degrees], NaN where missing.
    scanline : ndarray of int, shape (n,)
        Position of each pixel's scanline among those of the orbit's crop.

    Raises
    ------
    ValueError
        If the shapes do not belong together.
    """

    latitude: Float
    longitude: Float
    latitude_bounds: Float
    longitude_bounds: Float
    scanline: NDArray[np.intp]

    def __post_init__(self) -> None:
        n = self.latitude.size
        shapes: Shapes = {"longitude": (n,), "scanline": (n,)}
        shapes |= dict.fromkeys(("latitude_bounds", "longitude_bounds"), (n, 4))
        _check_shapes(self, {"latitude": (n,)} | shapes)

    def take(self, index: NDArray[np.intp]) -> Geometry:
        """Select some pixels."""
        return _taken(self, index)


@dataclass(frozen=True)
class Footprints:
    """Where the pixels of a crop are, as stored, (scanline, ground_pixel) and corners last.

    Attributes
    ----------
    latitude, longitude : ndarray, shape (scanline, ground_pixel)
        Centres [degrees], NaN where missing.
    latitude_bounds, longitude_bounds : ndarray, shape (scanline, ground_pixel, 4)
        Corners [degrees], in order round the pixel; NaN where missing.
    """

    latitude: Float
    longitude: Float
    latitude_bounds: Float
    longitude_bounds: Float

    def __post_init__(self) -> None:
        shape = self.latitude.shape
        corners = dict.fromkeys(("latitude_bounds", "longitude_bounds"), (*shape, 4))
        _check_shapes(self, {"longitude": shape, **corners})

    @property
    def shape(self) -> tuple[int, int]:
        """Number of scanlines and ground pixels."""
        n_scanline, n_ground_pixel = self.latitude.shape
        return n_scanline, n_ground_pixel

    @property
    def outline(self) -> tuple[Float, Float]:
        """Latitudes and longitudes of all corners."""
        return self.latitude_bounds, self.longitude_bounds

    def cut(self, rows: slice, columns: slice) -> Footprints:
        """Return those of a part, given relative to this one."""
        return Footprints(*(getattr(self, one.name)[rows, columns] for one in fields(self)))

    def copy(self) -> Footprints:
        """Return these alone, not as part of larger arrays."""
        return Footprints(*(getattr(self, one.name).copy() for one in fields(self)))

    def pixels(self, rows: slice) -> Geometry:
        """Return the pixels of some scanlines one after another, in double precision."""
        return Geometry(
            self.latitude[rows].astype(np.float64).reshape(-1),
            self.longitude[rows].astype(np.float64).reshape(-1),
            self.latitude_bounds[rows].astype(np.float64).reshape(-1, 4),
            self.longitude_bounds[rows].astype(np.float64).reshape(-1, 4),
            np.repeat(np.arange(rows.start, rows.stop), self.shape[1]),
        )


@dataclass(frozen=True)
class Tropopause:
    """Where the troposphere of a crop ends: by the index of a layer, or by pressure.

    Attributes
    ----------
    is_valid : ndarray of bool, shape (scanline, ground_pixel)
        False where the file does not say.
    index : ndarray of int, same shape, or None
        Layer that holds the tropopause, counted from the surface.
    pressure : ndarray, same shape, or None
        [Pa]; a layer belongs to the troposphere where its mid-pressure is larger.
    """

    is_valid: Bool
    index: NDArray[np.intp] | None = None
    pressure: Float | None = None

    def __post_init__(self) -> None:
        if (self.index is None) == (self.pressure is None):
            msg = (
                "Invalid tropopause. Either an index or a pressure ends the troposphere. "
                f"Given {'neither' if self.index is None else 'both'}. Give one of them."
            )
            raise ValueError(msg)


@dataclass(frozen=True)
class Pixels:
    """What the file says of n valid or invalid pixels.

    Attributes
    ----------
    geometry : Geometry
        Where they are.
    surface_pressure, surface_altitude : ndarray, shape (n,)
        [Pa], [m].
    column : ndarray, shape (n,)
        Tropospheric column V [mol m-2]; NaN where missing.
    precision_kernel : ndarray, shape (n,), or None
        Precision of V without the profile's share [mol m-2].
    amf_troposphere : ndarray, shape (n,)
        M_trop.
    amf_total, amf_stratosphere : ndarray, shape (n,), or None
        M_total, M_strat, where the product has them.
    stratospheric_column : ndarray, shape (n,), or None
        V_strat [mol m-2].
    weights : ndarray, shape (n, layer)
        Sensitivity s_l of the slant column to the partial column of a layer: total kernel times
        M_total, or scattering weights with their temperature correction.
    is_troposphere : ndarray of bool, shape (n, layer)
        Layers of the troposphere.
    has_kernel, has_tropopause : ndarray of bool, shape (n,)
        Whether sensitivity and air mass factors, and the tropopause, are valid.
    assumed_altitude : ndarray of bool, shape (n,)
        True where `surface_altitude` is that of the standard atmosphere.
    tropopause_pressure : ndarray, shape (n,), or None
        [Pa], where the product ends the troposphere by pressure.

    Raises
    ------
    ValueError
        If the shapes do not belong together.
    """

    geometry: Geometry
    surface_pressure: Float
    surface_altitude: Float
    column: Float
    precision_kernel: Float | None
    amf_troposphere: Float
    amf_total: Float | None
    amf_stratosphere: Float | None
    stratospheric_column: Float | None
    weights: Float
    is_troposphere: Bool
    has_kernel: Bool
    has_tropopause: Bool
    assumed_altitude: Bool
    tropopause_pressure: Float | None = None

    def __post_init__(self) -> None:
        n = self.geometry.latitude.size
        layered = (n, self.weights.shape[-1])
        shapes: Shapes = dict.fromkeys((one.name for one in fields(self)), (n,))
        shapes |= {"weights": layered, "is_troposphere": layered}
        del shapes["geometry"]
        _check_shapes(self, shapes)

    def take(self, index: NDArray[np.intp]) -> Pixels:
        """Select some pixels."""
        return _taken(self, index)


Part = TypeVar("Part", Geometry, Pixels)


def _taken(whole: Part, index: NDArray[np.intp]) -> Part:
    def take(values: Any) -> Any:
        if isinstance(values, Geometry):
            return values.take(index)
        return None if values is None else values[index]

    return type(whole)(**{one.name: take(getattr(whole, one.name)) for one in fields(whole)})


def _check_shapes(given: object, shapes: Shapes) -> None:
    """Refuse arrays that are not of the shapes that their pixels and layers ask for."""
    for name, shape in shapes.items():
        values = getattr(given, name)
        if values is not None and values.shape != shape:
            msg = (
                f"Invalid {name}. It must be of the shape {shape} of its pixels. Given "
                f"{values.shape}. Read all fields of {type(given).__name__} on one crop."
            )
            raise ValueError(msg)
