"""What the pages compute in a reader's browser: the data of compare, of "explain my loss", of "which loss"."""
