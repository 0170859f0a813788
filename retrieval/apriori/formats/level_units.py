"""Units of vertical coordinates, in lower case, and what one of them is in SI."""

from __future__ import annotations

PRESSURE_UNITS = {
    "pa": 1.0,
    "pascal": 1.0,
    "pascals": 1.0,
    "hpa": 100.0,
    "mbar": 100.0,
    "mb": 100.0,
    "millibar": 100.0,
    "millibars": 100.0,
    "hectopascal": 100.0,
    "hectopascals": 100.0,
}
HEIGHT_UNITS = {"m": 1.0, "metre": 1.0, "metres": 1.0, "meter": 1.0, "meters": 1.0, "km": 1000.0}
