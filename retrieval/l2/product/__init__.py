"""The re-retrieved orbit: its variables, and how they are written."""
