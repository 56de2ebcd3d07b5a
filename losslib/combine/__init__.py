"""Several losses as one: weighted sums and tasks."""
