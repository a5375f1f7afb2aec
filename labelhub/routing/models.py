"""The recorded routes: what was decided about an item, by which rule, on which numbers, and what else was considered."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler, PolicyVersion


class Route(models.Model):
    """One routing decision. Never changed: a later decision is a further row."""

    class Outcome(models.TextChoices):
        """Where the item goes."""

        ACCEPT = "accept"
        MORE_READERS = "more-readers"
        BACK_TO_AUTHOR = "back-to-author"
        REVIEWER = "reviewer"
        MAYBE_AMBIGUOUS = "maybe-ambiguous"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    rule = models.CharField(max_length=40)
    # A sentence for people, the numbers it rests on, and the outcomes not taken with why.
    reason = models.CharField(max_length=400)
    numbers = models.JSONField(default=dict)
    alternatives = models.JSONField(default=list)
    # Whom one more read is worth most from: [{"labeler": id, "value": fall of the expected share of errors}], best first.
    next_labelers = models.JSONField(default=list)
    author = models.ForeignKey(Labeler, null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="+")
    method_version = models.CharField(max_length=16)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The newest route of an item is its current one."""

        indexes: ClassVar = [models.Index(fields=["item", "-id"], name="routes_of_an_item")]
