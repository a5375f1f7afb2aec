"""The one way in which pixels are refused: what happened, where, and what to do.

Messages are written here by hand. The text of a library's exception is never passed on: it may quote what a file
contains, and a file may contain a patient's name.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.formats.shapes import FormatError, Problem


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a file was not taken: a sentence, the place in the input (a file, a slice), and the remedy."""

    message: str
    place: str
    remedy: str


class PixelError(FormatError):
    """A file, or a stored blob, cannot be read. Nothing of it was kept."""

    def __init__(self, message: str, *, place: str, remedy: str) -> None:
        super().__init__(Problem(place=place, message=message, remedy=remedy, fatal=True))
        self.refusal = Refusal(message=message, place=place, remedy=remedy)
