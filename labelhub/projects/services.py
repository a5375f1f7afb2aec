"""Making projects, publishing versions of their rules, and their people. Each write leaves an audit event."""

from __future__ import annotations

import secrets

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.text import slugify

from labelhub.accounts.models import User
from labelhub.accounts.services import end_sessions
from labelhub.audit import services as audit
from labelhub.projects.models import (
    Acknowledgement,
    GuidelineVersion,
    Labeler,
    Membership,
    OntologyVersion,
    PolicyVersion,
    Project,
    Role,
)
from labelhub.projects.ontology import Ontology
from labelhub.projects.policy import Policy

# Words that addresses use in the place of a project's name.
RESERVED_SLUGS = {"new"}


class MembershipProblem(ValueError):
    """The change would leave the project without an admin, or is no change."""


def create_project(
    *, name: str, ontology: Ontology, policy: Policy, created_by: User, description: str = "", guideline: str = ""
) -> Project:
    """Make a project with version 1 of its rules; its maker is its first admin. Writes ``project.created``."""
    with transaction.atomic():
        project = Project.objects.create(
            name=name.strip()[:120], slug=_free_slug(name), description=description, created_by=created_by,
            pseudonym_salt=secrets.token_hex(32),
        )  # fmt: skip
        actor = f"user:{created_by.pk}"
        audit.append(project_id=project.pk, kind="project.created", actor=actor, subject=f"project:{project.pk}")
        publish_ontology(project=project, ontology=ontology, by=created_by)
        publish_policy(project=project, policy=policy, by=created_by)
        publish_guideline(project=project, text=guideline, by=created_by)
        add_member(project=project, user=created_by, role=Role.ADMIN, actor=actor)
    return project


def publish_ontology(*, project: Project, ontology: Ontology, by: User | None) -> OntologyVersion:
    """Write the next ontology version. Earlier submissions keep the version they were made under."""
    with transaction.atomic():
        number = _next_number(OntologyVersion, project)
        version = OntologyVersion.objects.create(
            project=project, number=number, content=ontology.to_document(), created_by=by
        )
        _publish_event(project, "ontology", number, by)
    return version


def publish_guideline(*, project: Project, text: str, by: User | None) -> GuidelineVersion:
    """Write the next guideline version; each labeler acknowledges it before the next item."""
    with transaction.atomic():
        number = _next_number(GuidelineVersion, project)
        version = GuidelineVersion.objects.create(project=project, number=number, text=text, created_by=by)
        _publish_event(project, "guideline", number, by)
    return version


def publish_policy(*, project: Project, policy: Policy, by: User | None) -> PolicyVersion:
    """Write the next policy version; decisions from now on follow it."""
    with transaction.atomic():
        number = _next_number(PolicyVersion, project)
        version = PolicyVersion.objects.create(
            project=project, number=number, content=policy.to_document(), created_by=by
        )
        _publish_event(project, "policy", number, by)
    return version


def add_member(*, project: Project, user: User, role: str, actor: str) -> Membership:
    """Give ``user`` a role in the project (ending an earlier one) and make them a labeler. Writes ``member.added``."""
    if role not in Role.values:
        raise MembershipProblem(f"{role!r} is no role. Allowed: {', '.join(Role.values)}.")
    with transaction.atomic():
        current = Membership.objects.filter(project=project, user=user, removed_at=None).first()
        if current is not None and current.role == role:
            return current
        if current is not None:
            _end(current, actor=actor, reason="role changed")
        membership = Membership.objects.create(project=project, user=user, role=role)
        Labeler.objects.get_or_create(project=project, user=user, defaults={"name": str(user)})
        audit.append(
            project_id=project.pk, kind="member.added", actor=actor, subject=f"user:{user.pk}", facts={"role": role}
        )
    return membership


def remove_member(*, project: Project, user: User, actor: str) -> None:
    """End somebody's role. Their work stays. Refused for the last admin. Their sessions end at once."""
    with transaction.atomic():
        current = Membership.objects.filter(project=project, user=user, removed_at=None).first()
        if current is None:
            raise MembershipProblem(f"{user} is no member of this project. Nothing was changed.")
        _end(current, actor=actor, reason="removed from project")


def imported_labeler(*, project: Project, source_key: str, name: str, is_identifiable: bool = True) -> Labeler:
    """Return the labeler that stands for a rater of an imported source, made on first use."""
    labeler, _ = Labeler.objects.get_or_create(
        project=project, source_key=source_key[:120], defaults={"name": name[:120], "is_identifiable": is_identifiable}
    )
    return labeler


def count_hand_out(*, labeler: Labeler) -> None:
    """Count that something was given to the labeler, whose row the caller holds: their next draws are others."""
    Labeler.objects.filter(pk=labeler.pk).update(n_handed=F("n_handed") + 1)


def acknowledge_guideline(*, labeler: Labeler, guideline: GuidelineVersion) -> None:
    """Record that the labeler has read this version of the instructions."""
    with transaction.atomic():
        _, is_new = Acknowledgement.objects.get_or_create(labeler=labeler, guideline=guideline)
        if is_new:
            audit.append(
                project_id=labeler.project_id, kind="guideline.acknowledged", actor=f"labeler:{labeler.pk}",
                subject=f"labeler:{labeler.pk}", facts={"guideline": guideline.number},
            )  # fmt: skip


def _end(membership: Membership, *, actor: str, reason: str) -> None:
    others = Membership.objects.filter(project=membership.project, role=Role.ADMIN, removed_at=None)
    if membership.role == Role.ADMIN and not others.exclude(pk=membership.pk).exists():
        raise MembershipProblem(
            "This is the project's last admin. Nothing was changed. Make somebody else admin first."
        )
    Membership.objects.filter(pk=membership.pk).update(removed_at=timezone.now())
    audit.append(
        project_id=membership.project_id, kind="member.removed", actor=actor, subject=f"user:{membership.user_id}",
        facts={"role": membership.role, "reason": reason},
    )  # fmt: skip
    end_sessions(user=membership.user, actor=actor, reason=reason)


def _publish_event(project: Project, what: str, number: int, by: User | None) -> None:
    actor = f"user:{by.pk}" if by is not None else "system"
    audit.append(
        project_id=project.pk,
        kind=f"{what}.published",
        actor=actor,
        subject=f"project:{project.pk}",
        facts={"number": number},
    )


def _next_number(model: type[OntologyVersion] | type[GuidelineVersion] | type[PolicyVersion], project: Project) -> int:
    Project.objects.select_for_update().get(pk=project.pk)
    highest = model._default_manager.filter(project=project).aggregate(highest=Max("number"))["highest"]
    return int(highest or 0) + 1


def _free_slug(name: str) -> str:
    stem = slugify(name)[:50] or "project"
    taken = RESERVED_SLUGS | set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for slug in [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)
