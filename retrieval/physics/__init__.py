"""The equations of the retrieval on plain arrays; no file, no xarray."""
