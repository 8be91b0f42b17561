"""Scores, pictures and reports of a bundle on a dataset."""
