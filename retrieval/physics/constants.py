"""Physical constants and the named factors used where units change (docs/equations.md 3.3).

Inside the package everything is SI (Pa, K, m, mol m-2, mol m-3); these factors are used only
by readers, writers and figures.
"""

AVOGADRO = 6.02214076e23
"""Avogadro constant [mol-1], exact in the SI of 2019."""

GAS_CONSTANT = 8.314462618
"""Molar gas constant [J mol-1 K-1], exact in the SI of 2019."""

GRAVITY = 9.80665
"""Standard acceleration of gravity [m s-2]."""

GAS_CONSTANT_DRY_AIR = 287.05287
"""Specific gas constant of dry air [J kg-1 K-1] (ICAO standard atmosphere)."""

MOLAR_MASS_AIR = 0.0289644
"""Molar mass of dry air [kg mol-1] (ICAO standard atmosphere)."""

MOLAR_MASS_NO2 = 0.0460055
"""Molar mass of NO2 [kg mol-1]."""

VIRTUAL_TEMPERATURE_FACTOR = 0.608
"""Tv = T (1 + 0.608 q), q the specific humidity [kg kg-1]."""

STANDARD_TEMPERATURE = 288.15
"""Temperature of the standard atmosphere at sea level [K]."""

STANDARD_PRESSURE = 101325.0
"""Pressure of the standard atmosphere at sea level [Pa]."""

LAPSE_RATE = 6.5e-3
"""Temperature decrease with height in the standard troposphere [K m-1]."""

TROPOPAUSE_ALTITUDE = 11000.0
"""Altitude above sea level where the standard atmosphere becomes isothermal [m]."""

MOLEC_CM2_PER_MOL_M2 = AVOGADRO * 1e-4
"""1 mol m-2 in molecules cm-2: 6.02214076e19."""

MICROGRAM_M3_TO_MOL_M3 = 1e-9 / MOLAR_MASS_NO2
"""1 ug m-3 of NO2 (mass of NO2, not of N) in mol m-3: 2.17365e-8."""

MASS_TO_MOLE_FRACTION = MOLAR_MASS_AIR / MOLAR_MASS_NO2
"""Mass mixing ratio of NO2 [kg kg-1] to mole fraction [mol mol-1]."""

DOBSON_UNIT_TO_MOL_M2 = 4.4615e-4
"""1 Dobson unit in mol m-2."""

HPA_TO_PA = 100.0
"""1 hPa in Pa."""

PPT = 1e-12
"""1 part per trillion as a mole fraction [mol mol-1]."""

AIR_COLUMN_PER_PASCAL = 1.0 / (GRAVITY * MOLAR_MASS_AIR)
"""Column of air per pressure difference [mol m-2 Pa-1]: 352.06 mol m-2 per hPa."""

MINIMUM_COVERAGE = 0.99
"""Share of a pixel or cell that a set must cover: less, and it is not computed (flag 5)."""
