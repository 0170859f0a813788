"""An orbit in, an orbit out: the a priori exchanged.

In the order of the work: `options` and `job` (what is asked, which files answer), `collocate` and
`atmosphere` (sets on pixels), `recompute` (one set in one block), `substitute` (the chain),
`assemble` (blocks to a table), `summary`, `reretrieve` (files in, file out).
"""
