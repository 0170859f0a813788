"""A-priori sets: one interface (`base`), one reader per kind of file, found by content."""
