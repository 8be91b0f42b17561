"""Which images must stay together, and which are trained on."""
