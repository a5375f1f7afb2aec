"""The story of an item in a few lines: how it stands, how alike its readers are, what label it has, what holds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from labelhub.analytics.item_story import ItemStory
from labelhub.analytics.story_facts import HeldBy
from labelhub.analytics.story_names import Names
from labelhub.catalog.models import Item
from labelhub.scoring.models import Score

STANDS = {
    Item.State.WAITING: "Nobody has read it yet. Its story goes on with the first reading.",
    Item.State.READING: "It is being read: {reads} in, {wanted} wanted.",
    Item.State.REWORK: "It is back with its author.",
    Item.State.REVIEW: "It waits for a reviewer.",
    Item.State.SETTLED: "It is settled.",
    Item.State.AMBIGUOUS: "It is settled as truly ambiguous: no label of it is right.",
    Item.State.EXCLUDED: "It was taken out of the work for good.",
}


@dataclass(frozen=True, slots=True)
class InShort:
    """A sentence on how the item stands and why, and the few numbers that say most."""

    sentence: str
    reason: str
    n_readers: int
    n_reads: int
    agreement: Score | None
    versions: tuple[str, ...]
    label: str
    releases: str


def in_short(story: ItemStory, releases: Sequence[HeldBy], names: Names, *, wanted: int) -> InShort:
    """Return the summary; ``wanted`` is how many reads the item shall have."""
    n_reads = len(story.readers)
    reads = f"{n_reads} read{'s are' if n_reads != 1 else ' is'}"
    newest = story.settlements[0] if story.settlements else None
    is_decided = story.item.state in (Item.State.SETTLED, Item.State.AMBIGUOUS)
    reason = (
        newest.reason if is_decided and newest is not None else story.route.reason if story.route is not None else ""
    )
    label = "not settled yet"
    if newest is not None:
        by = "by rule" if newest.decided_by_id is None else f"by {names.person(newest.decided_by_id)}"
        label = f"label {newest.number}, {newest.method}, {by}"
    return InShort(
        sentence=STANDS[Item.State(story.item.state)].format(reads=reads, wanted=wanted), reason=names.said(reason),
        n_readers=len({reader.labeler.pk for reader in story.readers}), n_reads=n_reads, agreement=story.agreement,
        versions=story.versions,
        label=label, releases=", ".join(f"{row.number} (label {row.settlement})" for row in releases) or "in none yet",
    )  # fmt: skip
