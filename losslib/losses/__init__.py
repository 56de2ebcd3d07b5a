"""The declarations, a file for each family."""
