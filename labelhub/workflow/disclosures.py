"""What an annotator may learn although it follows from hidden labels, gold, scores or consensus: this list, and no more.

Everything else that an annotator receives is the same in two worlds that differ only in what is hidden (``manage.py soak
two-worlds``, and a short form in the suite). Whoever adds a way for an annotator to learn more adds a line here first, with
the reason why the work cannot do without; the help page shows the list to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One thing an annotator learns, when, and why it is told; ``refusals`` are the codes of refusals that tell it."""

    key: str
    what: str
    why: str
    refusals: tuple[str, ...] = ()


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
        ("no-longer-wanted",),
    ),
    Disclosure(
        "returned",
        "That own work came back, with a reviewer's words; the others' outlines only where the policy says so.",
        "Only its author can mend it and learn from it.",
    ),
    Disclosure(
        "marks",
        "With own work that came back: where it differs. A coarse circle and a rounded distance; the regions and both "
        "outlines only where the policy says so.",
        "Who is told that something is wrong has to know where to look.",
    ),
    Disclosure(
        "dispute",
        "What became of an own dispute: whether one's reading stands; never who read the image, or how.",
        "Somebody who objects is owed an answer.",
    ),
    Disclosure(
        "review",
        "The verdict, score and comment of a reviewer on own work, and the errors that they named in work that came back: how "
        "many of three sorts (which objects there are, what one is called, where one ends), which tell neither side nor class "
        "nor place; with class, size and slices only where the policy shows the others' answers.",
        "A judgement of somebody's work belongs to them.",
    ),
    Disclosure(
        "comments",
        "What a reviewer wrote to the author of a reading about it, or at a pin of somebody who labels, and that something was "
        "written there, where the policy lets authors read comments; never who, unless they were seen at the image.",
        "Some things are learned best from a word beside the place.",
    ),
    Disclosure(
        "excluded",
        "That an image one works on was taken out of the project; never by whom, or on whose word.",
        "Work on it would be for nothing.",
        ("item-excluded",),
    ),
    Disclosure(
        "recalled",
        "Whether own submitted work can still be taken back: once anybody went on with the image it cannot; never who, or how.",
        "A label that others read, judged or used must not change under them.",
        ("cannot-recall",),
    ),
    Disclosure(
        "draft",
        "Where the project shows drafts: what a model drew on one's own image, once one asks, or that there is none for it. "
        "The model may have learned from settled labels. Never why there is none, nor that one was altered to see who looks.",
        "A draft is there to be seen, and to be mended.",
    ),
    Disclosure(
        "answered",
        "A reviewer's answer to an own question. What is general in it reaches everybody as instructions, without the image.",
        "Nobody can label well what they may not ask about.",
    ),
    Disclosure(
        "paused",
        "That one is paused: no more work is handed out, and returned work goes to others; nothing of why.",
        "Somebody who waits for work has to know that none comes, and whom to ask.",
        ("labeler-paused",),
    ),
    Disclosure(
        "exam",
        "Where one stands in the entry exam: that it is being sat, how many images are left, that it was not passed, or that "
        "there are too few images for it; never which answers were right.",
        "Whoever sits an exam has to know how long it is and how it ended.",
        ("exam-failed", "exam-too-short"),
    ),
    Disclosure(
        "training",
        "That an image is for training and, once it was submitted, how near the answer came to the reference; and on the page "
        "of one's own work how all such answers did, in their order.",
        "Training without feedback teaches nothing. Such images are never used to measure anybody.",
    ),
)
