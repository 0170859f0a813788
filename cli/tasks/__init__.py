"""One unit of work each (an orbit, a day), on any process."""
