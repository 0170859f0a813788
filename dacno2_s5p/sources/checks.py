"""What every field must be before it goes into the store: finite, in its range, in its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import Variable

PACKING_SLACK = 1e-6
"""Share of a valid range by which packed values may miss its ends (ERA5 precipitation of -1e-9 m):
rounding of the file, set to the end itself. Anything beyond is an error."""

_SAME_UNIT = {"(0-1)": "1", "": "1", "dimensionless": "1", "~": "1", "numeric": "1"}


def check_values(
    values: NDArray[np.floating], variable: Variable, where: str
) -> NDArray[np.float32]:
    """Return values as float32 if all are finite and in the valid range of the table.

    Raises
    ------
    DataError
        If a value is missing or outside, with the numbers and the file.
    """
    missing = int(values.size - np.isfinite(values).sum())
    if missing:
        msg = (
            f"Invalid input {variable.name}. Its values must be finite. Given {missing} of "
            f"{values.size} missing in {where}. Download the file again, or leave the day out."
        )
        raise DataError(msg)
    least, largest = variable.valid_range
    slack = PACKING_SLACK * (largest - least)
    found = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if values.size and (found[0] < least - slack or found[1] > largest + slack):
        msg = (
            f"Invalid input {variable.name}. Its values must lie in {least:g} to {largest:g} "
            f"{variable.units}. Given {found[0]:.6g} to {found[1]:.6g} in {where}. Check the "
            "file's unit, or the range in the table of inputs."
        )
        raise DataError(msg)
    return np.asarray(np.clip(values, least, largest), dtype=np.float32)


def check_unit(given: str, variable: Variable, where: str) -> None:
    """Refuse a file whose unit is not that of the table; files without a unit pass.

    Raises
    ------
    DataError
        If the units differ.
    """
    if given and _plain(given) != _plain(variable.units):
        msg = (
            f"Invalid unit of {where}. It must be {variable.units}. Given {given!r}. Convert the "
            "file, or change units and valid_range in the table of inputs."
        )
        raise DataError(msg)


def _plain(unit: str) -> str:
    """Spell a unit one way: `m s**-1`, `m s^-1` and `m s-1` are one.

    Examples
    --------
    >>> _plain("m**2 s**-2") == _plain("m2 s-2"), _plain("(0 - 1)") == _plain("1")
    (True, True)
    """
    text = unit.replace("**", "").replace("^", "").replace(" ", "").strip()
    return _SAME_UNIT.get(text, text)
