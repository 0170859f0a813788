"""Orbits of any sensor behind one interface, read and written.

Read `pixels` (the data contract), `orbit` (the interface) and `open_orbit` first; then `names`,
`crop`, `blocks`, `columns`, `quality`, `strata`, `identity`, `inspect` and `labels` (Datasets).
`sensors` has a module a sensor, `product` the re-retrieved orbit: what it holds, how it is written.
"""
