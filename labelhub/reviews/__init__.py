"""Reviewers' decisions and comments."""
