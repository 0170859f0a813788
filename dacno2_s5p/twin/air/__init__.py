"""What the twin world's air does with emissions: chemistry, transport, profiles."""
