"""Pictures of nuclei from code."""
