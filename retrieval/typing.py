"""Names of array types that signatures repeat; shapes and units stand in the docstrings."""

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.floating]
"""Numbers with a unit; float64 where something is computed."""
Bool = NDArray[np.bool_]
"""Claims about pixels, layers or cells."""
Index = NDArray[np.intp]
"""Positions."""
