"""What the pages state, executed."""
