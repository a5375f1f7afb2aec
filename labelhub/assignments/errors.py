"""The ways in which an assignment says no: each with a code and a sentence that says what is safe and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from labelhub.projects.errors import DomainError


class AssignmentProblem(DomainError):
    """The assignment cannot be opened, renewed or closed; nothing was changed."""

    code = "assignment-problem"


class AlreadyRead(AssignmentProblem):
    """The labeler has or had the item."""

    code = "already-read"

    def __init__(self) -> None:
        super().__init__(
            "This labeler has read or skipped this item already. Nobody reads an item twice unless asked to."
        )


class LeaseLost(AssignmentProblem):
    """The time ended and the item may be with somebody else, or another window took it over."""

    code = "lease-lost"

    def __init__(self) -> None:
        super().__init__("Your time on this image ended. Your draft is kept. Take it again?")


IN_WORDS: Mapping[str, str] = {
    "parked": "parked", "asked": "waiting for an answer", "submitted": "submitted", "skipped": "skipped",
    "expired": "its time ended", "unreadable": "you said that it cannot be read",
}  # fmt: skip


class NotOpen(AssignmentProblem):
    """The assignment is not at work now: it waits, or was closed."""

    code = "assignment-closed"

    def __init__(self, state: str) -> None:
        super().__init__(
            f"This image is not open now ({IN_WORDS.get(state, state)}). Nothing was changed, and what was drawn or submitted "
            "is kept. Take the next image."
        )
        self.state = state
