"""Files of models from elsewhere, looked at before a library opens them."""
