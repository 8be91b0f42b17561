"""The engines that run a bundle."""
