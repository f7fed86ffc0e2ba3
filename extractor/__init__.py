"""The machine: products in, predictions out. Plain columns and tensors; it has never heard of Spark."""
