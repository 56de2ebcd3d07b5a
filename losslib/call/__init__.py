"""One call of a loss: arrays, weights, outputs and the order of steps."""
