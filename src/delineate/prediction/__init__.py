"""From a bundle and an image to a prediction."""
