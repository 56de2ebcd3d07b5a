"""Reports of numbers: accuracy, performance."""
