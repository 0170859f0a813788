"""What the twin world's air does with emissions: chemistry, transport, profiles.

In reading order: `calendar`, `habits`, `emissions`, `transport`, `chemistry`, `partition`,
`profile`, `truth`, `stratosphere`.
"""
