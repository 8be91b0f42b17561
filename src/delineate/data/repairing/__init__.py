"""A repaired copy of a damaged data set."""
