"""From a bundle to a bundle of another engine, compared with what it is of."""
