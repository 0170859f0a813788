"""Days prepared once: the training store, written and read.

In reading order: `store`, `chunks`, `moments`, `write`, `transported`, `prepare`, `screen`,
`read_ahead`.
"""
