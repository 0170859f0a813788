"""Predicted fields beside stations and CAMS, as the paper's tables do it.

In reading order: `sets`, `match`, `evidence`, `metrics`, `rows`, `stations`, `layers`, `regions`,
`evaluate`, `tables`.
"""
