"""LabelHub tells a team which of their image labels can be trusted, who made the ones that cannot, and sends those back."""

__version__ = "0.1.0"
