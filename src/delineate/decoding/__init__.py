"""From files to pixels as they are stored: formats, strictly; ``imaging`` makes images of them."""
