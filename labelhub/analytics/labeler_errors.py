"""Which errors reviewers named in a labeler's readings: how many of each kind, and in what share of what was judged.

What was judged is what reviewers came to look at, not a random sample of the labeler's work. Items of one patient are one unit.
Not here: naming errors (``reviews.verdicts``), and the labeler's other numbers (``labeler_standings``).
"""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.numerics.proportions import proportion
from labelhub.numerics.results import Estimate
from labelhub.projects.models import Labeler
from labelhub.projects.selectors import current_policy
from labelhub.reviews.error_models import Appraisal, ObjectVerdict
from labelhub.reviews.models import Decision
from labelhub.reviews.verdicts import Kind, verdicts_in

UNIT = "patients or items judged by a reviewer"


@dataclass(frozen=True, slots=True)
class ErrorShare:
    """One kind of error: how often it was named, in what share of what was judged, and on which items."""

    kind: str
    n_errors: int
    share: Estimate
    items: tuple[str, ...]


def errors_of(labeler: Labeler) -> tuple[ErrorShare, ...]:
    """Return each kind that was named in this labeler's readings, the most frequent first; empty where nothing was."""
    _, policy = current_policy(labeler.project)
    said = verdicts_in(labeler.project, policy).filter(submission__assignment__labeler=labeler).select_related("item")
    last: dict[tuple[int, str], ObjectVerdict] = {(row.submission_id, row.key): row for row in said}
    named = [row for row in last.values() if row.kind != Kind.NONE]
    judged = {row.item.group_key or row.item.code for row in said}
    for model in (Decision, Appraisal):
        rows = model.objects.filter(submission__assignment__labeler=labeler)
        judged |= {group or code for group, code in rows.values_list("item__group_key", "item__code")}
    found = []
    for kind in Kind.values:
        rows_of_kind = [row for row in named if row.kind == kind]
        if not rows_of_kind:
            continue
        groups = {row.item.group_key or row.item.code for row in rows_of_kind}
        share = proportion(len(groups), len(judged), unit=UNIT, method=f"judged with the error “{kind}” named")
        items = tuple(dict.fromkeys(row.item.code for row in rows_of_kind))
        found.append(ErrorShare(kind, len(rows_of_kind), share, items))
    return tuple(sorted(found, key=lambda entry: (-entry.n_errors, entry.kind)))
