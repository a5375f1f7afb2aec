"""Which examples each version of the instructions shows: what stood in the draft when it was published, under its captions.

Nothing of a version changes later; a picture that nobody may see any more is withdrawn from all of them, its place and caption
stay. Not here: the draft and its pictures (``examples``), publishing (``workflow.lifecycle.publish_guideline``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.db.models import Exists, OuterRef, QuerySet

from labelhub.catalog.examples import examples_of
from labelhub.catalog.models import Example, PublishedExample
from labelhub.projects.models import GuidelineVersion, Project
from labelhub.projects.permissions import Action, NotFound, Person, can, visible_to


@dataclass(frozen=True, slots=True)
class Shown:
    """One example of a version: the example's id, the caption and marker of that version."""

    pk: int
    caption: str
    marker: str
    is_withdrawn: bool


def examples_in(guideline: GuidelineVersion | None) -> tuple[Shown, ...]:
    """Return what a version of the instructions shows, in its order; nothing where there is no version."""
    if guideline is None or not guideline.n_examples:
        return ()
    rows = PublishedExample.objects.filter(guideline=guideline).select_related("example").order_by("place")
    return tuple(Shown(row.example_id, row.caption, row.marker, row.example.withdrawn_at is not None) for row in rows)


def is_ahead(project: Project, guideline: GuidelineVersion) -> bool:
    """Whether the draft differs from what a version shows: publishing would change what labelers see."""
    drafted = [(row.pk, row.caption, row.marker) for row in examples_of(project)]
    return drafted != [(row.pk, row.caption, row.marker) for row in examples_in(guideline) if not row.is_withdrawn]


def earlier_examples(project: Project, guideline: GuidelineVersion) -> QuerySet[Example]:
    """Return what stands in earlier versions alone and was not withdrawn: in neither the draft nor in ``guideline``."""
    rows = Example.objects.filter(project=project, removed_at__isnull=False, withdrawn_at=None)
    return rows.filter(Exists(_published()), ~Exists(_published().filter(guideline=guideline))).order_by("pk")


def example_for(user: Person, project: Project, pk: int) -> Example:
    """Return an example whose picture ``user`` may see: of a version that was published; of the draft, for admins.

    Raises ``NotFound``, and for everybody where it was withdrawn.
    """
    rows = visible_to(user, Example.objects.filter(project=project, pk=pk, withdrawn_at=None))
    row = rows.annotate(is_published=Exists(_published())).select_related("picture").first()
    is_manager = can(user, Action.MANAGE, project)
    if row is None or not (row.is_published or (is_manager and row.removed_at is None)):
        raise NotFound("There is no such example in these instructions.")
    return row


def seal_of(examples: Sequence[Example]) -> str:
    """Return the SHA-256 over what a version shows: pictures, captions, markers in their order; empty where it is nothing."""
    shown = [[row.pk, row.picture_id, row.caption, row.marker] for row in examples]
    return hashlib.sha256(orjson.dumps(shown)).hexdigest() if shown else ""


def keep_published(guideline: GuidelineVersion, examples: Sequence[Example]) -> None:
    """Write down what a new version shows. Within the transaction that publishes it."""
    PublishedExample.objects.bulk_create(
        PublishedExample(guideline=guideline, example=row, place=place, caption=row.caption, marker=row.marker)
        for place, row in enumerate(examples)
    )


def _published() -> QuerySet[PublishedExample]:
    return PublishedExample.objects.filter(example=OuterRef("pk"))
