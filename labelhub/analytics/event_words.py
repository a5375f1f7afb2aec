"""Events of the audit chain as lines for people: who, what, when. The chain itself says ids only; names are looked up here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from labelhub.accounts.selectors import names_of
from labelhub.audit.models import Event
from labelhub.projects.models import Labeler

WHAT: Mapping[str, str] = {
    "project.created": "made the project",
    "ontology.published": "published ontology version {number}",
    "policy.published": "published policy version {number}",
    "guideline.published": "published instructions version {number}",
    "guideline.acknowledged": "read instructions version {guideline}",
    "member.added": "made a member {role}",
    "member.removed": "ended a membership as {role}",
    "item.created": "brought the item in",
    "item.handed_out": "was given the item",
    "item.routed": "{outcome}",
    "item.returned": "sent a reading back to its author",
    "item.settled": "settled the item",
    "item.excluded": "took the item out of the work",
    "submission.frozen": "submitted",
    "submission.stored": "a reading was stored",
    "submission.reviewed": "{verdict}",
    "assignment.skipped": "skipped the item",
    "assignment.expired": "ran out of time",
    "assignment.taken_again": "took the item again",
    "release.started": "started a release",
    "release.finished": "finished a release",
    "gold.made": "made a reading gold",
    "gold.retired": "took gold out of use",
    "gold.rested": "gold rests, because enough labelers had it",
    "gold.doubted": "sent doubtful gold to the reviewers",
    "exam.passed": "passed the entry exam",
    "exam.ruled": "decided about an entry exam: {verdict}",
    "item.assigned": "gave the item to a labeler by hand",
    "assignment.requeued": "queued work again",
    "assignment.handed_over": "handed work over",
    "batch.made": "made a batch of {items} items",
    "batch.changed": "changed a batch",
    "team.made": "made a team",
    "labeler.teams_changed": "changed a labeler's teams",
    "labeler.qualifications_changed": "changed a labeler's qualifications",
    "pair.kept_apart": "keeps two labelers apart",
    "pair.let_together": "no longer keeps two labelers apart",
}
# What a route or a verdict did, in place of its key.
DID: Mapping[str, str] = {
    "accept": "accepted the readings",
    "more-readers": "asked for one more reader",
    "back-to-author": "found one reading for its author to look at again",
    "reviewer": "sent the item to a reviewer",
}
JUDGED: Mapping[str, str] = {"accept": "accepted a reading", "reject": "returned a reading"}


@dataclass(frozen=True, slots=True)
class EventLine:
    """One event: its place in the chain, when, who, what in words, and the facts that were written."""

    seq: int
    at: datetime
    who: str
    what: str
    subject: str
    kind: str
    facts: Mapping[str, object]


def lines_of(events: Iterable[Event]) -> tuple[EventLine, ...]:
    """Return the events as lines, in their order; two queries for all names."""
    rows = list(events)
    people = names_of(_keys(rows, "user"))
    labelers = dict(Labeler.objects.filter(pk__in=_keys(rows, "labeler")).values_list("pk", "name"))
    return tuple(
        EventLine(row.seq, row.at, _name(row.actor, people, labelers), _what(row), row.subject, row.kind, row.facts)
        for row in rows
    )


def _keys(rows: list[Event], kind: str) -> set[int]:
    parts = (row.actor.partition(":") for row in rows)
    return {int(key) for name, _, key in parts if name == kind and key.isdigit()}


def _name(actor: str, people: Mapping[int, str], labelers: Mapping[int, str]) -> str:
    kind, _, key = actor.partition(":")
    known = {"user": people, "labeler": labelers}.get(kind, {})
    return known.get(int(key), actor) if key.isdigit() else actor.capitalize()


def _what(row: Event) -> str:
    template = WHAT.get(row.kind)
    if template is None:
        return row.kind.replace(".", " ").replace("_", " ")
    try:
        words = {"outcome": DID, "verdict": JUDGED}
        facts = {name: words.get(name, {}).get(str(value), value) for name, value in row.facts.items()}
        return template.format(**facts)
    except (KeyError, IndexError):
        return row.kind.replace(".", " ")
