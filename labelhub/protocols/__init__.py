"""Servers that speak other tools' wire protocols (MONAI Label, AIAA)."""
