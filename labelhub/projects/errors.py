"""The one base class of errors that a person caused and can answer; the edges map it to a page or a JSON answer.

Not here: the errors themselves (each package defines its few), ``NotFound`` and ``NotAllowed`` (``permissions``).
"""

from __future__ import annotations


class DomainError(Exception):
    """Something a person asked for cannot be done now. ``str(error)`` says what happened, what is safe, what to do.

    ``code`` is kebab-case and permanent, for machines; ``status`` is the HTTP status at the edges (409 unless told).
    """

    code = "conflict"
    status = 409

    def __init__(self, sentence: str, *, code: str | None = None, status: int | None = None) -> None:
        super().__init__(sentence)
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status
