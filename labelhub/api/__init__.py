"""REST for machines and the canvas."""
