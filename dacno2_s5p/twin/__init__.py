"""The twin world: a synthetic Western Europe whose NO2 is known, in the real files' layouts.

Rooms, in reading order:

=================  ===============================================================================
`land`             the frame of cells, towns, roads, stacks, terrain; all static fields
`weather`          travelling random fields, the sun, what ground and friction make of the flow
`air`              emissions by the clock, transport, chemistry, the profile: the truth of a day
`stations`         the surface network; `true_world` all of this as one object
`models`           what a CAMS-like and a TM5-like model make of it; `twin` the world with both
`scene`            the truth at an overpass, for the forward simulator
`writers`          everything in the layouts of the real files, one module a layout
`network_days`     the network's inputs and targets without files; `training_store` a store of them
=================  ===============================================================================
"""
