"""Files that are whole, safe and know where they come from."""
