"""Readers of the users' own files: one module for each source of inputs and targets.

In reading order: `paths`, `day`, `checks`, `requests`, `orders`, `text_table`, `states`,
`emissions`, `inventory_files`, `flights`.
"""
