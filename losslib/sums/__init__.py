"""Values over more data than one call sees: exact sums, groups, accumulators."""
