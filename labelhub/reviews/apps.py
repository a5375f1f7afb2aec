"""Registers the package with Django."""

from django.apps import AppConfig


class ReviewsApp(AppConfig):
    """Reviewers' decisions and comments."""

    name = "labelhub.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.reviews.models import (
            ClaimVerdict,
            Decision,
            PanelVote,
            Question,
            QuestionReply,
            TakenIntoGuideline,
            UnreadableClaim,
        )

        register(Decision, Secrecy.OWN, "item__project", "submission__assignment__labeler__user")
        register(PanelVote, Secrecy.HIDDEN, "item__project")
        register(Question, Secrecy.OWN, "item__project", "assignment__labeler__user")
        register(QuestionReply, Secrecy.OWN, "question__item__project", "question__assignment__labeler__user")
        register(TakenIntoGuideline, Secrecy.HIDDEN, "guideline__project")
        # What became of a claim follows from other people's reads: its author does not see it.
        register(UnreadableClaim, Secrecy.OWN, "item__project", "assignment__labeler__user")
        register(ClaimVerdict, Secrecy.HIDDEN, "claim__item__project")
