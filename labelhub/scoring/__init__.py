"""Stored scores and gold references; the crossing from shapes to arrays."""
