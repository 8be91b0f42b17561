"""What a data set is, and what is wrong with it: rules, statistics and the page."""
