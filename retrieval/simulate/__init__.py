"""What the instrument would see of a known truth.

`sun`, `swath` (where it looks), `scene` (ground and clouds), `light` (box air mass factors),
`response`, `tm5` (the operational a priori), `options`, `chain`, `simulate_orbit`; then the files:
`content`, `l2_file`, `truth_file`.
"""
