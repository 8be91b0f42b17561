"""From a folder to batches: indexing, reading, checking, splitting, augmenting."""
