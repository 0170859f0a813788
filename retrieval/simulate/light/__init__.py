"""How light meets NO2: box air mass factors and the forward model.

In reading order: `radiative_transfer`, `box_amf`, `forward`.
"""
