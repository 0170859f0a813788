"""cmaqsatproc's `cmaq_amf` on an orbit: run by the Python of the peers' environment, stands alone.

    .venv-peers/bin/python tests/benchmarks/peers_job.py ORBIT [W S E N]

Everything that it is spared is in its favour: the profile is the same for all pixels and already
on them, in its own layers, and nothing is written.
"""

import json
import sys
import time
import warnings

import numpy as np
import xarray as xr
from cmaqsatproc.readers.tropomi import S5P_L2__NO2___

N_LAYER = 20
TOP = 5000.0
"""Layers of the substituted profile, evenly between surface and top pressure [Pa]."""


def main() -> None:
    """Read, compute the new air mass factor of all pixels, print the times and the median."""
    warnings.simplefilter("ignore")
    orbit, *box = sys.argv[1:]
    start = time.process_time()
    satellite = S5P_L2__NO2___.open_dataset(orbit, bbox=[float(v) for v in box] or None).ds
    keys = ["air_mass_factor_total", "averaging_kernel", "surface_pressure"]
    orbit_data = satellite[[*keys, "tm5_constant_a", "tm5_constant_b"]].load()
    read = time.process_time() - start
    level = (np.arange(N_LAYER) + 0.5) / N_LAYER
    share = xr.DataArray(level, dims="LAY")
    column = xr.DataArray(3e-5 * np.exp(-8.0 * level), dims="LAY")
    surface = orbit_data["surface_pressure"]
    profile = xr.Dataset({"PRES": surface - share * (surface - TOP), "NO2_PER_M2": column})
    profile["PRES"] = profile["PRES"].transpose(*surface.dims, "LAY")
    amf = S5P_L2__NO2___.cmaq_amf(profile, orbit_data)
    values = amf.values[np.isfinite(amf.values)]
    total = time.process_time() - start
    found = {"read_s": read, "amf_s": total - read, "pixels": int(values.size)}
    print(json.dumps({**found, "median": float(np.median(values))}))


if __name__ == "__main__":
    main()
