"""The story of an item as a timeline: one entry an event of the audit chain, in words, with what stands behind it.

Each entry carries the event's number and hash, and the facts of the row that the event names: the read under its guideline,
ontology and policy, the route with its rule and the ways not taken, the judgement, the settlement with where each region
comes from. Plain values only, so that a page and a file that leaves show the same. Read only. Not here: what somebody may
see (``sight``), how people are called (``story_names``), looking up the rows (``story_facts``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from labelhub.analytics import settlement_words
from labelhub.analytics.event_words import words_of
from labelhub.analytics.item_story import ReaderStory, rules_of
from labelhub.analytics.sight import Sight
from labelhub.analytics.story_facts import StoryFacts
from labelhub.analytics.story_names import Names
from labelhub.annotations.models import Submission
from labelhub.assignments.selectors import is_recalled
from labelhub.audit.models import Event
from labelhub.reviews.verdicts import words_of as words_of_error
from labelhub.scoring.models import Score
from labelhub.scoring.rows import SIMILARITY
from labelhub.scoring.versions import mixed

# What happens only between others, and tells what they saw: nothing of it for who may still read the item blind.
# How times are measured, wherever one is told.
TIMED = "pauses above 30 s left out"
OPEN_TO_ALL = frozenset({"item.created", "item.predicted", "batch.made", "batch.changed"})


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two readings, or of one against gold or a model, with whom or what it is about."""

    name: str
    score: Score
    versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Something that folds out: a heading, terms with their values, and sentences."""

    heading: str
    facts: tuple[tuple[str, str], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: its place in the chain, when, who and what, and what stands behind it.

    ``group`` is what kind of step it is (``read``, ``route``, ``review``, ``settle``, ``release`` …). ``picture`` names the
    layer that shows what was seen; empty where there is none. ``quote`` are a person's own words.
    """

    seq: int
    hash: str
    at: datetime
    who: str
    title: str
    group: str
    lines: tuple[str, ...] = ()
    quote: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    numbers: tuple[Number, ...] = ()
    parts: tuple[Part, ...] = ()
    picture: str = ""


def timeline_of(events: Sequence[Event], facts: StoryFacts, names: Names, sight: Sight) -> tuple[Entry, ...]:
    """Return the entries of the events that may be shown, oldest first."""
    return tuple(_entry(event, facts, names) for event in events if _is_shown(event, sight))


def _is_shown(event: Event, sight: Sight) -> bool:
    if not sight.sees_others:
        return event.kind in OPEN_TO_ALL
    if event.kind == "panel.voted":
        return event.facts.get("vote") not in sight.hidden_votes
    if event.kind == "submission.reviewed":
        return event.facts.get("decision") not in sight.hidden_decisions
    return True


def _entry(event: Event, facts: StoryFacts, names: Names) -> Entry:
    plain = Entry(
        event.seq, event.hash, event.at, names.actor(event.actor), words_of(event.kind, event.facts), _group(event.kind)
    )
    tell = TELLERS.get(event.kind)
    return plain if tell is None else tell(plain, event, facts, names)


def _group(kind: str) -> str:
    if kind in GROUPS:
        return GROUPS[kind]
    return {"submission": "read", "assignment": "work", "question": "talk", "gold": "gold", "release": "release"}.get(
        kind.partition(".")[0], "other"
    )


GROUPS: Mapping[str, str] = {
    "item.created": "pixels", "item.predicted": "model", "item.handed_out": "work", "item.assigned": "work",
    "item.routed": "route", "item.returned": "rework", "submission.reviewed": "review", "panel.voted": "review",
    "objects.judged": "review", "reading.appraised": "review", "review.tested": "review",
    "submission.recalled": "rework", "item.settled": "settle", "item.ambiguous": "settle", "item.excluded": "other",
    "assignment.unreadable": "talk", "unreadable.decided": "talk", "item.sent_again": "rework", "story.exported": "release",
}  # fmt: skip


