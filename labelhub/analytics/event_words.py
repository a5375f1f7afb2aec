"""Events of the audit chain as lines for people: who, what, when. The chain itself says ids only; names are looked up here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from labelhub.accounts.models import User
from labelhub.accounts.selectors import names_of
from labelhub.annotations.models import Submission
from labelhub.audit.models import Event
from labelhub.projects.models import Labeler, Project
from labelhub.reviews.selectors import sitting_without
from labelhub.routing.models import Gate

WHAT: Mapping[str, str] = {
    "project.created": "made the project",
    "ontology.published": "published ontology version {number}",
    "policy.published": "published policy version {number}",
    "prices.published": "published version {number} of what an hour of work costs",
    "hanging.published": "published version {number} of how series stand side by side",
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
    "items.sending_again": "had {items} items sent back for a new read",
    "item.seen": "looked at what others saw in the item, and reads it blind no more",
    "item.sent_again": "sent the item back for a new read",
    "story.exported": "exported the item's story",
    "item.predicted": "looked at the item",
    "model.registered": "registered version {number} of a model",
    "model.look_asked": "let a model look at the project",
    "bundle.received": "brought a model's bundle",
    "training.started": "started a training from release {release}",
    "edge_cases.asked": "had {items} edge cases chosen to come first",
    "draft.asked": "asked for a draft of a model",
    "proposal.shown": "was shown what a trained model made of a press",
    "drafts.given_again": "gave a labeler drafts again",
    "submission.frozen": "submitted",
    "submission.stored": "a reading was stored",
    "submission.reviewed": "{verdict}",
    "panel.voted": "voted in a panel",
    "matter.answered": "decided one thing in dispute",
    "review.tested": "judged the item, whose outcome was known, blind",
    "objects.judged": "named errors of single objects",
    "reading.appraised": "said how good a reading is",
    "vote.kept_back": "a vote is kept back until you have voted too, or its panel has decided",
    "assignment.skipped": "skipped the item",
    "assignment.expired": "ran out of time",
    "assignment.taken_again": "took the item again",
    "companion.joined": "joined those who label the item together",
    "example.added": "added an example to the instructions",
    "example.removed": "took an example out of the instructions",
    "onlooker.came": "watches those who label the item together",
    "onlooker.left": "watches those who label the item no more",
    "companion.left": "left those who label the item together",
    "assignment.parked": "parked the item",
    "assignment.resumed": "went on with the item",
    "assignment.unreadable": "could not read the item",
    "unreadable.decided": "{outcome}",
    "question.asked": "asked a question",
    "question.answered": "answered a question",
    "submission.recalled": "took a submission back",
    "rework.disputed": "disputed the return of a reading",
    "dispute.decided": "{outcome}",
    "thread.opened": "opened a thread",
    "comment.written": "wrote a comment",
    "comment.edited": "edited a comment",
    "thread.resolved": "resolved a thread",
    "thread.reopened": "opened a thread again",
    "item.ambiguous": "found the item truly ambiguous",
    "edit.refused": "changed a {what} that somebody else had changed since",
    "job.cancel_asked": "cancelled a job",
    "release.started": "started a release",
    "release.finished": "finished a release",
    "gate.test_started": "started test {test} on gold",
    "gate.cleared": "test {test}: good enough",
    "gate.drift_alarmed": "the watch after test {test} alarmed",
    "gate.pause_proposed": "proposed a pause",
    "gate.paused": "paused a labeler",
    "gate.resumed": "ended a pause",
    "gate.proposal_declined": "declined a proposed pause",
    "gate.finding_withdrawn": "took a finding of the gate back",
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
# What tells how somebody voted in a panel.
VOTING_EVENTS = ("panel.voted", "submission.reviewed", "objects.judged")
KEPT_BACK = "vote.kept_back"
# What a route or a verdict did, in place of its key.
DID: Mapping[str, str] = {
    "accept": "accepted the readings",
    "more-readers": "asked for one more reader",
    "back-to-author": "found one reading for its author to look at again",
    "reviewer": "sent the item to a reviewer",
    "confirmed": "confirmed that it cannot be read",
    "refuted": "showed that it can be read",
}
# What became of a dispute.
DISPUTED: Mapping[str, str] = {
    "upheld": "upheld a dispute: the reading stands",
    "refuted": "decided a dispute: the return stands",
    "to-reviewer": "sent a disputed reading to a reviewer",
    "moot": "closed a dispute: nothing is left to decide",
}
JUDGED: Mapping[str, str] = {"accept": "accepted a reading", "reject": "returned a reading"}


GATE_WORDS: Mapping[str, str] = {
    Gate.Kind.TEST_STARTED: "A test started", Gate.Kind.CLEARED: "Cleared", Gate.Kind.DRIFT_ALARM: "The watch alarmed",
    Gate.Kind.PROPOSED: "A pause was proposed", Gate.Kind.PAUSED: "Paused", Gate.Kind.RESUMED: "Resumed",
    Gate.Kind.KEPT: "The proposal was declined", Gate.Kind.WITHDRAWN: "The finding was withdrawn",
}  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact of a labeler's gate: when, who, what in words, and the reason given."""

    at: datetime
    who: str
    kind: str
    what: str
    reason: str
    test: int


