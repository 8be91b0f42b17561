"""Public data sets: where they are, and how they get onto this disk."""
