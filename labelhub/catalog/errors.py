"""The few ways in which the catalog says no: each with a code, a sentence that says what happened, and a remedy."""

from __future__ import annotations

from labelhub.projects.errors import DomainError


class CatalogProblem(DomainError, ValueError):
    """What was asked cannot be done with this item, medium, file or folder; nothing was stored by halves."""

    code = "catalog-problem"

    def __init__(self, sentence: str, *, remedy: str = "") -> None:
        super().__init__(f"{sentence} {remedy}".strip())
        self.sentence = sentence
        self.remedy = remedy


class NoPixels(CatalogProblem):
    """The medium has a grid only: its pictures were never brought in."""

    code = "no-pixels"
    status = 404


class BlobDamaged(CatalogProblem):
    """Stored bytes are missing or are not what their name says."""

    code = "blob-damaged"


class PlaceRefused(CatalogProblem):
    """A folder on the server may not be read in place, or a file's place points outside of where it belongs."""

    code = "place-refused"
