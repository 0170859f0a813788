"""The one table of what a re-retrieval makes: names, units and definitions, with the arrays.

What is computed fills the fields of `SetTable` and `ProductTable`; each field is declared with the
variable it becomes, so that names, units and meanings of flags are here and nowhere else. The
writer stores what the table lists, the summary and the Dataset are made of it. `{S}` stands for
the name of the a-priori set in capitals.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.files.fills import FILL_FLOAT, FILL_UBYTE
from retrieval.l2.names import COLUMN_STANDARD_NAME, COLUMN_UNITS, TROPOSPHERIC_COLUMN
from retrieval.l2.product.results import SubstitutionFlag, SubstitutionWarning
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from enum import IntEnum, IntFlag

    from numpy.typing import DTypeLike, NDArray

    from retrieval.l2.names import SensorNames

    Float = NDArray[np.float32]

Attribute = str | int | float | np.generic | np.ndarray

COLUMN_FACTOR = "multiplication_factor_to_convert_to_molecules_percm2"
FLOAT_FILL = np.float32(FILL_FLOAT)
UBYTE_FILL = np.uint8(FILL_UBYTE)


@dataclass(frozen=True)
class NewVariable:
    """A variable of the re-retrieved file.

    Attributes
    ----------
    name : str
        Name in the file, `{S}` for the set, column and air mass factor as TROPOMI calls them.
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
    needs : tuple of str
        Fields of the orbit and options without which there are no values.
    """

    name: str
    long_name: str
    comment: str
    units: str = ""
    standard_name: str = ""
    ancillary: tuple[str, ...] = ()
    has_layers: bool = False
    flags: type[IntEnum] | type[IntFlag] | None = None
    replaces: str = ""
    needs: tuple[str, ...] = ()

    @property
    def dtype(self) -> DTypeLike:
        """Type on disk: float32, or unsigned byte for flags."""
        return np.float32 if self.flags is None else np.uint8

    @property
    def fill_value(self) -> np.generic:
        """The netCDF default fill value of `dtype`."""
        return FLOAT_FILL if self.flags is None else UBYTE_FILL

    @property
    def is_column(self) -> bool:
        """Whether the values are amounts per area, which are stored in the sensor's unit."""
        return self.units == COLUMN_UNITS

    @property
    def is_precision(self) -> bool:
        """Whether the values are the precision of a column."""
        return self.standard_name.endswith(" standard_error")

    def name_for(self, apriori: str, names: SensorNames) -> str:
        """Return the name in a sensor's file for a set."""
        return names.own(self.name).replace("{S}", apriori)

    def attributes(self, apriori: str, names: SensorNames) -> dict[str, Attribute]:
        """Return the CF attributes for a set, but for `ancillary_variables`."""
        made: dict[str, Attribute] = {"_FillValue": np.atleast_1d(self.fill_value)}
        if self.flags is None:
            made["units"] = names.units if self.is_column else self.units
        made["long_name"] = self.long_name.replace("{S}", apriori)
        if self.standard_name:
            made["standard_name"] = self.standard_name
        made["coordinates"] = f"{names.longitude} {names.latitude}"
        if self.is_column and names.units == COLUMN_UNITS:
            made[COLUMN_FACTOR] = np.array([MOLEC_CM2_PER_MOL_M2], dtype=np.float32)
        if self.flags is not None:
            made.update(flag_attributes(self.flags))
        made["comment"] = self.comment.replace("{S}", apriori)
        return made

    def ancillary_for(self, apriori: str, names: SensorNames) -> list[str]:
        """Return the names of the qualifying variables for a set."""
        return [names.own(name).replace("{S}", apriori) for name in self.ancillary]


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
ROW, NEEDS = "row", "needs"


def row(**given: Any) -> Any:
    """Declare a field of the table with the variable that it becomes; absent until it is filled."""
    variable = NewVariable(**given)
    return field(default=None, metadata={ROW: variable, NEEDS: variable.needs})


