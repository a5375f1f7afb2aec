"""Image files in, canonical pixels on a true grid out. Nothing is imported here, so that light parts stay light."""
