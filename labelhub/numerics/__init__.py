"""Arrays in, frozen results out. No Django, no input or output, no globals."""
