"""One command a module: what a user types, turned into calls of the packages below."""
