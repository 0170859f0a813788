"""A-priori sets: one interface (`base`), one reader per kind of file, found by content.

In reading order: `base`, `file_set`, `locating`, `sidecar`, `joining`, `registry`, `cams_europe`,
`cams_europe_layout`, `cams_global`, `ctmana`, `profile_file`, `generic`, `in_memory`,
`meteorology`, `coarsen`, `coarsen_files`, `inspect`.
"""
