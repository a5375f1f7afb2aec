"""What an annotator may learn although it follows from hidden labels, gold, scores or consensus: this list, and no more.

Everything else that an annotator receives is the same in two worlds that differ only in what is hidden (``manage.py soak
two-worlds``, and a short form in the suite). Whoever adds a way for an annotator to learn more adds a line here first, with
the reason why the work cannot do without; the help page shows the list to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One thing an annotator learns, when, and why it is told."""

    key: str
    what: str
    why: str


DISCLOSURES: tuple[Disclosure, ...] = (
    Disclosure(
        "handed-out",
        "That an image is handed out at all; never why, as which kind of work, or after how many others.",
        "Work that is needed has to reach somebody. A share of extra reads goes to images drawn at random, so that an offer "
        "does not betray a dispute.",
    ),
    Disclosure(
        "has-work",
        "Whether there is something to do now; never how much.",
        "Nobody can work against a button that does nothing.",
    ),
    Disclosure(
        "no-longer-wanted",
        "That work whose time ended cannot be taken again, because the image has its readers by now.",
        "The draft would otherwise be finished for nothing.",
    ),
    Disclosure(
        "returned",
        "That own work came back, with a reviewer's words; the others' outlines only where the policy says so.",
        "Only its author can mend it and learn from it.",
    ),
    Disclosure(
        "review",
        "The verdict, score and comment of a reviewer on own work.",
        "A judgement of somebody's work belongs to them.",
    ),
)
