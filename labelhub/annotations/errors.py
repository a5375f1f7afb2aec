"""What a person or a program is told when the annotations package refuses: a code, and a sentence that says what is
safe.
"""

from __future__ import annotations

from labelhub.projects.errors import DomainError


class AnnotationRefused(DomainError):
    """Something about a document or a submission cannot be done. Nothing of it was stored; ``code`` never changes."""

    def __init__(self, code: str, sentence: str, *, status: int = 409) -> None:
        super().__init__(sentence, code=code, status=status)


class OperationRefused(AnnotationRefused):
    """One operation cannot be taken into the log. The rest of the document is as it was."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(code, sentence, status=422)


def told(value: object, most: int = 20) -> str:
    """Return what was given, as a refusal may name it: short, and without writing out what is huge or deep."""
    if isinstance(value, str):
        return value[:most].encode("utf-8", "replace").decode()
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"
    return str(value)[:most] if value is None or isinstance(value, int | float) else f"a {type(value).__name__}"


def lease_ended() -> AnnotationRefused:
    """The refusal of a write after the labeler's time on the image."""
    return AnnotationRefused("lease-ended", "Your time on this image ended. Your draft is kept. Take it again?")


def waits() -> AnnotationRefused:
    """The refusal of a write to work that its author put aside."""
    return AnnotationRefused(
        "assignment-waits",
        "This image is parked or waits for an answer. Your draft is kept. Go on with it to draw again.",
    )


def already_submitted() -> AnnotationRefused:
    """The refusal of a write to an answer that was given."""
    return AnnotationRefused(
        "assignment-closed", "This image was submitted or skipped already. Nothing was changed. Take the next one."
    )
