"""Pages, cut by user group."""
