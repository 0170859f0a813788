"""The layout of a TROPOMI L2 NO2 file: its variables, and the kinds of delivery there are.

What differs between processors is declared in the table (`since`); what differs between deliveries
(reprocessed, near real time, cropped "reduced" files, the European product of KNMI) is a `Variant`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from retrieval.simulate.l2_file.tables import CAMS_EUROPE_COLUMN, VARIABLES
from retrieval.simulate.l2_file.variables import FILL, AttributeValue, Variable

__all__ = ["FILL", "VARIABLES", "VARIANTS", "AttributeValue", "Variable", "Variant", "variables_of"]

DeltaTimeStyle = Literal["milliseconds", "milliseconds since"]


@dataclass(frozen=True)
class Variant:
    """What distinguishes one kind of delivery from another.

    Attributes
    ----------
    stream : str
        `OFFL`, `RPRO` or `NRTI`, the second field of the file name.
    collection, processor_version, algorithm_version, product_version : str
        Identification of the processing; `processor_version` is not zero padded ("2.4.0").
    product_format_version : int
        Stored in GRANULE_DESCRIPTION.
    doi : str
        Global attribute `identifier_product_doi`.
    delta_time : {"milliseconds", "milliseconds since"}
        Plain offsets to `time`, or a CF time unit of its own.
    has_polynomials : bool
        False in reduced files: the two polynomial dimensions and their variables are dropped.
    extra_variables : tuple of Variable
        Added at the end of their group.
    suffix : str
        Appended to the 83-character stem of the file name.
    """

    stream: str = "RPRO"
    collection: str = "03"
    processor_version: str = "2.4.0"
    algorithm_version: str = "1.5.0"
    product_version: str = "2.4.0"
    product_format_version: int = 20000
    doi: str = "10.5270/S5P-9bnp8q8"
    delta_time: DeltaTimeStyle = "milliseconds since"
    has_polynomials: bool = True
    extra_variables: tuple[Variable, ...] = ()
    suffix: str = ""

    @property
    def version(self) -> tuple[int, int]:
        """Processor version as (major, minor)."""
        major, minor, *_ = self.processor_version.split(".")
        return int(major), int(minor)

    @property
    def has_collection_identifier(self) -> bool:
        """True from collection 02 on, which names itself in GRANULE_DESCRIPTION."""
        return self.version >= (2, 0)

    @property
    def is_granule(self) -> bool:
        """True for near-real-time granules of five minutes."""
        return self.stream == "NRTI"


VARIANTS: dict[str, Variant] = {
    "v2.4": Variant(),
    "v1": Variant(
        stream="OFFL",
        collection="01",
        processor_version="1.3.2",
        algorithm_version="1.3.0",
        product_version="1.1.0",
        product_format_version=10100,
        doi="10.5270/S5P-s4ljg54",
        delta_time="milliseconds",
    ),
    "reduced_eu": Variant(has_polynomials=False, suffix="_reduced_eu"),
    "eu": Variant(extra_variables=(CAMS_EUROPE_COLUMN,), suffix="_eu"),
    "nrti": Variant(
        stream="NRTI",
        collection="02",
        processor_version="2.2.0",
        product_version="2.0.0",
        doi="N/A",
    ),
}
"""Kinds of delivery by name; `dataclasses.replace` makes others (say, another delta_time)."""


def variables_of(variant: Variant) -> list[Variable]:
    """Return the variables that a file of this variant holds, in file order.

    Examples
    --------
    >>> names = [v.name for v in variables_of(VARIANTS["v1"])]
    >>> "o22cld_cloud_fraction_crb" in names, "eastward_wind" in names
    (False, True)
    """
    found = [v for v in VARIABLES if v.since <= variant.version]
    if not variant.has_polynomials:
        found = [v for v in found if not any("polynomial" in d for d in v.dimensions)]
    return found + list(variant.extra_variables)
