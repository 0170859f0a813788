"""The one table of what a re-retrieved file holds: names, units, definitions.

The writer walks this table; nothing else in the package knows names or attributes of new
variables. `{S}` stands for the name of the a-priori set in capitals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.product.results import SubstitutionFlag, SubstitutionWarning
from retrieval.physics.constants import FILL_FLOAT, FILL_UBYTE, MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from enum import IntEnum, IntFlag

    from numpy.typing import DTypeLike

Attribute = str | int | float | np.generic | np.ndarray

COLUMN_UNITS = "mol m-2"
TROPOSPHERIC_COLUMN = "nitrogendioxide_tropospheric_column"
COLUMN_STANDARD_NAME = "troposphere_mole_content_of_nitrogen_dioxide"
TM5 = "TM5"
"""Label of what is made with the operational a priori."""
COLUMN_FACTOR = "multiplication_factor_to_convert_to_molecules_percm2"
FLOAT_FILL = np.float32(FILL_FLOAT)
UBYTE_FILL = np.uint8(FILL_UBYTE)

ORIGINAL_SUFFIX = "_TM5_apriori"
"""Where the replace layout keeps each original variable it replaces."""


@dataclass(frozen=True)
class NewVariable:
    """A variable of the re-retrieved file.

    Attributes
    ----------
    name : str
        Name in the file, `{S}` for the set.
    field : str
        Attribute of `SetResult` that holds its values.
    units, long_name, comment : str
        CF attributes; `comment` says how the values were computed.
    standard_name : str
        CF standard name, empty where none exists.
    ancillary : tuple of str
        Names of variables that qualify this one; those absent from a file are left out.
    has_layers : bool
        Whether the last dimension is `layer`.
    flags : type or None
        Meaning of an unsigned byte variable.
    replaces : str
        Name of the standard variable that carries these values in the replace layout.
    """

    name: str
    field: str
    units: str
    long_name: str
    comment: str
    standard_name: str = ""
    ancillary: tuple[str, ...] = ()
    has_layers: bool = False
    flags: type[IntEnum] | type[IntFlag] | None = None
    replaces: str = ""

    @property
    def dtype(self) -> DTypeLike:
        """Type on disk: float32, or unsigned byte for flags."""
        return np.float32 if self.flags is None else np.uint8

    @property
    def fill_value(self) -> np.generic:
        """The netCDF default fill value of `dtype`."""
        return FLOAT_FILL if self.flags is None else UBYTE_FILL

    def name_for(self, apriori: str) -> str:
        """Return the name in the file for a set."""
        return self.name.replace("{S}", apriori)

    def attributes(self, apriori: str) -> dict[str, Attribute]:
        """Return the CF attributes for a set, but for `ancillary_variables`."""
        made: dict[str, Attribute] = {"_FillValue": np.atleast_1d(self.fill_value)}
        if self.flags is None:
            made["units"] = self.units
        made["long_name"] = self.long_name.replace("{S}", apriori)
        if self.standard_name:
            made["standard_name"] = self.standard_name
        made["coordinates"] = "longitude latitude"
        if self.units == COLUMN_UNITS:
            made[COLUMN_FACTOR] = np.array([MOLEC_CM2_PER_MOL_M2], dtype=np.float32)
        if self.flags is not None:
            made.update(flag_attributes(self.flags))
        made["comment"] = self.comment.replace("{S}", apriori)
        return made

    def ancillary_for(self, apriori: str) -> list[str]:
        """Return the names of the qualifying variables for a set."""
        return [name.replace("{S}", apriori) for name in self.ancillary]


def flag_attributes(flags: type[IntEnum] | type[IntFlag]) -> dict[str, Attribute]:
    """Return `flag_values` or `flag_masks` with `flag_meanings`.

    Examples
    --------
    >>> flag_attributes(SubstitutionWarning)["flag_meanings"]
    'small_amf large_change terrain_mismatch assumed_altitude negatives_clipped'
    """
    is_mask = flags is SubstitutionWarning
    numbers = np.array([int(member) for member in flags], dtype=np.uint8)
    return {
        "flag_masks" if is_mask else "flag_values": numbers,
        "flag_meanings": " ".join(str(member.name).lower() for member in flags),
    }


_FLAGS = ("substitution_flag_{S}", "substitution_warning_{S}", "footprint_coverage_{S}")
_ALL_FILES = "It is computed whatever the qa_value; apply qa_value yourself. "

SET_VARIABLES: tuple[NewVariable, ...] = (
    NewVariable(
        name="nitrogendioxide_tropospheric_column_{S}_apriori",
        field="tropospheric_column",
        units=COLUMN_UNITS,
        long_name="Tropospheric vertical column of nitrogen dioxide with the {S} a priori",
        standard_name=COLUMN_STANDARD_NAME,
        ancillary=(
            "nitrogendioxide_tropospheric_column_precision_{S}_apriori",
            "nitrogendioxide_tropospheric_column_precision_kernel_{S}_apriori",
            "air_mass_factor_troposphere_{S}_apriori",
            *_FLAGS,
            "qa_value",
        ),
        comment=(
            "V' = V M_trop / M': the column of the L2 file times the ratio of its tropospheric air "
            "mass factor to the one of the {S} a priori. " + _ALL_FILES + "Negative columns stay."
        ),
        replaces=TROPOSPHERIC_COLUMN,
    ),
    NewVariable(
        name="nitrogendioxide_summed_total_column_{S}_apriori",
        field="summed_total_column",
        units=COLUMN_UNITS,
        long_name="Sum of tropospheric and stratospheric column with the {S} a priori",
        standard_name="atmosphere_mole_content_of_nitrogen_dioxide",
        ancillary=("nitrogendioxide_tropospheric_column_{S}_apriori",),
        comment="V' + V_strat, V_strat the stratospheric column of the L2 file.",
        replaces="nitrogendioxide_summed_total_column",
    ),
    NewVariable(
        name="nitrogendioxide_tropospheric_column_precision_kernel_{S}_apriori",
        field="tropospheric_column_precision_kernel",
        units=COLUMN_UNITS,
        long_name=(
            "Precision of the tropospheric column with the {S} a priori when applying the "
            "averaging kernel"
        ),
        standard_name=f"{COLUMN_STANDARD_NAME} standard_error",
        comment="sigma_kernel M_trop / M': the relative precision of the L2 file is kept.",
        replaces="nitrogendioxide_tropospheric_column_precision_kernel",
    ),
    NewVariable(
        name="nitrogendioxide_tropospheric_column_precision_{S}_apriori",
        field="tropospheric_column_precision",
        units=COLUMN_UNITS,
        long_name="Precision of the tropospheric column with the {S} a priori",
        standard_name=f"{COLUMN_STANDARD_NAME} standard_error",
        comment=(
            "sqrt(sigma'_kernel^2 + (e V')^2), e the relative error through the a-priori profile; "
            "where e comes from is in the attribute profile_error_source."
        ),
        replaces="nitrogendioxide_tropospheric_column_precision",
    ),
    NewVariable(
        name="air_mass_factor_troposphere_{S}_apriori",
        field="air_mass_factor_troposphere",
        units="1",
        long_name="Tropospheric air mass factor with the {S} a priori",
        ancillary=("tm5_tropopause_layer_index", *_FLAGS),
        comment=(
            "M' = M_total sum(A x) / sum(x) over the tropospheric layers, A the total averaging "
            "kernel of the L2 file, x the partial columns of the {S} a priori. "
            "It is written where the L2 column is missing, too."
        ),
        replaces="air_mass_factor_troposphere",
    ),
    NewVariable(
        name="apriori_tropospheric_column_{S}",
        field="apriori_tropospheric_column",
        units=COLUMN_UNITS,
        long_name="Tropospheric column of the {S} a priori",
        standard_name=COLUMN_STANDARD_NAME,
        ancillary=("apriori_fraction_above_top_{S}", *_FLAGS),
        comment="sum(x) to the tropopause: the model's own column. No observation is in it.",
    ),
    NewVariable(
        name="apriori_tropospheric_column_{S}_kernel",
        field="apriori_tropospheric_column_kernel",
        units=COLUMN_UNITS,
        long_name="Tropospheric column of the {S} a priori seen with the averaging kernel",
        standard_name=COLUMN_STANDARD_NAME,
        comment=(
            "sum(A_trop x): the model as the instrument would see it, A_trop the tropospheric "
            "kernel of the L2 file; compare with the column of the L2 file."
        ),
    ),
    NewVariable(
        name="apriori_fraction_above_top_{S}",
        field="apriori_fraction_above_top",
        units="1",
        long_name="Share of the a-priori column that does not come from the {S} set",
        comment="Share of sum(x) above min(top of the set, merge height).",
    ),
    NewVariable(
        name="footprint_coverage_{S}",
        field="footprint_coverage",
        units="1",
        long_name="Share of the pixel inside the grid of the {S} set with finite values",
        comment="Area of finite cells of the set inside the pixel over the area of the pixel.",
    ),
    NewVariable(
        name="substitution_flag_{S}",
        field="substitution_flag",
        units="",
        long_name="First reason why the substitution of the {S} a priori is not complete",
        standard_name="status_flag",
        flags=SubstitutionFlag,
        comment="0: done. 9 (no_column): the air mass factor is written, the L2 column is missing.",
    ),
    NewVariable(
        name="substitution_warning_{S}",
        field="substitution_warning",
        units="",
        long_name="What to know of pixels computed with the {S} a priori",
        standard_name="status_flag",
        flags=SubstitutionWarning,
        comment=(
            "small_amf: M' < 0.1. large_change: V'/V outside 0.4 to 3. terrain_mismatch: more than "
            "250 m. assumed_altitude: no surface_altitude in the file, standard atmosphere used. "
            "negatives_clipped: negative values of the set count as 0. Warned pixels are computed."
        ),
    ),
    NewVariable(
        name="averaging_kernel_troposphere_{S}_apriori",
        field="averaging_kernel_troposphere",
        units="1",
        long_name="Tropospheric averaging kernel with the {S} a priori",
        has_layers=True,
        ancillary=("tm5_constant_a", "tm5_constant_b", "tm5_tropopause_layer_index"),
        comment="A M_total / M' up to the tropopause layer, 0 above: sum(A' x) = sum(x).",
    ),
    NewVariable(
        name="apriori_partial_column_{S}",
        field="apriori_partial_column",
        units=COLUMN_UNITS,
        long_name="Partial columns of nitrogen dioxide of the {S} a priori",
        has_layers=True,
        ancillary=("tm5_constant_a", "tm5_constant_b", "tm5_tropopause_layer_index"),
        comment="x: amount per area of each TM5 layer up to the tropopause layer, fill above.",
    ),
)
"""What is written for each a-priori set; a field that is None is left out."""

TM5_COLUMN = NewVariable(
    name="apriori_tropospheric_column_TM5",
    field="apriori_tropospheric_column_tm5",
    units=COLUMN_UNITS,
    long_name="Tropospheric column of the TM5 a priori of the L2 file",
    standard_name=COLUMN_STANDARD_NAME,
    comment=(
        "Diagnostic from the file alone: V_strat (M_strat - M_total) / (M_total - M_trop), where "
        "the stratospheric column is the a-priori one."
    ),
)


def relative_change_variable(apriori: str, reference: str) -> NewVariable:
    """Return the variable for 100 (M'_R / M'_P - 1) in percent, P the set, R the reference.

    Examples
    --------
    >>> relative_change_variable("DACNO2", "TM5").name
    'relative_change_DACNO2_vs_TM5'
    """
    return NewVariable(
        name=f"relative_change_{apriori}_vs_{reference}",
        field="",
        units="%",
        long_name=f"Change of the tropospheric column, {reference} to {apriori} a priori",
        comment=(
            f"100 (M_{reference} / M_{apriori} - 1) from tropospheric air mass factors, never from "
            "columns: it does not depend on the sign or noise of the column."
        ),
    )


RESCALED_TOTALS = {
    "nitrogendioxide_total_column": "times M_total / M'_tot",
}
"""Total columns that follow the new total air mass factor in the replace layout."""

NOT_RECOMPUTED = (
    "nitrogendioxide_ghost_column",
    "air_mass_factor_clear",
    "air_mass_factor_cloudy",
    "nitrogendioxide_summed_total_column_precision",
    "nitrogendioxide_total_column_precision",
    "nitrogendioxide_total_column_precision_kernel",
)
"""Variables that depend on the a priori and cannot be recomputed: fill in the replace layout."""
