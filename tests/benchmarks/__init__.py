"""Benchmarks of contract section 6: whole processes, ratios measured in one run."""
