"""Disputes: an author stands by a reading that came back. Steps of ``lifecycle``, and what follows from them.

The rule. A dispute closes the rework. A third reader is asked, who saw no other reading of the item: a labeler who never had
it, and who never had a seat in the project from which others' reads are seen. What they draw is compared with the disputed
reading, blind on both sides:

- alike (at least ``accept_agreement``): the dispute is *upheld*. The return is overturned, which counts against the reviewer's
  rate; the reading speaks again, and the policy's rules decide on all that was read. What they send to a reviewer goes to
  another one than who returned it.
- not alike: the dispute is *refuted*. The return stands, the reading stays aside, and the rules decide on the rest.
- not comparable, nobody left who could read it blind, or no third reader within the policy's ``dispute_wait_days``: another
  reviewer decides; accepting the disputed reading upholds the dispute, any other settlement refutes it.

Of one author and item ``max_disputes`` are taken, within ``max_rework_rounds`` returns. Runs inside steps with the item locked.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from numpy import isnan

from labelhub.accounts.models import User
from labelhub.accounts.notifications import notify
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import readings_of
from labelhub.assignments import selectors as assigned
from labelhub.assignments import services as assignments
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.projects.permissions import Action, require
from labelhub.projects.selectors import current_ontology, current_policy
from labelhub.projects.telling import tell_reviewers
from labelhub.reviews import tickets
from labelhub.reviews.models import Dispute, DisputeOutcome
from labelhub.routing.services import send_disputed
from labelhub.scoring.compare import METHOD, VERSION, compare
from labelhub.scoring.rows import method_of
from labelhub.scoring.services import terms_of
from labelhub.workflow import deciding, steps
from labelhub.workflow.errors import ItemExcluded, NoMoreDisputes, NothingToDecide, StepRefused
from labelhub.workflow.states import State, Work, move, require_step

Kind = DisputeOutcome.Kind
MOST_CHARACTERS = 2000


def dispute(*, assignment: Assignment, by: User, reason: str) -> Dispute:
    """Close work that came back because its author stands by what they submitted, and ask a third reader. Twice is once.

    Writes ``rework.disputed`` and what follows. Raises ``NotFound`` or ``NotAllowed`` for anybody but its labeler,
    ``WorkElsewhere``, ``ItemExcluded``, ``NoMoreDisputes``, and ``StepRefused`` (``reason-missing``, ``reason-too-long``,
    ``not-returned``).
    """
    require(by, Action.LABEL, assignment)
    with transaction.atomic():
        item = steps.locked(assignment.item_id)
        work = assigned.of_item(item).get(pk=assignment.pk)
        earlier = tickets.dispute_on(work) if work.state == Work.DISPUTED else None
        if earlier is not None:
            return earlier
        words = _words(reason)
        if item.state == State.EXCLUDED:
            raise ItemExcluded(code=item.code)
        ticket = tickets.ticket_of(work)
        if ticket is None:
            raise StepRefused(
                "Only work that was sent back to you can be disputed. Nothing was changed.", code="not-returned"
            )
        require_step("dispute", work)
        most = current_policy(item.project)[1].max_disputes
        if tickets.n_disputes(item.pk, work.labeler_id) >= most:
            raise NoMoreDisputes(most)
        assignments.close(assignment=work, state=Work.DISPUTED)
        kept = tickets.keep_dispute(ticket, words)
        steps.event(item, "rework.disputed", f"labeler:{work.labeler_id}", dispute=kept.pk, ticket=ticket.pk)
        tell_reviewers(
            item.project, kind="dispute-opened", text=f"The author of a returned reading of {item.code} disputes it.",
            about=f"review:{item.project.slug}/{item.code}", key=f"disputed:{kept.pk}", actor=f"user:{by.pk}",
        )  # fmt: skip
        if not assigned.has_open(item, read_kind="rework"):
            _ask_for_reader(item, kept)
    return kept


def close_dispute(*, dispute: Dispute, by: User) -> DisputeOutcome:
    """Take a dispute that waits for its third reader to another reviewer. Twice is once. Writes ``dispute.decided``.

    Raises ``NotFound`` or ``NotAllowed``, ``StepRefused`` for the reviewer who returned the reading, and ``NothingToDecide``.
    """
    require(by, Action.REVIEW, dispute)
    with transaction.atomic():
        item = steps.locked(dispute.item_id)
        if tickets.is_party(by, item):
            raise StepRefused(
                "You returned this reading, so another reviewer takes it. Nothing was changed.", code="own-return"
            )
        newest = dispute.outcomes.order_by("-pk").first()
        if newest is not None and newest.kind == Kind.TO_REVIEWER and newest.by_id == by.pk:
            return newest
        if newest is not None:
            raise NothingToDecide("This dispute was decided meanwhile. Nothing was changed. Load the page again.")
        return _to_reviewer(item, dispute, "A reviewer took it up before a third reader came.", by=by)


def end_waits(*, now: datetime | None = None) -> int:
    """Take disputes whose third reader did not come in the policy's time to a reviewer, one transaction each; how many.

    Nothing is taken from a reader who has the item before them. Writes ``dispute.decided`` and what follows.
    """
    at, ended = now or timezone.now(), 0
    for waiting in tickets.waiting_since(at - timedelta(days=1)):
        with transaction.atomic():
            item = steps.locked(waiting.item_id)
            ended += _end_wait(item, at)
    return ended


def _end_wait(item: Item, at: datetime) -> bool:
    days = current_policy(item.project)[1].dispute_wait_days
    waiting = tickets.waits_for_reader(item)
    if waiting is None or not days or waiting.at > at - timedelta(days=days):
        return False
    if item.state not in (State.READING, State.REWORK) or tickets.is_being_read(waiting, now=at):
        return False
    _to_reviewer(item, waiting, f"No third reader came within {days} day{'' if days == 1 else 's'}.")
    return True


def hear_third_reader(item: Item) -> bool:
    """Decide the disputes of the item whose third reading is in; return whether one still waits. Writes ``dispute.decided``."""
    if item.state not in (State.READING, State.REWORK):
        return False
    waiting = tickets.waits_for_reader(item)
    while waiting is not None:
        third = tickets.third_read(waiting)
        if third is None:
            return True
        _compare(item, waiting, third)
        waiting = tickets.waits_for_reader(item)
    return False


def want_third_reader(item: Item) -> None:
    """See to it that an item in dispute wants a reader until its third one is there; others may have come in between."""
    if item.state not in (State.READING, State.REWORK) or assigned.has_open(item, read_kind="rework"):
        return
    waiting = tickets.waits_for_reader(item)
    if waiting is not None and not tickets.is_with_third_reader(waiting):
        _ask_for_reader(item, waiting)


def settled(item: Item, by: User | None, chosen: Submission | None) -> None:
    """Close the item's disputes because its label was settled: upheld where the disputed reading itself was chosen."""
    for open_one in tickets.undecided(item):
        is_upheld = chosen is not None and chosen.pk == open_one.ticket.submission_id
        if by is None:
            _keep(item, open_one, Kind.MOOT, reason="The item was settled without it.")
        else:
            reason = "A reviewer settled the item."
            _keep(item, open_one, Kind.UPHELD if is_upheld else Kind.REFUTED, by=by, reason=reason)


