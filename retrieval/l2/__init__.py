"""Orbits of any sensor behind one interface, read and written."""
