"""Encoders: from an image to its features by stride."""
