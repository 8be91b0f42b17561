"""Predictions of video: files, image sequences, cameras and streams."""
