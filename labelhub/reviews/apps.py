"""Registers the package with Django."""

from django.apps import AppConfig


class ReviewsApp(AppConfig):
    """Reviewers' decisions and comments."""

    name = "labelhub.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.reviews.models import Decision, PanelVote

        register(Decision, Secrecy.OWN, "item__project", "submission__assignment__labeler__user")
        register(PanelVote, Secrecy.HIDDEN, "item__project")
