"""What can be wrong with a data set: one function per rule, whose docstring is its manual page."""
