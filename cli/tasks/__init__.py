"""One unit of work each (an orbit, a day), on any process.

In reading order: `orbit`, `day`, `grid`, `evaluation`, `attribution`, `fetch`, `twin_files`.
"""
