"""The life of an item, one function a step."""
