"""The twin world's files in their real layouts."""
