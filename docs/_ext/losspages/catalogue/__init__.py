"""Lists of losses, and of names that they have elsewhere."""
