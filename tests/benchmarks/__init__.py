"""Benchmarks (docs/performance.md): whole processes, ratios measured in one run."""
