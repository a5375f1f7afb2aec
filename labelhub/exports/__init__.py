"""Versioned releases of settled labels."""
