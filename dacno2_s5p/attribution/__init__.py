"""Which inputs the predicted profiles depend on, by integrated gradients.

In reading order: `attribute`, `errors_of_samples`, `path`, `samples`, `tables`, `figures`.
"""
