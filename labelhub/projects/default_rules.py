"""The routing rules that policies start from. Data only: what the words mean stands in ``routing_rules``.

``DYNAMIC_OVERLAP`` is the default: readers are added while it is not sure enough what the item's label is. How sure is a
probability where known answers calibrate it, and the readers' mean similarity where they do not.
"""

from __future__ import annotations

from typing import Final

from labelhub.projects.routing_rules import Condition, Rule

_YES, _NO = 1.0, 0.0
_CALIBRATED = Condition("posterior_is_calibrated", "is", _YES)
_NOT_CALIBRATED = Condition("posterior_is_calibrated", "is", _NO)
_AGREE = Condition("readers_agree", "is", _YES)
_NO_TIE = Condition("tie", "is", _NO)

TOO_FEW = Rule(
    "too-few-readers", "submission", (Condition("missing_reads", "above"),), "more-readers",
    because="{reads} of the planned reads are in, {missing_reads} missing.",
)  # fmt: skip
FIXED_WORK = Rule(
    "fixed-work", "submission", (Condition("fixed_work", "is", _YES),), "reviewer",
    because="A rejected reading came back from its author: a reviewer looks at it again.",
)  # fmt: skip
MODEL_DISAGREES = Rule(
    "model-disagrees", "submission", (_AGREE, Condition("model_similarity", "below", field="model_agreement")), "reviewer",
    because="The readers agree ({agreement}), but the model sees something else: similarity {model_similarity}, below "
    "{model_agreement}.",
)  # fmt: skip
SURE = Rule(
    "sure-enough", "submission",
    (_CALIBRATED, Condition("posterior", "at-least", field="posterior"), Condition("reads", "at-least", 2), _NO_TIE),
    "accept", because="The label is right with a calibrated probability of {posterior}, on {reads} reads.",
)  # fmt: skip
NOT_SURE = Rule(
    "not-sure-enough", "submission",
    (_CALIBRATED, Condition("posterior", "below", field="posterior"), Condition("reads", "at-least", 2), _AGREE,
     Condition("reads", "below", field="max_readers")),
    "more-readers", reads=1,
    because="The readers agree, but the label is right with a calibrated probability of {posterior} only: one more read, at "
    "most {max_readers}.",
)  # fmt: skip
STILL_NOT_SURE = Rule(
    "still-not-sure", "submission",
    (_CALIBRATED, Condition("posterior", "below", field="posterior"), Condition("reads", "at-least", 2), _AGREE), "reviewer",
    because="After {reads} reads the label is right with a calibrated probability of {posterior} only: a reviewer decides.",
)  # fmt: skip
SINGLE = Rule(
    "single-read", "submission", (Condition("reads", "exactly", 1), _AGREE, _NO_TIE), "accept",
    because="The policy asks for one read, and it is in.",
)  # fmt: skip
AGREEMENT = Rule(
    "agreement", "submission", (_AGREE, _NO_TIE), "accept",
    because="{reads} readers agree: {agreement}, at least {accept_agreement}.",
)  # fmt: skip
OWN_SLIP = Rule(
    "own-slip", "submission",
    (Condition("odd_reader", "is", _YES), Condition("author_can_return", "is", _YES),
     Condition("author_rounds", "below", field="max_rework_rounds")),
    "back-to-author",
    because="One reading is far from the others, which agree. Its author looks again; rounds so far: {author_rounds} of "
    "{max_rework_rounds}.",
)  # fmt: skip
ODD_READER_STAYS = Rule(
    "odd-reader-stays", "submission", (Condition("odd_reader", "is", _YES),), "reviewer",
    because="One reading is far from the others, and its author stays with it or cannot mend it (rounds so far: "
    "{author_rounds}): a reviewer decides.",
)  # fmt: skip
AMBIGUOUS = Rule(
    "ambiguous", "submission", (Condition("reads", "at-least", 3), Condition("best_pair", "below", field="slip_agreement")),
    "reviewer",
    because="No two of {reads} readers agree (best pair {best_pair}, below {slip_agreement}): a further read would hardly "
    "settle it.",
)  # fmt: skip
TIE = Rule(
    "tie", "submission", (_AGREE, Condition("tie", "is", _YES), Condition("reads", "below", field="max_readers")),
    "more-readers", reads=1,
    because="A vote of {reads} readers would end in a tie, and a tie is never broken by chance: one more read, at most "
    "{max_readers}.",
)  # fmt: skip
DISAGREEMENT = Rule(
    "disagreement", "submission",
    (_NOT_CALIBRATED, Condition("reads", "below", 1, field="readers"), Condition("reads", "below", field="max_readers")),
    "more-readers", reads=1,
    because="{reads} readers disagree ({agreement}, wanted {accept_agreement}): one more read.",
)  # fmt: skip
STILL_DISAGREEMENT = Rule(
    "disagreement-not-sure", "submission", (_CALIBRATED, Condition("reads", "below", field="max_readers")),
    "more-readers", reads=1,
    because="{reads} readers disagree ({agreement}) and the label is right with a probability of {posterior} only: one more "
    "read, at most {max_readers}.",
)  # fmt: skip
EXHAUSTED = Rule(
    "readers-exhausted", "submission", (), "reviewer",
    because="{reads} readers still disagree ({agreement}) and no further read is asked for: a reviewer decides.",
)  # fmt: skip
MODEL_OBJECTS = Rule(
    "model-disagrees-later", "prediction", (_AGREE, Condition("model_similarity", "below", field="model_agreement")),
    "reviewer",
    because="The label was settled by agreement ({agreement}), but the model sees something else: similarity "
    "{model_similarity}, below {model_agreement}.",
)  # fmt: skip
# From here down a model hardly believes a label: far below "rather believed than not", so that few right ones come back.
_HARDLY: Final = 0.30
HARDLY_BELIEVED_ALONE = Rule(
    "hardly-believed-alone", "submission",
    (Condition("reads", "exactly", 1), Condition("label_quality", "below", _HARDLY), Condition("author_can_return", "is", _YES),
     Condition("author_rounds", "below", 1)),
    "back-to-author",
    because="The model hardly believes the only reading ({label_quality}): its author looks at it once more.",
)  # fmt: skip
HARDLY_BELIEVED = Rule(
    "hardly-believed", "submission", (_AGREE, Condition("label_quality", "below", _HARDLY)), "reviewer",
    because="The model hardly believes the least believable reading ({label_quality}), and nobody else questions it: a "
    "reviewer decides.",
)  # fmt: skip
HARDLY_BELIEVED_LATER = Rule(
    "hardly-believed-later", "prediction", (_AGREE, Condition("label_quality", "below", _HARDLY)), "reviewer",
    because="The label was settled by agreement, but the model hardly believes it ({label_quality}).",
)  # fmt: skip
REJECTED_RETURNS = Rule(
    "rejected-goes-back", "review",
    (Condition("author_can_return", "is", _YES), Condition("author_rounds", "below", field="max_rework_rounds")),
    "back-to-author", because="A reviewer rejected it.",
)  # fmt: skip
REJECTED_READ_AGAIN = Rule(
    "rejected-is-read-again", "review", (), "more-readers", reads=1,
    because="A reviewer rejected a reading whose author cannot mend it: one more reader.",
)  # fmt: skip
RANDOM_AUDIT = Rule(
    "random-audit", "acceptance", (Condition("audit_drawn", "is", _YES),), "audit",
    because="Drawn at random for the audit of accepted labels.",
)  # fmt: skip
AUDIT_DISAGREES = Rule(
    "audit-disagrees", "audit", (Condition("audit_similarity", "below", field="accept_agreement"),), "reviewer",
    because="An auditor who had not seen the label reads the item otherwise: similarity {audit_similarity}, below "
    "{accept_agreement}.",
)  # fmt: skip