def lines_of(events: Iterable[Event]) -> tuple[EventLine, ...]:
    """Return the events as lines, in their order; two queries for all names."""
    rows = list(events)
    people = names_of(_keys(rows, "user"))
    labelers = dict(Labeler.objects.filter(pk__in=_keys(rows, "labeler")).values_list("pk", "name"))
    return tuple(
        EventLine(
            row.seq,
            row.at,
            _name(row.actor, people, labelers),
            words_of(row.kind, row.facts),
            row.subject,
            row.kind,
            row.facts,
        )
        for row in rows
    )


def without_open_votes(
    events: Iterable[Event], project: Project, user: User, *, is_chosen: bool = False
) -> Iterator[Event]:
    """Yield the events, each open vote that ``user`` must not see yet as a line that says only that it is kept back.

    Its number, time and hash stay, so that the record has no hole; the rows themselves are not changed. Where events were
    chosen (``is_chosen``) by who did them, to what or of which kind, such a line would tell that, and is left out.
    """
    since = {f"item:{key}": at for key, at in sitting_without(project, user).items()}
    if since:
        read = Submission.objects.filter(assignment__item__in=[int(key.partition(":")[2]) for key in since])
        for pk, item_id in read.values_list("pk", "assignment__item_id"):
            since[f"submission:{pk}"] = since[f"item:{item_id}"]
    for event in events:
        opened = since.get(event.subject)
        is_kept = opened is not None and event.kind in VOTING_EVENTS and event.at >= opened
        if is_kept and event.actor != f"user:{user.pk}":
            if not is_chosen:
                yield Event(seq=event.seq, at=event.at, kind=KEPT_BACK, actor="somebody", subject="", hash=event.hash)
        else:
            yield event


def facts_in_words(facts: Sequence[Gate]) -> tuple[FactLine, ...]:
    """Return the facts of a labeler's gate as lines, newest first; one query for names."""
    people = names_of({int(key) for fact in facts if (key := fact.by.partition(":")[2]).isdigit()})
    return tuple(
        FactLine(fact.at, _name(fact.by, people, {}), fact.kind, GATE_WORDS[fact.kind], fact.reason, fact.test)
        for fact in reversed(facts)
    )


def _keys(rows: list[Event], kind: str) -> set[int]:
    parts = (row.actor.partition(":") for row in rows)
    return {int(key) for name, _, key in parts if name == kind and key.isdigit()}


def _name(actor: str, people: Mapping[int, str], labelers: Mapping[int, str]) -> str:
    kind, _, key = actor.partition(":")
    known = {"user": people, "labeler": labelers}.get(kind, {})
    return known.get(int(key), actor) if key.isdigit() else actor.capitalize()


def words_of(kind: str, facts: Mapping[str, object]) -> str:
    """Return what an event of this kind did, in words."""
    template = WHAT.get(kind)
    if template is None:
        return kind.replace(".", " ").replace("_", " ")
    try:
        words = {"outcome": DISPUTED if kind == "dispute.decided" else DID, "verdict": JUDGED}
        said = {name: words.get(name, {}).get(str(value), value) for name, value in facts.items()}
        return template.format(**said)
    except (KeyError, IndexError):
        return kind.replace(".", " ")
