"""Emissions carried by the wind: a first guess of the day's NO2, from inputs alone.

In reading order: `constants`, `plane`, `hours`, `winds`, `emissions`, `carry`, `prior`, `days`.
"""