AFTERWARDS: tuple[Rule, ...] = (MODEL_OBJECTS, REJECTED_RETURNS, REJECTED_READ_AGAIN, RANDOM_AUDIT, AUDIT_DISAGREES)
DYNAMIC_OVERLAP: tuple[Rule, ...] = (
    TOO_FEW, FIXED_WORK, MODEL_DISAGREES, SURE, NOT_SURE, STILL_NOT_SURE, SINGLE, AGREEMENT, OWN_SLIP, ODD_READER_STAYS,
    AMBIGUOUS, TIE, DISAGREEMENT, STILL_DISAGREEMENT, EXHAUSTED, *AFTERWARDS,
)  # fmt: skip
SINGLE_READ: tuple[Rule, ...] = (TOO_FEW, FIXED_WORK, MODEL_DISAGREES, SINGLE, EXHAUSTED, *AFTERWARDS)
MODEL_LOOKS_TWICE: tuple[Rule, ...] = (
    TOO_FEW, FIXED_WORK, HARDLY_BELIEVED_ALONE, HARDLY_BELIEVED, MODEL_DISAGREES, SINGLE, EXHAUSTED, HARDLY_BELIEVED_LATER,
    *AFTERWARDS,
)  # fmt: skip
TO_A_REVIEWER: tuple[Rule, ...] = (TOO_FEW, FIXED_WORK, MODEL_DISAGREES, SINGLE, AGREEMENT, EXHAUSTED, *AFTERWARDS)
