"""What is said about a data set in ``dataset.toml``."""
