"""The three phases of training, resumable, on one process or many.

In reading order: `recipe`, `sampling`, `held_days`, `losses`, `similarity`, `optimisation`, `muon`,
`precision`, `processes`, `batch_statistics`, `reference`, `report`, `state`, `phase`,
`split_scores`, `run`, `curves`.
"""
