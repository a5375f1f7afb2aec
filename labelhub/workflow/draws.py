"""Secret draws: the same question draws the same number, and only who knows the project's secret can foretell it.

Used for what must have no pattern that a labeler could learn: when gold or a repeat is due, which one, and in which order
somebody reads. Not here: what follows from a draw.
"""

from __future__ import annotations

import hashlib

from labelhub.projects.models import Project


def draw(project: Project, purpose: str, *about: int) -> float:
    """Return a number from 0 to 1 (exclusive) for this purpose and these ids or counts."""
    text = ":".join([project.pseudonym_salt, purpose, *map(str, about)])
    return (int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) >> 11) / 2**53
