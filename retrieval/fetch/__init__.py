"""Real files, by product, days and box; whole or not at all.

A service lists what it has as `Remote` files (`catalogue`), one downloader brings them
(`transfer`), over one polite session (`web`); what came from where is kept in `fetched.jsonl`.
"""

__all__ = ["catalogue", "transfer", "web"]
