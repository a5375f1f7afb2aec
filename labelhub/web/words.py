"""The pages' vocabulary: a word and an icon for each state, and the definition of each number shown anywhere.

One place, so that two pages never call one thing by two names. Not here: the states themselves (each package's models).
"""

from __future__ import annotations

from collections.abc import Mapping

# state -> icon, word, tone
STATES: Mapping[str, tuple[str, str, str]] = {
    "waiting": ("clock", "Waiting", ""),
    "reading": ("pencil", "Being read", "is-live"),
    "rework": ("return", "Back with its author", "is-warn"),
    "review": ("eye", "In review", "is-warn"),
    "settled": ("check", "Settled", "is-good"),
    "excluded": ("ban", "Excluded", ""),
    "open": ("pencil", "Open", "is-live"),
    "submitted": ("check", "Submitted", "is-good"),
    "skipped": ("skip", "Skipped", ""),
    "expired": ("clock", "Time ended", ""),
    "accept": ("check", "Accepted", "is-good"),
    "reject": ("return", "Returned", "is-warn"),
    "more-readers": ("people", "One more reader", "is-live"),
    "back-to-author": ("return", "Back to its author", "is-warn"),
    "reviewer": ("eye", "To a reviewer", "is-warn"),
    "queued": ("clock", "Queued", ""),
    "running": ("play", "Running", "is-live"),
    "done": ("check", "Done", "is-good"),
    "failed": ("alert", "Failed", "is-bad"),
    "cancelled": ("ban", "Cancelled", ""),
    "stored": ("check", "Stored", "is-good"),
    "duplicate": ("copy", "Duplicate", ""),
    "refused": ("alert", "Refused", "is-bad"),
    "ignored": ("ban", "Ignored", ""),
}

DEFINITIONS: Mapping[str, str] = {
    "dice": "Dice: twice the shared area over the sum of both areas. 1 is the same shape, 0 no overlap.",
    "iou": "IoU: shared area over joined area. 1 is the same shape, 0 no overlap.",
    "hd95": "HD95: 95th percentile of the distances between the two outlines. 0 is the same outline.",
    "krippendorff": "Krippendorff's α: 1 is perfect agreement, 0 is chance, negative is systematic disagreement.",
    "alpha": "Krippendorff's α: 1 is perfect agreement, 0 is chance, negative is systematic disagreement.",
    "kappa": "Cohen's κ of two raters: 1 is perfect, 0 is chance, negative is systematic disagreement.",
    "raw": "Share of equal answers, not corrected for chance.",
    "surface": "Share of the two outlines that lie within the tolerance of each other.",
    "volume": "Difference of the two sizes, relative to their mean. 0 is equal size.",
    "accuracy": "Share of what was asked that equals the gold answer.",
    "similarity": "Mean of the pairs' overlap (Dice) and equal answers. 1 is the same, 0 nothing in common.",
}

VOCABULARY: Mapping[str, str] = {
    "Item": "One thing that is labelled as a whole: one or more pictures of one subject.",
    "Label class": "A kind of object that can be marked, with its colour and tool.",
    "Labeler": "Somebody who labels here, or a rater whose labels were imported.",
    "Submission": "A labeler's finished answer for an item. It never changes; a later answer is a further version.",
    "No finding": "An explicit “I looked and there is nothing”. Nothing drawn without it is no answer.",
    "Agreement": "Between people, on first versions of reads that were planned before any label was seen.",
    "Accuracy": "Against gold: items whose true answer is known as far as anyone knows.",
    "Disagreement": "Of a model against people.",
    "Route": "Where an item goes after its scores: accepted, one more reader, its author, or a reviewer; with reasons.",
    "Review": "One reviewer's judgement of one submission.",
    "Settled": "The item has its label: the consensus of its inputs, kept with method and confidence.",
    "Release": "Settled labels as files, numbered, with everything a format could not carry listed.",
    "n": "How many units a number rests on. Numbers below the stated minimum are grey: too few to act on.",
    "[low–high]": "The interval: 95 of 100 such intervals contain the true value. Whole patients (else studies, "
    "else images) are resampled, because pictures of one patient are alike.",
}


def definition_of(name: str) -> str:
    """Return the definition of the number that a metric or method name speaks of; empty where none is known."""
    lowered = name.lower()
    return next((text for key, text in DEFINITIONS.items() if key in lowered), "")
