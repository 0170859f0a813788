"""Which inputs the predicted profiles depend on, by integrated gradients."""
