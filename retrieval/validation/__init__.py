"""Retrieved columns beside what is known of the truth.

In reading order: `locate`, `extract`, `scores`, `ground_columns`, `ground_files`, `geoms`,
`pandora`, `pairs`, `pair_scores`, `pair_figures`, `comparison`, `comparison_figures`.
"""
