"""What coarse models see of the twin world: CAMS-like and TM5-like fields.

In reading order: `cams_model`, `tm5_model`.
"""
