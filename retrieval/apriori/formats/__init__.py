"""File formats shared by both packages: containers, CF time, units, names, known layouts.

In reading order: `containers`, `names`, `units`, `levels`, `hybrid_tables`, `coordinates`, `axes`,
`time_axis`, `cf_time`, `expver`, `field`, `classic`, `grib`, `grib_unpack`.
"""
