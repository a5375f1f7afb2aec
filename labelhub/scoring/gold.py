"""Gold: which submission is an item's true answer as far as anyone knows. Made and retired, never deleted.

Nothing about an item tells an annotator that it is gold: these rows are hidden. Not here: when gold is handed out
(``workflow``), and the comparison with it (``services``).
"""

from __future__ import annotations

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from labelhub.annotations.models import Submission
from labelhub.audit import services as audit
from labelhub.catalog.examples import is_example
from labelhub.catalog.models import Item
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.scoring.models import GoldReference, Score


class GoldProblem(DomainError):
    """The submission cannot be this item's gold."""

    code = "gold-problem"


def make_gold(
    *, item: Item, submission: Submission, by: str, kind: str = GoldReference.Kind.HIDDEN, drawn: str = "hand"
) -> GoldReference:
    """Make ``submission`` the item's gold; an earlier one is retired. Writes ``gold.made``. ``by`` is the actor.

    ``drawn`` says how the item was chosen: ``hand``, ``random``, ``stratified`` or ``settled``.
    """
    if kind not in GoldReference.Kind.values:
        raise GoldProblem(f"{kind[:20]!r} is no kind of gold. Nothing was changed. Choose exam, hidden or training.")
    if submission.assignment.item_id != item.pk:
        raise GoldProblem("This reading is of another item. Nothing was changed. Choose a reading of this item.")
    if is_example(item):
        raise GoldProblem(
            "The instructions show this item to every labeler, so it can test nobody. Nothing was changed."
        )
    with transaction.atomic():
        for earlier in GoldReference.objects.filter(item=item, retired_at=None):
            retire_gold(gold=earlier, reason="replaced by a newer gold", by=by)
        gold = GoldReference.objects.create(item=item, submission=submission, kind=kind, drawn=drawn, made_by=by[:80])
        audit.append(
            project_id=item.project_id, kind="gold.made", actor=by, subject=f"item:{item.pk}",
            facts={"gold": gold.pk, "submission": submission.pk, "kind": kind, "drawn": drawn},
        )  # fmt: skip
    return gold


def retire_gold(*, gold: GoldReference, reason: str, by: str) -> None:
    """Take a gold out of use: its scores are dated as replaced, so that no accuracy rests on it. Writes ``gold.retired``."""
    with transaction.atomic():
        now = timezone.now()
        rows = GoldReference.objects.filter(pk=gold.pk, retired_at=None)
        if not rows.update(retired_at=now, retired_reason=reason[:300]):
            return
        Score.objects.filter(gold=gold, replaced_at=None).update(replaced_at=now)
        audit.append(
            project_id=gold.item.project_id, kind="gold.retired", actor=by, subject=f"item:{gold.item_id}",
            facts={"gold": gold.pk},
        )  # fmt: skip


def current_gold(item: Item) -> GoldReference | None:
    """Return the item's gold, if it has one now."""
    return GoldReference.objects.filter(item=item, retired_at=None).select_related("submission").first()


def was_gold(item: Item) -> bool:
    """Whether the item is gold or ever was."""
    return GoldReference.objects.filter(item=item).exists()


def expose_gold(*, gold: GoldReference, most: int) -> None:
    """Count that one more labeler is given this gold; at ``most`` it rests and is given to nobody else. Writes ``gold.rested``.

    Unlike retiring it keeps what was measured: the answer is right, but too many people have seen the item.
    """
    rows = GoldReference.objects.filter(pk=gold.pk)
    rows.update(n_exposures=F("n_exposures") + 1)
    if rows.filter(n_exposures__gte=most, rested_at=None).update(rested_at=timezone.now()):
        audit.append(
            project_id=gold.item.project_id, kind="gold.rested", actor="system", subject=f"item:{gold.item_id}",
            facts={"gold": gold.pk, "exposures": most},
        )  # fmt: skip


def doubt_gold(*, gold: GoldReference, by: str, reason: str, **numbers: int) -> None:
    """Record that the gold is in doubt: it stays in use until somebody takes it out. Writes ``gold.doubted``."""
    GoldReference.objects.filter(pk=gold.pk).update(doubted_at=timezone.now())
    audit.append(
        project_id=gold.item.project_id, kind="gold.doubted", actor=by, subject=f"item:{gold.item_id}",
        facts={"gold": gold.pk, "reason": reason.strip()[:300], **numbers},
    )  # fmt: skip


def gold_items(project: Project) -> QuerySet[Item]:
    """Return the items with hidden or exam gold in use, whatever their state, but for excluded ones."""
    references = GoldReference.objects.filter(
        retired_at=None, kind__in=[GoldReference.Kind.HIDDEN, GoldReference.Kind.EXAM]
    )
    return Item.objects.filter(project=project, pk__in=references.values("item_id")).exclude(state=Item.State.EXCLUDED)