def close_all(item: Item, *, by: User) -> None:
    """Close the item's disputes because there is nothing left to decide on it."""
    for open_one in tickets.undecided(item):
        _keep(item, open_one, Kind.MOOT, by=by, reason="There is nothing left to decide on the item.")


def _ask_for_reader(item: Item, waiting: Dispute) -> None:
    if not tickets.has_third_reader(item) and not tickets.is_with_third_reader(waiting):
        _to_reviewer(item, waiting, "Nobody is left who could read it without having seen another reading.")
        return
    wanted = assigned.n_filled(item) + (not tickets.is_with_third_reader(waiting))
    send_disputed(item, waiting.pk, waiting.ticket.assignment.labeler, wanted=wanted)
    deciding.want_reads(item, wanted)


def _to_reviewer(item: Item, waiting: Dispute, reason: str, by: User | None = None) -> DisputeOutcome:
    outcome = _keep(item, waiting, Kind.TO_REVIEWER, by=by, reason=reason)
    returned = waiting.ticket.decision_id
    send_disputed(
        item, waiting.pk, waiting.ticket.assignment.labeler, wanted=None, why=reason, by_reviewer=returned is not None
    )
    move(item=item, to=State.REVIEW)
    return outcome


def _compare(item: Item, waiting: Dispute, third: Submission) -> None:
    _, ontology = current_ontology(item.project)
    _, policy = current_policy(item.project)
    terms = terms_of(ontology, policy)
    disputed, other = readings_of([waiting.ticket.submission, third])
    found = compare(disputed, other, terms=terms, grids=[grid_of(medium) for medium in media_of(item)])
    if isnan(found.similarity):
        _to_reviewer(item, waiting, (found.reason or "the two do not answer the same")[:200])
        return
    similarity = float(found.similarity)
    kind = Kind.UPHELD if similarity >= policy.accept_agreement else Kind.REFUTED
    _keep(
        item, waiting, kind, read=third, similarity=similarity, threshold=policy.accept_agreement,
        method=method_of(METHOD, terms)[:80], method_version=VERSION,
    )  # fmt: skip


def _keep(item: Item, decided: Dispute, kind: str, *, by: User | None = None, **facts: object) -> DisputeOutcome:
    outcome = tickets.keep_outcome(decided, kind, by=by, **facts)
    actor = "system" if by is None else f"user:{by.pk}"
    steps.event(item, "dispute.decided", actor, dispute=decided.pk, outcome=kind)
    _tell(item, decided, kind)
    return outcome


def _tell(item: Item, decided: Dispute, kind: str) -> None:
    """Tell the author whether their reading stands, and no more; and the reviewer whose return was overturned."""
    author, returned = decided.ticket.assignment.labeler.user, decided.ticket.decision
    key = f"dispute:{decided.pk}:{kind}"
    if author is not None and kind in tickets.DECIDED:
        notify(
            users=[author], kind="dispute-decided", text=f"Your dispute about {item.code} is decided. {tickets.TOLD[kind]}",
            about=f"queue:{item.project.slug}", project_id=item.project_id, key=key,
        )  # fmt: skip
    if returned is not None and kind == Kind.UPHELD:
        notify(
            users=[returned.reviewer], kind="return-overturned",
            text=f"Your return of a reading of {item.code} was overturned.",
            about=f"review:{item.project.slug}/{item.code}", project_id=item.project_id, key=key,
        )  # fmt: skip


def _words(reason: str) -> str:
    words = reason.strip()
    if not words:
        raise StepRefused(
            "Say why your reading is right: a reviewer reads it. Nothing was changed.",
            code="reason-missing",
            status=422,
        )
    if len(words) > MOST_CHARACTERS:
        raise StepRefused(
            f"This has {len(words)} characters; at most {MOST_CHARACTERS} are taken. Nothing was changed. Shorten it.",
            code="reason-too-long", status=422,
        )  # fmt: skip
    return words