def _created(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    rows = []
    for medium in facts.story.media:
        size = f"{medium.size_x} × {medium.size_y}" + (f" × {medium.size_z}" if medium.size_z > 1 else "")
        step = (
            f"{medium.spacing_x:g} × {medium.spacing_y:g}"
            + (f" × {medium.spacing_z:g}" if medium.spacing_z else "")
            + " mm"
            if medium.spacing_x and medium.spacing_y
            else "spacing unknown"
        )
        rows.append((medium.kind.capitalize(), f"{size}, {step}"))
    has_pixels = any(medium.pixels_id is not None for medium in facts.story.media)
    item = facts.story.item
    if item.group_key:
        rows.append((item.group_kind.capitalize(), item.group_key[:14]))
    return replace(entry, facts=tuple(rows), picture="pixels" if has_pixels else "")


def _handed_out(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    work = facts.assignments.get(str(event.facts.get("assignment", "")))
    if work is None:
        return entry
    return replace(entry, lines=_sentences(names.said(work.reason)), facts=(("Kind of read", work.read_kind),))


def _read(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    reader = facts.readers.get(_key(event.subject))
    if reader is None:
        return entry
    submission = reader.submission
    who = names.labeler(submission.assignment.labeler_id)
    title = "read the item" if event.kind == "submission.frozen" else "read the item elsewhere"
    versions = [f"ontology {submission.ontology.number}"]
    versions += [f"instructions {submission.guideline.number}"] if submission.guideline is not None else []
    versions += [f"policy {submission.policy.number}"] if submission.policy is not None else []
    rows = [("Saw", _seen(reader, names)), ("Kind of read", _kind(reader)), ("Under", ", ".join(versions))]
    if submission.assignment.continues_id is not None:
        rows.append(("Drawn by", ", then ".join(names.labeler(author.pk) for author in reader.authors)))
    rows += [(facts.question(key), names.said(_answer(value))) for key, value in reader.answers.items()]
    if submission.active_s is not None:
        rows.append(("Time at work", f"{submission.active_s:.0f} s of {_work_of(submission)}, {TIMED}"))
    return replace(
        entry,
        who=who,
        title=title,
        facts=tuple(rows),
        numbers=_numbers(reader, facts, names),
        picture=reader.key if facts.story.media else "",
    )


def _seen(reader: ReaderStory, names: Names) -> str:
    if reader.submission.no_finding:
        return "nothing: an explicit “no finding”"
    labels = {
        entry["key"]: entry.get("name", entry["key"]) for entry in reader.submission.ontology.content.get("classes", ())
    }
    seen = ", ".join(f"{n} × {names.said(labels.get(label, label))}" for label, n in reader.shapes.items())
    return seen or ("answers only" if reader.answers else "nothing marked")


def _kind(reader: ReaderStory) -> str:
    parts = [reader.submission.read_kind]
    if reader.submission.version > 1:
        parts.append(f"version {reader.submission.version}")
    if reader.is_gold:
        parts.append("gold, votes on nothing")
    elif reader.is_counted:
        parts.append("planned, counts for agreement")
    if not reader.is_current and not reader.is_gold:
        parts.append("followed by a later answer, or set aside")
    return ", ".join(parts)


def _numbers(reader: ReaderStory, facts: StoryFacts, names: Names) -> tuple[Number, ...]:
    """How alike this reading is to those before it, to gold and to the model."""
    own = reader.submission.pk
    found = []
    for score in facts.story.scores:
        if (score.about, score.metric, score.label, score.second_id) == (Score.About.PAIR, SIMILARITY, "", own):
            first = facts.readers.get(score.first_id or 0)
            if first is not None:
                versions = mixed((rules_of(first.submission), rules_of(reader.submission)))
                name = f"with {names.labeler(first.submission.assignment.labeler_id)}"
                found.append(Number(name, score, versions))
    found += [Number("with gold", reader.gold_similarity)] if reader.gold_similarity is not None else []
    found += [Number("with the model", reader.model_similarity)] if reader.model_similarity is not None else []
    return tuple(found)


def _routed(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    route = facts.routes.get(event.facts.get("route"))
    if route is None:
        return entry
    rows = [(_words(name), _figure(value)) for name, value in sorted(route.numbers.items())]
    others = [
        f"Not “{_words(str(other.get('outcome', '')))}”: {names.said(str(other.get('why_not', '')))}"
        for other in route.alternatives
    ]
    part = Part(f"Rule “{_words(route.rule)}”, its numbers, and the ways not taken", tuple(rows), tuple(others))
    version = f"policy {route.policy.number}, method version {route.method_version}"
    return replace(entry, lines=_sentences(names.said(route.reason)), facts=(("Under", version),), parts=(part,))


def _reviewed(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    decision = facts.decisions.get(event.facts.get("decision"))
    if decision is None:
        return entry
    author = names.labeler(decision.submission.assignment.labeler_id)
    title = f"accepted the reading of {author}" if decision.verdict == "accept" else f"returned the reading of {author}"
    rows = [("Score", f"{decision.score} of 10")] if decision.score is not None else []
    if (seconds := facts.at_desk.get(decision.reviewer_id)) is not None:
        rows.append(("Time at the desk, in all", f"{seconds:.0f} s of review, {TIMED}"))
    return replace(entry, title=title, quote=names.said(decision.comment, decision.reviewer_id), facts=tuple(rows))


def _work_of(submission: Submission) -> str:
    """What the time of a reading was spent on."""
    return "rework" if submission.read_kind == "rework" and not is_recalled(submission.assignment) else "labeling"


def _errors_named(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    keys = event.facts.get("verdicts")
    rows = [facts.named[key] for key in keys if key in facts.named] if isinstance(keys, list) else []
    reader = facts.readers.get(_key(event.subject))
    if not rows or reader is None:
        return entry
    errors = [names.said(words_of_error(row)) for row in rows if row.kind != "none"]
    n_none = len(rows) - len(errors)
    lines = [f"No error in {n_none} object{'' if n_none == 1 else 's'} that it was asked about."] if n_none else []
    author = names.labeler(reader.submission.assignment.labeler_id)
    title = f"named errors in the reading of {author}" if errors else f"found no error in the reading of {author}"
    n = len(errors)
    parts = (Part(f"{n} error{'' if n == 1 else 's'}", (), tuple(errors)),) if errors else ()
    return replace(entry, title=title, lines=tuple(lines), parts=parts)


def _appraised(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    row, reader = facts.appraisals.get(event.facts.get("appraisal")), facts.readers.get(_key(event.subject))
    if row is None or reader is None:
        return entry
    rows = (("Score", f"{row.score} of 10"),) if row.score is not None else ()
    title = f"said how good the reading of {names.labeler(reader.submission.assignment.labeler_id)} is"
    return replace(entry, title=title, quote=names.said(row.comment, row.reviewer_id), facts=rows)


def _voted(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    vote = facts.votes.get(event.facts.get("vote"))
    if vote is None:
        return entry
    chosen = vote.submission
    what = "what the readers say together" if chosen is None else (
        f"the reading of {names.labeler(chosen.assignment.labeler_id)}"
    )  # fmt: skip
    return replace(entry, title=f"voted in a panel for {what}", quote=names.said(vote.comment, vote.reviewer_id))


def _settled(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    settlement = facts.settlements.get(event.facts.get("settlement"))
    if settlement is None:
        return entry
    readers = {key: names.labeler(reader.submission.assignment.labeler_id) for key, reader in facts.readers.items()}
    told = settlement_words.told(settlement, readers, names)
    return replace(
        entry, title=f"settled the item: label {settlement.number}", lines=told.lines, facts=told.facts,
        parts=tuple(Part(heading, rows, lines) for heading, rows, lines in told.parts),
        picture=f"c{settlement.number}" if facts.story.media and settlement.number == facts.newest_settlement else "",
    )  # fmt: skip


def _returned(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    work = facts.assignments.get(str(event.facts.get("assignment", "")))
    if work is None:
        return entry
    title = f"sent the item back to {names.labeler(work.labeler_id)}"
    return replace(entry, title=title, lines=_sentences(names.said(work.reason)))


def _sent_again(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    reason = str(event.facts.get("reason", ""))
    wanted = event.facts.get("wanted_reads")
    return replace(
        entry, title="sent the item back for a new read", lines=_sentences(names.said(reason)),
        facts=(("Reads wanted now", str(wanted)),) if wanted is not None else (),
    )  # fmt: skip


def _asked(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    question = facts.questions.get(event.facts.get("question"))
    return entry if question is None else replace(entry, quote=names.said(question.text))


def _answered(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    question = facts.questions.get(event.facts.get("question"))
    reply = getattr(question, "reply", None)
    return entry if reply is None else replace(entry, quote=names.said(reply.text, reply.by_id))


def _claimed(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    claim = facts.claims.get(event.facts.get("claim"))
    return entry if claim is None else replace(entry, quote=names.said(claim.reason))


def _claim_decided(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    claim = facts.claims.get(event.facts.get("claim"))
    verdict = getattr(claim, "verdict", None)
    return entry if verdict is None else replace(entry, quote=names.said(verdict.comment, verdict.by_id))


def _excluded(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    return replace(entry, quote=names.said(str(event.facts.get("reason", ""))))


def _gold_made(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    reader = facts.readers.get(event.facts.get("submission", 0))
    if reader is None:
        return entry
    return replace(entry, title=f"made the reading of {names.labeler(reader.submission.assignment.labeler_id)} gold")


def _released(entry: Entry, event: Event, facts: StoryFacts, names: Names) -> Entry:
    held = facts.releases.get(_key(event.subject))
    if held is None:
        return entry
    is_begun = event.kind == "release.started"
    title = f"{'started' if is_begun else 'finished'} release {held.number}, which holds this item"
    rows = [("Holds", f"label {held.settlement}")]
    rows += [("Manifest SHA-256", held.sha256)] if held.sha256 and not is_begun else []
    return replace(entry, title=title, facts=tuple(rows))


Teller = Callable[[Entry, Event, StoryFacts, Names], Entry]
TELLERS: Mapping[str, Teller] = {
    "item.created": _created, "item.handed_out": _handed_out, "item.assigned": _handed_out, "submission.frozen": _read,
    "submission.stored": _read, "item.routed": _routed, "submission.reviewed": _reviewed, "panel.voted": _voted,
    "objects.judged": _errors_named, "reading.appraised": _appraised,
    "item.settled": _settled, "item.returned": _returned, "item.sent_again": _sent_again, "question.asked": _asked,
    "question.answered": _answered, "assignment.unreadable": _claimed, "unreadable.decided": _claim_decided,
    "item.excluded": _excluded, "gold.made": _gold_made, "release.started": _released, "release.finished": _released,
}  # fmt: skip


def _key(subject: str) -> int:
    key = subject.partition(":")[2]
    return int(key) if key.isdigit() else 0


def _sentences(text: str) -> tuple[str, ...]:
    return (text,) if text.strip() else ()


def _words(key: str) -> str:
    return key.replace("_", " ").replace("-", " ")


def _figure(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else "–" if value is None else str(value)


def _answer(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else _figure(value)
