"""Teams, qualifications, and pairs who are kept apart: what an admin says of labelers beside their role.

A team filters the admin's pages and gives no right. A qualification opens batches that ask for it. Each is a row from a time
until a time; each write leaves an audit event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from labelhub.audit import services as audit
from labelhub.projects.errors import DomainError
from labelhub.projects.models import (
    KeptApart,
    Labeler,
    Membership,
    Project,
    Qualification,
    Role,
    Team,
    TeamMember,
)


class TeamProblem(DomainError):
    """What was asked for is no team, no qualification or no pair; nothing was changed."""

    code = "team-problem"
    status = 400


def make_team(*, project: Project, name: str, kind: str, by: str) -> Team:
    """Make a team, or return the one of that name. Writes ``team.made``."""
    name = name.strip()[:80]
    if not name or kind not in Team.Kind.values:
        raise TeamProblem(f"A team has a name and a kind ({', '.join(Team.Kind.values)}). Nothing was changed.")
    with transaction.atomic():
        team, is_new = Team.objects.get_or_create(project=project, name=name, defaults={"kind": kind})
        if is_new:
            _event(project.pk, "team.made", by, f"team:{team.pk}")
    return team


def place(*, labeler: Labeler, teams: Sequence[Team], qualifications: Sequence[str], by: str) -> None:
    """Set both the teams and the qualifications of a labeler, or neither. Writes what the two write."""
    with transaction.atomic():
        set_teams(labeler=labeler, teams=teams, by=by)
        set_qualifications(labeler=labeler, names=qualifications, by=by)


def set_teams(*, labeler: Labeler, teams: Sequence[Team], by: str) -> None:
    """Make these the labeler's teams. Writes ``labeler.teams_changed`` where something changed."""
    if any(team.project_id != labeler.project_id for team in teams):
        raise TeamProblem("This team belongs to another project. Nothing was changed.")
    with transaction.atomic():
        current = TeamMember.objects.filter(labeler=labeler, ended_at=None)
        before, after = set(current.values_list("team", flat=True)), {team.pk for team in teams}
        if before == after:
            return
        current.exclude(team__in=after).update(ended_at=timezone.now())
        TeamMember.objects.bulk_create(TeamMember(team_id=pk, labeler=labeler) for pk in sorted(after - before))
        _event(labeler.project_id, "labeler.teams_changed", by, f"labeler:{labeler.pk}", teams=sorted(after))


def set_qualifications(*, labeler: Labeler, names: Sequence[str], by: str) -> None:
    """Make these the qualifications that the labeler holds. Writes ``labeler.qualifications_changed``."""
    wanted = {name.strip()[:60] for name in names if name.strip()}
    with transaction.atomic():
        current = Qualification.objects.filter(labeler=labeler, ended_at=None)
        before = set(current.values_list("name", flat=True))
        if before == wanted:
            return
        current.exclude(name__in=wanted).update(ended_at=timezone.now())
        Qualification.objects.bulk_create(
            Qualification(labeler=labeler, name=name, granted_by=by[:80]) for name in sorted(wanted - before)
        )
        _event(labeler.project_id, "labeler.qualifications_changed", by, f"labeler:{labeler.pk}", n=len(wanted))


def keep_apart(
    *, first: Labeler, second: Labeler, reason: str, by: str, evidence: Mapping[str, Any] | None = None
) -> KeptApart:
    """Never give the two the same item from now on. Writes ``pair.kept_apart``; twice is once.

    ``evidence`` is kept where the system found them (as in ``KeptApart``); the event carries its numbers.
    """
    if first.pk == second.pk or first.project_id != second.project_id:
        raise TeamProblem("A pair is two labelers of one project. Nothing was changed.")
    if not reason.strip():
        raise TeamProblem("Say why the two are kept apart. Nothing was changed.")
    low, high = sorted((first, second), key=lambda labeler: labeler.pk)
    with transaction.atomic():
        pair, is_new = KeptApart.objects.get_or_create(
            first=low, second=high, ended_at=None,
            defaults={"reason": reason.strip()[:300], "decided_by": by[:80], "evidence": dict(evidence or {})},
        )  # fmt: skip
        if is_new:
            numbers = {name: value for name, value in pair.evidence.items() if isinstance(value, int)}
            _event(first.project_id, "pair.kept_apart", by, f"pair:{pair.pk}", first=low.pk, second=high.pk, **numbers)
    return pair


def let_together(*, pair: KeptApart, by: str) -> None:
    """Take a pair's separation back. Writes ``pair.let_together``."""
    with transaction.atomic():
        if KeptApart.objects.filter(pk=pair.pk, ended_at=None).update(ended_at=timezone.now()):
            _event(pair.first.project_id, "pair.let_together", by, f"pair:{pair.pk}")


def teams_of(project: Project) -> QuerySet[Team]:
    """Return the project's teams by name."""
    return Team.objects.filter(project=project).order_by("name")


def team_names(labelers: Sequence[Labeler]) -> dict[int, list[Team]]:
    """Return the current teams of each of the labelers, by the labeler's id. One query."""
    rows = TeamMember.objects.filter(labeler__in=labelers, ended_at=None).select_related("team").order_by("team__name")
    found: dict[int, list[Team]] = {}
    for row in rows:
        found.setdefault(row.labeler_id, []).append(row.team)
    return found


def labelers_in(team: Team) -> QuerySet[Labeler]:
    """Return who is in the team now."""
    return Labeler.objects.filter(teams__team=team, teams__ended_at=None)


def annotators_in(team: Team) -> int:
    """Return how many of the team annotate in its project now."""
    seats = Membership.objects.filter(project=team.project_id, role=Role.ANNOTATOR, removed_at=None)
    return seats.filter(user__in=labelers_in(team).values("user")).count()


def qualifications_of(labelers: Sequence[Labeler]) -> dict[int, list[str]]:
    """Return the qualifications that each of the labelers holds now, by the labeler's id. One query."""
    rows = Qualification.objects.filter(labeler__in=labelers, ended_at=None).order_by("name")
    found: dict[int, list[str]] = {}
    for row in rows:
        found.setdefault(row.labeler_id, []).append(row.name)
    return found


def holds(labeler: Labeler, qualification: str) -> bool:
    """Whether the labeler holds the qualification now; nothing asked for is held by everybody."""
    if not qualification:
        return True
    return Qualification.objects.filter(labeler=labeler, name=qualification, ended_at=None).exists()


def pairs_apart(project: Project) -> QuerySet[KeptApart]:
    """Return the pairs who are kept apart now."""
    rows = KeptApart.objects.filter(first__project=project, ended_at=None)
    return rows.select_related("first", "second").order_by("-pk")


def lifted_pairs(project: Project) -> dict[tuple[int, int], datetime]:
    """Return when each pair that was kept apart once was last let together, by the two ids, the lower first. One query."""
    rows = KeptApart.objects.filter(first__project=project, ended_at__isnull=False).order_by("ended_at")
    return {(row.first_id, row.second_id): row.ended_at for row in rows if row.ended_at is not None}


def apart_from(labeler: Labeler) -> QuerySet[KeptApart]:
    """Return the pairs of which the labeler is one."""
    return KeptApart.objects.filter(Q(first=labeler) | Q(second=labeler), ended_at=None)


def _event(project_id: int, kind: str, by: str, subject: str, **facts: object) -> None:
    audit.append(project_id=project_id, kind=kind, actor=by, subject=subject, facts=facts)
