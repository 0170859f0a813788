"""How light meets NO2: box air mass factors and the forward model."""
