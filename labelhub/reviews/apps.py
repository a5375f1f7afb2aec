"""Registers the package with Django."""

from django.apps import AppConfig


class ReviewsApp(AppConfig):
    """Reviewers' decisions and comments."""

    name = "labelhub.reviews"
    label = "reviews"
