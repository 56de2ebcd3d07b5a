"""The page of a loss and its parts."""
