"""Damaged files of every kind through readers and commands, in processes that may crash.

`damage` harms bytes, `structure` harms what a format says of itself, `children` runs cases in
child processes, `actions` is what is run, `kinds` puts files, damages and actions together.
`python -m tests.fuzz` runs thousands of cases and prints how they ended.
"""
