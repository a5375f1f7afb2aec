"""Making projects, publishing versions of their rules, and their people. Each write leaves an audit event."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Max, Model
from django.utils import timezone
from django.utils.text import slugify

from labelhub.accounts.models import User
from labelhub.accounts.services import end_sessions
from labelhub.audit import prepared
from labelhub.audit import services as audit
from labelhub.audit.prepared import SLOTS
from labelhub.projects.errors import DomainError
from labelhub.projects.hanging import Protocol
from labelhub.projects.lineage import Lineage, checked_lineage
from labelhub.projects.models import (
    Acknowledgement,
    GuidelineVersion,
    HangingVersion,
    Labeler,
    Membership,
    OntologyVersion,
    PolicyVersion,
    PriceVersion,
    Project,
    Role,
    StaleEdit,
)
from labelhub.projects.ontology import Ontology, read_ontology
from labelhub.projects.policy import Policy
from labelhub.projects.prices import Prices

# Words that addresses use in the place of a project's name.
RESERVED_SLUGS = {"new"}


class MembershipProblem(ValueError):
    """The change would leave the project without an admin, or is no change."""


class StaleVersion(DomainError):
    """Somebody else published a version since this one was begun; nothing was published, and both are kept."""

    code = "stale-version"

    def __init__(self, *, what: str, seen: int, newest: int) -> None:
        super().__init__(
            f"{WHAT_IN_WORDS[what]} version {newest} was published while you changed version {seen}. Yours was not published, "
            "and it is kept as you sent it. Compare it with theirs; publishing it again then makes the next version."
        )
        self.seen, self.newest = seen, newest


V = TypeVar("V", OntologyVersion, GuidelineVersion, PolicyVersion, HangingVersion, PriceVersion)
NAMES: dict[type[Model], str] = {
    OntologyVersion: "ontology", GuidelineVersion: "guideline", PolicyVersion: "policy", HangingVersion: "hanging",
    PriceVersion: "prices",
}  # fmt: skip
WHAT_IN_WORDS = {
    "policy": "Policy", "ontology": "Ontology", "guideline": "Instructions", "hanging": "Arrangement of series",
    "prices": "Prices",
}  # fmt: skip


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


def publish_ontology(
    *, project: Project, ontology: Ontology, by: User | None, seen: int | None = None, lineage: Lineage | None = None
) -> OntologyVersion:
    """Write the next ontology version. Earlier submissions keep the version they were made under.

    ``lineage`` says what became of classes that are no more. ``seen`` is the version that ``by`` had before them: where
    another holds by now, :class:`StaleVersion` is raised and what was sent is kept (``StaleEdit``). Raises
    ``OntologyProblem`` where the lineage does not fit the two versions.
    """
    fields = {"content": ontology.to_document(), "lineage": {}}
    if lineage is not None and (lineage.merged or lineage.split):
        newest = OntologyVersion.objects.filter(project=project).latest("number")
        fields["lineage"] = checked_lineage(read_ontology(newest.content), ontology, lineage).to_document()
    return _publish(OntologyVersion, project, fields, by, seen)


def publish_guideline(
    *,
    project: Project,
    text: str,
    by: User | None,
    seen: int | None = None,
    n_examples: int = 0,
    examples_seal: str = "",
) -> GuidelineVersion:
    """Write the next guideline version; each labeler acknowledges it before the next item. ``seen`` as above.

    ``n_examples`` pictures go with it, which the caller keeps; the event holds ``examples_seal``, the hash over them.
    """
    facts = {"examples": examples_seal} if examples_seal else {}
    return _publish(GuidelineVersion, project, {"text": text, "n_examples": n_examples}, by, seen, facts)


def publish_policy(*, project: Project, policy: Policy, by: User | None, seen: int | None = None) -> PolicyVersion:
    """Write the next policy version; decisions from now on follow it. ``seen`` as above."""
    return _publish(PolicyVersion, project, {"content": policy.to_document()}, by, seen)


def publish_hanging(
    *, project: Project, protocol: Protocol, by: User | None, seen: int | None = None
) -> HangingVersion:
    """Write the next hanging protocol; images opened from now on follow it. Writes ``hanging.published``. ``seen`` as above."""
    return _publish(HangingVersion, project, {"content": protocol.to_document()}, by, seen)


def publish_prices(*, project: Project, prices: Prices, by: User | None, seen: int | None = None) -> PriceVersion:
    """Write what an hour costs from now on; what was spent before keeps its price. ``seen`` as above.

    Writes ``prices.published``.
    """
    return _publish(PriceVersion, project, {"content": prices.to_document()}, by, seen)


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
    mine = Labeler.objects.filter(pk=SLOTS[0])
    prepared.change(("count-a-hand-out",), lambda: (mine, {"n_handed": F("n_handed") + 1}), [labeler.pk])


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


def keep_stale_edit(
    *, project: Project, what: str, subject: str, seen: str, newest: str, content: dict[str, Any], by: User
) -> StaleEdit:
    """Keep what somebody sent over a version that was replaced meanwhile. Writes ``edit.refused``. The caller refuses it."""
    with transaction.atomic():
        kept = StaleEdit.objects.create(
            project=project, what=what, subject=subject, seen=seen, newest=newest, content=content, by=by
        )
        audit.append(
            project_id=project.pk, kind="edit.refused", actor=f"user:{by.pk}", subject=subject,
            facts={"edit": kept.pk, "what": what, "seen": seen, "newest": newest},
        )  # fmt: skip
    return kept


def _publish(
    model: type[V], project: Project, fields: dict[str, Any], by: User | None, seen: int | None,
    facts: Mapping[str, str] | None = None,
) -> V:  # fmt: skip
    what = NAMES[model]
    with transaction.atomic():
        number = _next_number(model, project)
        if seen is None or seen == number - 1:
            version: V = model._default_manager.create(project=project, number=number, created_by=by, **fields)
            _publish_event(project, what, number, by, facts or {})
            return version
    if by is not None:
        keep_stale_edit(
            project=project, what=what, subject=f"project:{project.pk}", seen=str(seen), newest=str(number - 1),
            content=fields, by=by,
        )  # fmt: skip
    raise StaleVersion(what=what, seen=seen, newest=number - 1)


def _publish_event(project: Project, what: str, number: int, by: User | None, facts: Mapping[str, str]) -> None:
    actor = f"user:{by.pk}" if by is not None else "system"
    audit.append(
        project_id=project.pk,
        kind=f"{what}.published",
        actor=actor,
        subject=f"project:{project.pk}",
        facts={"number": number, **facts},
    )


def _next_number(model: type[V], project: Project) -> int:
    Project.objects.select_for_update().get(pk=project.pk)
    highest = model._default_manager.filter(project=project).aggregate(highest=Max("number"))["highest"]
    return int(highest or 0) + 1


def _free_slug(name: str) -> str:
    stem = slugify(name)[:50] or "project"
    taken = RESERVED_SLUGS | set(Project.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for slug in [stem, *(f"{stem}-{n}" for n in range(2, len(taken) + 3))] if slug not in taken)
