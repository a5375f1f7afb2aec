"""The overview of a project as it is of one team: its people, what they read, and what is shown of them.

Numbers that are of all readers together (agreement, accuracy against gold) stay those of everybody; a page that shows them
says so. Not here: the overview of everybody (``selectors``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Count, Exists, OuterRef, QuerySet

from labelhub.analytics.selectors import Overview, headline_numbers, standing_of
from labelhub.analytics.sentences import sentences_of_team
from labelhub.annotations.models import Submission
from labelhub.annotations.plain import rater_key
from labelhub.assignments.models import HELD, Assignment
from labelhub.catalog.models import Item
from labelhub.projects.models import Project, Team
from labelhub.projects.selectors import labelers
from labelhub.projects.teams import labelers_in
from labelhub.scoring.panel_rows import ItemRow

# So many of the most disputed items are looked through for those that the team read: a page shows a few of them.
MOST_LOOKED_THROUGH = 500


def overview_of_team(project: Project, team: Team) -> Overview:
    """Return the overview with the people of the team, the items that one of them read, and sentences on them alone."""
    standing = standing_of(project)
    panel = standing.panel if standing is not None else None
    inside = labelers_in(team)
    rows = _read_in(project, team).values("state").annotate(n=Count("pk")).order_by()
    found = {row["state"]: row["n"] for row in rows}
    funnel = {str(state): found.get(state, 0) for state in Item.State.values}
    submissions = Submission.objects.filter(assignment__item__project=project, assignment__labeler__in=inside)
    keys = {rater_key(one) for one in inside}
    if panel is not None:
        panel = replace(panel, items=_disputed_in(project, team, panel.disputed))
    names = {rater_key(one): one for one in labelers(project)}
    return Overview(
        sentences=sentences_of_team(panel, funnel, names, keys),
        funnel=funnel,
        n_items=sum(funnel.values()),
        n_submissions=submissions.count(),
        n_labelers=submissions.values("assignment__labeler").distinct().count(),
        n_open_assignments=Assignment.objects.filter(item__project=project, labeler__in=inside, state__in=HELD).count(),
        agreement=headline_numbers(panel) if panel is not None else (),
        gold=panel.gold if panel is not None else None,
        standing=None if standing is None or panel is None else replace(standing, panel=panel),
    )


def _read_in(project: Project, team: Team) -> QuerySet[Item]:
    """The items that somebody of the team read, as the table of items filters them."""
    read = Assignment.objects.filter(
        item=OuterRef("pk"), labeler__in=labelers_in(team), state=Assignment.State.SUBMITTED
    )
    return Item.objects.filter(Exists(read), project=project)


def _disputed_in(project: Project, team: Team, disputed: Sequence[ItemRow]) -> tuple[ItemRow, ...]:
    """Those of the most disputed items that somebody of the team read."""
    first = disputed[:MOST_LOOKED_THROUGH]
    codes = set(_read_in(project, team).filter(code__in=[row.item for row in first]).values_list("code", flat=True))
    return tuple(row for row in first if row.item in codes)
