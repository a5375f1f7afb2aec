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
    "ambiguous": ("help", "Truly ambiguous", "is-good"),
    "excluded": ("ban", "Excluded", ""),
    "testing": ("clock", "Being tested", ""),
    "cleared": ("check", "Cleared", "is-good"),
    "proposed": ("alert", "Pause proposed", "is-warn"),
    "paused": ("pause", "Paused", "is-warn"),
    "open": ("pencil", "Open", "is-live"),
    "parked": ("clock", "Parked", ""),
    "asked": ("help", "Waiting for an answer", "is-warn"),
    "unreadable": ("ban", "Could not be read", ""),
    "confirmed": ("check", "Confirmed", ""),
    "refuted": ("ban", "Not confirmed", ""),
    "submitted": ("check", "Submitted", "is-good"),
    "skipped": ("skip", "Skipped", ""),
    "disputed": ("help", "Disputed", "is-warn"),
    "upheld": ("check", "Upheld", "is-good"),
    "refuted-dispute": ("return", "The return stands", ""),
    "to-reviewer": ("eye", "With a reviewer", "is-warn"),
    "moot": ("ban", "Nothing left to decide", ""),
    "expired": ("clock", "Time ended", ""),
    "accept": ("check", "Accepted", "is-good"),
    "reject": ("return", "Returned", "is-warn"),
    "more-readers": ("people", "One more reader", "is-live"),
    "back-to-author": ("return", "Back to its author", "is-warn"),
    "reviewer": ("eye", "To a reviewer", "is-warn"),
    "maybe-ambiguous": ("eye", "To a reviewer, perhaps ambiguous", "is-warn"),
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

# What is wrong with an object -> icon, word, what it means: in the order of the keys 1 to 7 by which a reviewer names it.
ERROR_KINDS: Mapping[str, tuple[str, str, str]] = {
    "missing": ("plus", "Missing", "The label has it, the reading does not."),
    "extra": ("trash", "Extra", "The reading has it, the label does not."),
    "wrong class": ("tag", "Wrong class", "At the right place, under another name."),
    "boundary": ("pencil", "Boundary", "The outline runs elsewhere, beyond the tolerance."),
    "split": ("copy", "Split", "One object was drawn as several."),
    "merge": ("box", "Merge", "Several objects were drawn as one."),
    "slice range": ("list", "Slice range", "It begins or ends on another slice."),
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

# Numbers of single labelers: how their name begins -> the word that heads the column, what it says.
LABELER_NUMBERS: Mapping[str, tuple[str, str]] = {
    "gold accuracy, shrunk": (
        "Shrunk", "Right on gold, pulled towards what labelers of this project reach, the more the fewer gold answers."
    ),
    "gold accuracy": ("Gold", "Share of their first answers on gold that is right, one of each patient."),
    "above the target": ("Above target", "The probability that their true accuracy is above the policy's target."),
    "first-pass acceptance": (
        "First pass", "Of their first answers that were decided, the share that neither came back nor was rejected."
    ),
    "reviewers' mean score": ("Review", "Mean of the scores from 0 to 10 that reviewers gave their work."),
    "equal answers with others": (
        "Same answers", "Of the other readers' answers to the same questions, the share that equals theirs."
    ),
    "marks shared with others": (
        "Same objects", "Positive specific agreement: how far they and each other reader mark the same objects of a class."
    ),
    "same class as others": (
        "Same class", "Of the objects that they and another reader both marked, the share under the same class."
    ),
    "Dice with others": ("Overlap", "Mean Dice of their outline with every other reader's of the same object."),
    "size against others": (
        "Size", "How much larger (+) or smaller (−) than the others they draw: difference over the mean of both sizes."
    ),
    "answers right": ("Right answers", "Share of their answers that equals gold's."),
    "gold objects found": ("Found", "Share of gold's objects that they marked."),
    "marks that are real": ("Real", "Share of their marks that gold has too."),
    "class right": ("Right class", "Of gold's objects that they marked, the share under gold's class."),
    "Dice with gold": ("Overlap", "Mean Dice of their outline with gold's."),
    "size against gold": (
        "Size", "How much larger (+) or smaller (−) than gold they draw: difference over the mean of both sizes."
    ),
    "majority answer right": ("Right majority", "Share of items on which most readers gave gold's answer."),
}  # fmt: skip
TIRING = ("Tiring", "Change of the share that is right, every ten items of a session; below 0 they get worse.")

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
    "Parked": "Put aside by its labeler with the draft; nobody else gets it for at most two weeks.",
    "Question": "A labeler asks reviewers about an item. Nobody else sees it; a general answer goes into the instructions.",
    "Cannot be read": "A labeler says so; once a second person confirms it, the item is taken out.",
    "Recalled": "Taken back by its author before anybody else acted on it. Scores rest on the first version.",
    "Truly ambiguous": "A reviewer found that no label is right. It is released as an ignore region, with all readings kept.",
    "Release": "Settled labels as files, numbered, with everything a format could not carry listed.",
    "n": "How many units a number rests on. Numbers below the stated minimum are grey: too few to act on.",
    "[low–high]": "The interval: 95 of 100 such intervals contain the true value. Whole patients (else studies, "
    "else images) are resampled, because pictures of one patient are alike.",
}


# What an admin is told while networks cannot run; nothing is said once they can.
WITHOUT_NETWORKS: Mapping[str, str] = {
    "absent": "Networks (torch, monai) are not installed; drafts use image analysis, and everything else works.",
    "installing": "Networks (torch, monai) are being installed; drafts use image analysis until then, and "
    "everything else works.",
    "failed": "Networks (torch, monai) could not be installed; drafts use image analysis, and everything else works. "
    "“python3 manage.py install_models” tries again and says why.",
}


# Long work by its kind, as it stands in a row with its progress.
JOBS = {
    "accounts.send_digests": "Sending mail",
    "analytics.measure": "Measuring the project",
    "catalog.ingest": "Reading files",
    "exports.release": "Making a release",
    "predictions.predict_project": "A model looks at the project",
    "scoring.backfill": "Bringing scores up to date",
    "scoring.fit_truth": "Estimating readers",
    "inference.import_bundle": "Reading a model that was brought",
    "inference.train": "Training a network",
    "workflow.choose_edge_cases": "Choosing edge cases",
    "workflow.decide_satisfied": "Deciding items that have their reads",
    "annotations.bake": "A long drawing made ready to open at once",
    "workflow.end_waits": "Disputes whose third reader did not come",
    "workflow.place_gold_test": "Gold among a reviewer's items",
    "workflow.send_again": "Sending items back for a new read",
    "workflow.send_on": "Sending a paused labeler's items on",
    "workflow.try_policy": "Trial on the past",
}


def head_of(name: str) -> str:
    """Return the short word for a number of single labelers; its own name where it has none."""
    found = _labeler_number(name)
    return found[0] if found is not None else name


def _labeler_number(name: str) -> tuple[str, str] | None:
    if "change per ten items" in name:
        return f"{TIRING[0]} by {'class' if name.startswith('class') else 'answers'}", TIRING[1]
    return next((words for start, words in LABELER_NUMBERS.items() if name.startswith(start)), None)


def definition_of(name: str) -> str:
    """Return the definition of the number that a metric or method name speaks of; empty where none is known."""
    found = _labeler_number(name)
    if found is not None:
        return found[1]
    lowered = name.lower()
    return next((text for key, text in DEFINITIONS.items() if key in lowered), "")
