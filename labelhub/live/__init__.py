"""Sockets: co-editing, presence, notifications."""
