"""Files that are whole, safe and know where they come from.

In reading order: `atomic`, `owners`, `locks`, `damage`, `hdf5_safety`, `archives`, `candidates`,
`names`, `fills`, `provenance`, `tables`, `hdf5_copy`, `hdf5_chunks`, `hdf5_sink`.
"""