@dataclass
class SetTable:
    """New fields of one a-priori set, float32 with NaN where fill, flags unsigned bytes.

    Shapes are (scanline, ground_pixel) of the crop, kernels and profiles
    (scanline, ground_pixel, layer) in the file's order of layers. Fields that cannot be computed
    for the file at hand (no V_strat, say) are None. Columns are in mol m-2.

    Attributes
    ----------
    name : str
        Name of the set, in capitals.
    attributes : dict
        Provenance of the set: kind, files, checksums, time rule, profile_error_source, counts.
    """

    name: str
    tropospheric_column: Float = row(
        name="nitrogendioxide_tropospheric_column_{S}_apriori",
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
    )
    summed_total_column: Float | None = row(
        name="nitrogendioxide_summed_total_column_{S}_apriori",
        units=COLUMN_UNITS,
        long_name="Sum of tropospheric and stratospheric column with the {S} a priori",
        standard_name="atmosphere_mole_content_of_nitrogen_dioxide",
        ancillary=("nitrogendioxide_tropospheric_column_{S}_apriori",),
        comment="V' + V_strat, V_strat the stratospheric column of the L2 file.",
        replaces="nitrogendioxide_summed_total_column",
        needs=("stratospheric_column",),
    )
    tropospheric_column_precision_kernel: Float | None = row(
        name="nitrogendioxide_tropospheric_column_precision_kernel_{S}_apriori",
        units=COLUMN_UNITS,
        long_name=(
            "Precision of the tropospheric column with the {S} a priori when applying the "
            "averaging kernel"
        ),
        standard_name=f"{COLUMN_STANDARD_NAME} standard_error",
        comment="sigma_kernel M_trop / M': the relative precision of the L2 file is kept.",
        replaces="nitrogendioxide_tropospheric_column_precision_kernel",
        needs=("precision_kernel",),
    )
    tropospheric_column_precision: Float | None = row(
        name="nitrogendioxide_tropospheric_column_precision_{S}_apriori",
        units=COLUMN_UNITS,
        long_name="Precision of the tropospheric column with the {S} a priori",
        standard_name=f"{COLUMN_STANDARD_NAME} standard_error",
        comment=(
            "sqrt(sigma'_kernel^2 + (e V')^2), e the relative error through the a-priori profile; "
            "where e comes from is in the attribute profile_error_source."
        ),
        replaces="nitrogendioxide_tropospheric_column_precision",
        needs=("precision_kernel",),
    )
    air_mass_factor_troposphere: Float = row(
        name="air_mass_factor_troposphere_{S}_apriori",
        units="1",
        long_name="Tropospheric air mass factor with the {S} a priori",
        ancillary=("tm5_tropopause_layer_index", *_FLAGS),
        comment=(
            "M' = M_total sum(A x) / sum(x) over the tropospheric layers, A the total averaging "
            "kernel of the L2 file, x the partial columns of the {S} a priori. "
            "It is written where the L2 column is missing, too."
        ),
        replaces="air_mass_factor_troposphere",
    )
    air_mass_factor_total: Float | None = field(
        default=None, metadata={NEEDS: ("stratospheric_column", "amf_stratosphere", "amf_total")}
    )
    """M'_tot (docs/equations.md 2.3), for the replace layout; None where it cannot be had."""
    apriori_tropospheric_column: Float = row(
        name="apriori_tropospheric_column_{S}",
        units=COLUMN_UNITS,
        long_name="Tropospheric column of the {S} a priori",
        standard_name=COLUMN_STANDARD_NAME,
        ancillary=("apriori_fraction_above_top_{S}", *_FLAGS),
        comment="sum(x) to the tropopause: the model's own column. No observation is in it.",
    )
    apriori_tropospheric_column_kernel: Float = row(
        name="apriori_tropospheric_column_{S}_kernel",
        units=COLUMN_UNITS,
        long_name="Tropospheric column of the {S} a priori seen with the averaging kernel",
        standard_name=COLUMN_STANDARD_NAME,
        comment=(
            "sum(A_trop x): the model as the instrument would see it, A_trop the tropospheric "
            "kernel of the L2 file; compare with the column of the L2 file."
        ),
    )
    apriori_fraction_above_top: Float = row(
        name="apriori_fraction_above_top_{S}",
        units="1",
        long_name="Share of the a-priori column that does not come from the {S} set",
        comment="Share of sum(x) above min(top of the set, merge height).",
    )
    footprint_coverage: Float = row(
        name="footprint_coverage_{S}",
        units="1",
        long_name="Share of the pixel inside the grid of the {S} set with finite values",
        comment="Area of finite cells of the set inside the pixel over the area of the pixel.",
    )
    substitution_flag: NDArray[np.uint8] = row(
        name="substitution_flag_{S}",
        long_name="First reason why the substitution of the {S} a priori is not complete",
        standard_name="status_flag",
        flags=SubstitutionFlag,
        comment="0: done. 9 (no_column): the air mass factor is written, the L2 column is missing.",
    )
    substitution_warning: NDArray[np.uint8] = row(
        name="substitution_warning_{S}",
        long_name="What to know of pixels computed with the {S} a priori",
        standard_name="status_flag",
        flags=SubstitutionWarning,
        comment=(
            "small_amf: M' < 0.1. large_change: V'/V outside 0.4 to 3. terrain_mismatch: more than "
            "250 m. assumed_altitude: no surface_altitude in the file, standard atmosphere used. "
            "negatives_clipped: negative values of the set count as 0. Warned pixels are computed."
        ),
    )
    averaging_kernel_troposphere: Float | None = row(
        name="averaging_kernel_troposphere_{S}_apriori",
        units="1",
        long_name="Tropospheric averaging kernel with the {S} a priori",
        has_layers=True,
        ancillary=("tm5_constant_a", "tm5_constant_b", "tm5_tropopause_layer_index"),
        comment="A M_total / M' up to the tropopause layer, 0 above: sum(A' x) = sum(x).",
        needs=("kernels",),
    )
    apriori_partial_column: Float | None = row(
        name="apriori_partial_column_{S}",
        units=COLUMN_UNITS,
        long_name="Partial columns of nitrogen dioxide of the {S} a priori",
        has_layers=True,
        ancillary=("tm5_constant_a", "tm5_constant_b", "tm5_tropopause_layer_index"),
        comment="x: amount per area of each layer up to the tropopause layer, fill above.",
        needs=("profiles",),
    )
    attributes: dict[str, str | int | float] = field(default_factory=dict)

    @classmethod
    def empty(
        cls, name: str, shape: tuple[int, int], n_layer: int, has: Collection[str]
    ) -> SetTable:
        """Allocate what can be computed: fields full of NaN, flags 0.

        Parameters
        ----------
        name : str
            In capitals.
        shape : tuple of int
            Scanlines and ground pixels.
        n_layer : int
            Layers of kernels and profiles.
        has : collection of str
            Fields that the orbit has, options that are on.
        """
        table = cls(name)
        for one in fields(cls):
            if NEEDS in one.metadata and set(one.metadata[NEEDS]) <= set(has):
                variable = one.metadata.get(ROW)
                layers = (n_layer,) if variable is not None and variable.has_layers else ()
                is_flag = variable is not None and variable.flags is not None
                kind, fill = (np.uint8, 0) if is_flag else (np.float32, np.nan)
                setattr(table, one.name, np.full((*shape, *layers), fill, dtype=kind))
        return table

    def entries(self) -> Iterator[tuple[NewVariable, NDArray[Any]]]:
        """Walk the variables of the set in the order of the file, those that are there."""
        for one in fields(self):
            values = getattr(self, one.name)
            if ROW in one.metadata and values is not None:
                yield one.metadata[ROW], values


