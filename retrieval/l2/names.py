"""What a sensor calls its variables, and the names that new variables take from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMN_UNITS = "mol m-2"
COLUMN_STANDARD_NAME = "troposphere_mole_content_of_nitrogen_dioxide"
TROPOSPHERIC_COLUMN = "nitrogendioxide_tropospheric_column"
"""Name of the column of TROPOMI, and of every sensor's column in a Dataset."""
TROPOSPHERIC_AMF = "air_mass_factor_troposphere"
"""Name of the air mass factor of TROPOMI, and of every sensor's in a Dataset."""
TM5 = "TM5"
"""Label of what is made with the a priori of TROPOMI's product."""


@dataclass(frozen=True)
class SensorNames:
    """Names of one sensor's product, as in its files.

    Attributes
    ----------
    sensor, product : str
        "TROPOMI" and "L2__NO2___", for messages.
    column, amf : str
        Tropospheric column and tropospheric air mass factor.
    group, amf_group : str
        Groups that hold them, without leading slash; new variables stand there.
    pixel_dimensions : tuple of str
        Paths of the dimension scales of a pixel's variables, scanline and ground pixel last; empty
        where the file has no scales.
    layer_dimension : str
        Path of the dimension scale of the layers; empty where the file has none.
    fields : mapping of str to str
        What the computation knows (`retrieval.l2.orbit.FIELDS`) to the variable that holds it.
    kernel : str
        The layered variable: averaging kernel or scattering weights.
    quality : str
        Quality value in percent; empty where the product has none.
    cloud, sun, snow, surface : str
        Cloud radiance fraction, solar zenith angle, snow and ice, land and water; empty where the
        product has none.
    latitude, longitude, latitude_bounds, longitude_bounds : str
        Centres and corners of pixels.
    units : str
        Of the columns.
    per_mol_m2 : float
        Columns in `units` are those in mol m-2 times this.
    apriori : str
        Label of the a priori that the product is made with, in capitals.
    has_weights : bool
        Whether `kernel` holds scattering weights, which do not depend on the a priori.
    total_amf, total_column : str
        What the replace layout rescales; empty where the product has none.
    not_recomputed : tuple of str
        What depends on the a priori and cannot be recomputed: fill in the replace layout.
    own_names : mapping of str to str
        Names of TROPOMI to the product's own, where they do not follow from those of column and
        air mass factor.
    """

    sensor: str
    product: str
    column: str
    amf: str
    group: str
    amf_group: str
    pixel_dimensions: tuple[str, ...]
    fields: Mapping[str, str]
    kernel: str
    layer_dimension: str = ""
    quality: str = ""
    cloud: str = ""
    sun: str = ""
    snow: str = ""
    surface: str = ""
    latitude: str = "latitude"
    longitude: str = "longitude"
    latitude_bounds: str = "latitude_bounds"
    longitude_bounds: str = "longitude_bounds"
    units: str = COLUMN_UNITS
    per_mol_m2: float = 1.0
    total_amf: str = ""
    total_column: str = ""
    apriori: str = TM5
    has_weights: bool = False
    not_recomputed: tuple[str, ...] = ()
    own_names: Mapping[str, str] = field(default_factory=dict)

    def own(self, name: str) -> str:
        """Return the product's name of what TROPOMI calls `name`.

        The sensor's column and air mass factor stand in place of TROPOMI's.
        """
        known = self.own_names.get(name)
        if known is not None:
            return known
        name = name.replace(TROPOSPHERIC_COLUMN, self.column)
        return name.replace(TROPOSPHERIC_AMF, self.amf)

    @property
    def original_suffix(self) -> str:
        """Ending under which the replace layout keeps each original variable it replaces."""
        return f"_{self.apriori}_apriori"

    @property
    def n_leading(self) -> int:
        """Number of dimensions of length one before the scanlines, as `time` of TROPOMI."""
        return len(self.pixel_dimensions) - 2


TROPOMI = SensorNames(
    sensor="TROPOMI",
    product="L2__NO2___",
    column=TROPOSPHERIC_COLUMN,
    amf=TROPOSPHERIC_AMF,
    group="PRODUCT",
    amf_group="PRODUCT",
    pixel_dimensions=("/PRODUCT/time", "/PRODUCT/scanline", "/PRODUCT/ground_pixel"),
    layer_dimension="/PRODUCT/layer",
    fields={
        "surface_pressure": "surface_pressure",
        "surface_altitude": "surface_altitude",
        "column": TROPOSPHERIC_COLUMN,
        # without the profile's share: what stays when the profile is replaced (decision D11)
        "precision_kernel": "nitrogendioxide_tropospheric_column_precision_kernel",
        "stratospheric_column": "nitrogendioxide_stratospheric_column",
        "amf_total": "air_mass_factor_total",
        "amf_troposphere": TROPOSPHERIC_AMF,
        "amf_stratosphere": "air_mass_factor_stratosphere",
    },
    kernel="averaging_kernel",
    quality="qa_value",
    cloud="cloud_radiance_fraction_nitrogendioxide_window",
    sun="solar_zenith_angle",
    snow="snow_ice_flag",
    surface="surface_classification",
    total_amf="air_mass_factor_total",
    total_column="nitrogendioxide_total_column",
    not_recomputed=(
        "nitrogendioxide_ghost_column",
        "air_mass_factor_clear",
        "air_mass_factor_cloudy",
        "nitrogendioxide_summed_total_column_precision",
        "nitrogendioxide_total_column_precision",
        "nitrogendioxide_total_column_precision_kernel",
    ),
)
"""Names of the product L2__NO2___, which Datasets of every sensor carry."""
