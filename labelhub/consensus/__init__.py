"""The settled truth of an item: immutable, with inputs, method and confidence."""
