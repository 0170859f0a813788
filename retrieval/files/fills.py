"""Values that stand for missing ones in netCDF files."""

FILL_FLOAT = 9.969209968386869e36
"""netCDF default fill value of float32 and float64 variables."""

FILL_INT = -2147483647
"""netCDF default fill value of int32 variables."""

FILL_UBYTE = 255
"""netCDF default fill value of unsigned byte variables."""
