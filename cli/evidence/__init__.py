"""`make evidence`: a sample of the twin year through every step, against its known truth.

Stages of a day (`day`): twin files and orbit, DACNO2 profiles, re-retrieval in each mode, sums on
the grid. Of all days (`results`): means, numbers with intervals, tables, figures.
"""
