"""Videos: frames through a frozen image encoder."""
