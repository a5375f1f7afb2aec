"""Whether anybody is left who could read an item; where nobody is, a reviewer decides it.

The readers that the policy plans for every item are waited for: who joins later reads it. A reader beyond them, whom a rule
asks for because of what was read, must be there now: an item that waits for nobody would wait for ever. Not here: who of
those left gets it (``queue``).
"""

from __future__ import annotations

from labelhub.assignments import selectors as assigned
from labelhub.assignments.models import HELD
from labelhub.assignments.selectors import never_met
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, Membership, Role
from labelhub.projects.selectors import current_policy
from labelhub.reviews.sightings import knows_others
from labelhub.routing.services import send_for_want_of_readers
from labelhub.workflow.deciding import want_reads
from labelhub.workflow.states import State, move


def new_readers(item: Item) -> list[int]:
    """Return labelers who are here, read blind, and never had the item; one is enough to know."""
    here = Membership.objects.filter(project=item.project_id, removed_at=None).exclude(role=Role.ADMIN)
    labelers = Labeler.objects.filter(project=item.project_id, user__in=here.values("user")).select_related("user")
    only = Item.objects.filter(pk=item.pk)
    found = (
        row.pk
        for row in labelers.order_by("pk")
        if row.user is not None and never_met(row, only).exists() and not knows_others(row.user, item)
    )
    first = next(found, None)
    return [] if first is None else [first]


def ask_for_more(item: Item, wanted: int) -> None:
    """Ask for readers until the item has ``wanted`` reads, or a reviewer. Writes ``item.routed`` where a reviewer decides."""
    _, policy = current_policy(item.project)
    at_work = assigned.filling().filter(item=item, state__in=HELD)
    is_waited_for = assigned.n_filled(item) < assigned.planned_reads(item, policy) or at_work.exists()
    if is_waited_for or new_readers(item):
        want_reads(item, wanted)
        return
    send_for_want_of_readers(item, wanted)
    move(item=item, to=State.REVIEW)
