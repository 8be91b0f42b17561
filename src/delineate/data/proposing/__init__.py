"""A ``dataset.toml`` for what is found, with a reason for each guess."""
