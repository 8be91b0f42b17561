"""From what a data set is to a recipe with a reason for every choice."""
