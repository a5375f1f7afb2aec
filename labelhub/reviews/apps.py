"""Registers the package with Django."""

from django.apps import AppConfig


class ReviewsApp(AppConfig):
    """Reviewers' decisions and comments."""

    name = "labelhub.reviews"
    label = "reviews"

    def ready(self) -> None:
        """Declare who may see the rows."""
        from labelhub.projects.permissions import Secrecy, register
        from labelhub.reviews.calibration_models import ReviewTest, ReviewTestResult
        from labelhub.reviews.error_models import Appraisal, DeskTime, ObjectVerdict
        from labelhub.reviews.models import (
            ClaimVerdict,
            Comment,
            Decision,
            Dispute,
            DisputeOutcome,
            MatterAnswer,
            Mention,
            PanelVote,
            Question,
            QuestionReply,
            ReworkTicket,
            Sighting,
            TakenIntoGuideline,
            Thread,
            ThreadTurn,
            UnreadableClaim,
        )

        register(Decision, Secrecy.OWN, "item__project", "submission__assignment__labeler__user")
        register(MatterAnswer, Secrecy.HIDDEN, "item__project")
        # An author reads what was named in their reading through ``reviews.verdicts.own_errors`` alone.
        register(ObjectVerdict, Secrecy.HIDDEN, "item__project")
        register(Appraisal, Secrecy.OWN, "item__project", "submission__assignment__labeler__user")
        # Reviewers are told of their own through ``reviews.calibration``, and only once they have judged.
        register(ReviewTest, Secrecy.HIDDEN, "item__project")
        register(ReviewTestResult, Secrecy.HIDDEN, "test__item__project")
        register(DeskTime, Secrecy.HIDDEN, "item__project")
        register(PanelVote, Secrecy.HIDDEN, "item__project")
        register(Sighting, Secrecy.HIDDEN, "item__project")
        register(Question, Secrecy.OWN, "item__project", "assignment__labeler__user")
        register(QuestionReply, Secrecy.OWN, "question__item__project", "question__assignment__labeler__user")
        register(TakenIntoGuideline, Secrecy.HIDDEN, "guideline__project")
        # What became of a claim follows from other people's reads: its author does not see it.
        register(UnreadableClaim, Secrecy.OWN, "item__project", "assignment__labeler__user")
        register(ClaimVerdict, Secrecy.HIDDEN, "claim__item__project")
        # An author reads their ticket and dispute through ``reviews.tickets.own_ticket`` alone.
        register(ReworkTicket, Secrecy.OWN, "item__project", "assignment__labeler__user")
        register(Dispute, Secrecy.OWN, "item__project", "ticket__assignment__labeler__user")
        register(DisputeOutcome, Secrecy.HIDDEN, "dispute__item__project")
        # An author reads what a reviewer wrote for them through ``reviews.threads.own_threads`` alone.
        for model, path in ((Thread, "item"), (Comment, "thread__item"), (Mention, "comment__thread__item")):
            register(model, Secrecy.HIDDEN, f"{path}__project")
        register(ThreadTurn, Secrecy.HIDDEN, "thread__item__project")
