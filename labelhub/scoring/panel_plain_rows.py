"""Rows of a panel that hold no number with an interval: doubtful labels, truth inference, copies. See ``panel_rows``."""

from __future__ import annotations

from dataclasses import dataclass

# So many identical outlines are more than a coincidence or two.
LEAST_IDENTICAL = 3


@dataclass(frozen=True, slots=True)
class DoubtRow:
    """A label that is not sure, or of which the vote says otherwise: what truth inference says, how sure, and the vote."""

    item: str
    source_id: str
    says: str
    confidence: float
    vote: str


@dataclass(frozen=True, slots=True)
class TruthRow:
    """Truth inference over one question or over objects: the method and why, and how often its sure labels are right.

    ``n_sure`` units have a confidence of .95 or more; of ``sure_n`` such claims that ``judged_by`` could judge the share
    ``sure_right`` was right (lower limit ``sure_right_low``). ``is_corrected``: by ``n_known`` known answers.
    """

    about: str
    chosen: str
    why: str
    n_units: int
    n_raters: int
    n_sure: int
    n_differs: int
    n_vote_ties: int
    judged_by: str
    sure_right: float
    sure_right_low: float
    sure_n: int
    is_corrected: bool
    n_known: int
    warnings: tuple[str, ...]
    doubts: tuple[DoubtRow, ...]


@dataclass(frozen=True, slots=True)
class CopyRow:
    """Two readers with hand-drawn outlines that are the same to the last vertex.

    Readers that cannot be told apart across items are not named.
    """

    first: str
    second: str
    n_identical: int
    n_compared: int
    items: tuple[str, ...]

    @property
    def is_suspicious(self) -> bool:
        """Whether it is more than a coincidence or two: small outlines on whole pixels do coincide now and then."""
        return self.n_identical >= LEAST_IDENTICAL