SET_VARIABLES: tuple[NewVariable, ...] = tuple(
    one.metadata[ROW] for one in fields(SetTable) if ROW in one.metadata
)
"""What is written for each a-priori set; what cannot be computed is left out."""


OWN_COLUMN = NewVariable(
    name="apriori_tropospheric_column_{S}",
    units=COLUMN_UNITS,
    long_name="Tropospheric column of the {S} a priori of the L2 file",
    standard_name=COLUMN_STANDARD_NAME,
    comment=(
        "Diagnostic from the file alone: V_strat (M_strat - M_total) / (M_total - M_trop), where "
        "the stratospheric column is the a-priori one."
    ),
)


def relative_change_variable(apriori: str, reference: str, further: str = "") -> NewVariable:
    """Return the variable for 100 (M'_R / M'_P - 1) in percent, P the set, R the reference.

    Examples
    --------
    >>> relative_change_variable("DACNO2", "TM5").name
    'relative_change_DACNO2_vs_TM5'
    """
    return NewVariable(
        name=f"relative_change_{apriori}_vs_{reference}",
        units="%",
        long_name=f"Change of the tropospheric column, {reference} to {apriori} a priori",
        comment=(
            f"100 (M_{reference} / M_{apriori} - 1) from tropospheric air mass factors, never from "
            f"columns: it does not depend on the sign or noise of the column. {further}".strip()
        ),
    )


@dataclass
class ProductTable:
    """Everything new for one orbit: one `SetTable` a set, the primary first.

    Attributes
    ----------
    names : SensorNames
    sets : list of SetTable
    apriori_tropospheric_column_tm5 : ndarray, shape (scanline, ground_pixel), or None
        Diagnostic from the file alone [mol m-2], None where it cannot be had.
    relative_change : dict
        Percent, from air mass factors: key (P, R) is 100 (M'_R / M'_P - 1); R may be the product's
        own a priori, "TM5" of TROPOMI.
    attributes : dict
        Options, versions, command, crop: what `history` and global attributes say.
    comments : dict
        What is to be known of a relative change, by its key.
    """

    names: SensorNames
    sets: list[SetTable]
    apriori_tropospheric_column_tm5: Float | None
    relative_change: dict[tuple[str, str], Float]
    attributes: dict[str, str | int | float] = field(default_factory=dict)
    comments: dict[tuple[str, str], str] = field(default_factory=dict)

    def entries(self) -> Iterator[tuple[str, NewVariable, NDArray[Any]]]:
        """Walk all variables with the name of their set, in the order of the file."""
        for one in self.sets:
            for variable, values in one.entries():
                yield one.name, variable, values
        for (apriori, reference), change in self.relative_change.items():
            further = self.comments.get((apriori, reference), "")
            yield apriori, relative_change_variable(apriori, reference, further), change
        if self.apriori_tropospheric_column_tm5 is not None:
            yield self.names.apriori, OWN_COLUMN, self.apriori_tropospheric_column_tm5
