"""Who may label what, until when, and why they were given it."""
