"""A-priori substitution in TROPOMI L2 NO2 orbits: an orbit in, an orbit out.

The package knows numpy, scipy, xarray and the file formats; it never imports torch.
Read it in this order: `constants`, `layers`, `vertical`, `footprint`, `airmass`, `substitute`.
"""
