"""Images beyond memory: read, predicted and written in parts."""
