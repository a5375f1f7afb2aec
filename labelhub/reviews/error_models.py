"""Rows of what reviewers said of single objects and whole readings without accepting or returning them; how long they took."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.annotations.models import Submission
from labelhub.catalog.models import Item


class ObjectVerdict(models.Model):
    """A reviewer said of one object of a reading what is wrong with it, or that nothing is. Never changed: the last counts.

    ``key`` names the object. ``proposed`` is what the comparison with the label proposed, empty where the reviewer named the
    error themselves. Where it lies and how large it is stands here as it was then.
    """

    class Kind(models.TextChoices):
        """What is wrong."""

        MISSING = "missing"
        EXTRA = "extra"
        WRONG_CLASS = "wrong class"
        BOUNDARY = "boundary"
        SPLIT = "split"
        MERGE = "merge"
        SLICE_RANGE = "slice range"
        NONE = "none"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    proposed = models.CharField(max_length=12, blank=True)
    label_given = models.CharField(max_length=80, blank=True)
    label_accepted = models.CharField(max_length=80, blank=True)
    medium = models.PositiveSmallIntegerField()
    size = models.FloatField()
    unit = models.CharField(max_length=8)
    first_slice = models.PositiveIntegerField()
    last_slice = models.PositiveIntegerField()
    place = models.JSONField(default=list)
    # By how much the outline lies outside (positive) or inside; empty where nothing was compared.
    offset = models.FloatField(null=True)
    length_unit = models.CharField(max_length=4, blank=True)
    method = models.CharField(max_length=40)
    method_version = models.CharField(max_length=16)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    request_id = models.UUIDField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Known kinds; a request says one thing of an object."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(
                    kind__in=["missing", "extra", "wrong class", "boundary", "split", "merge", "slice range", "none"]
                ),
                name="an_error_of_an_object_has_a_known_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(last_slice__gte=models.F("first_slice")), name="an_object_ends_after_it_begins"
            ),
            models.UniqueConstraint(fields=["request_id", "key"], name="a_request_says_one_thing_of_an_object"),
        ]
        indexes: ClassVar = [models.Index(fields=["submission", "id"], name="verdicts_of_a_reading")]


class Appraisal(models.Model):
    """A reviewer who settled an item region by region said how good one reading is. It is neither accepted nor returned."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    score = models.PositiveSmallIntegerField(null=True)
    comment = models.TextField(blank=True)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """It says something; a score is between 0 and 10."""

        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(score=None) | models.Q(score__lte=10), name="an_appraisal_is_between_0_and_10"
            ),
            models.CheckConstraint(
                condition=models.Q(score__isnull=False) | ~models.Q(comment=""), name="an_appraisal_says_something"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["item", "id"], name="appraisals_of_an_item")]


class DeskTime(models.Model):
    """A reviewer was at an item's desk for ``active_s`` seconds in all, measured here from signs of life with an idle cut."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="+")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    active_s = models.FloatField(default=0.0)
    beat_at = models.DateTimeField()

    class Meta:
        """One clock a reviewer and item; the last sign of life of somebody is found at once."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "reviewer"], name="a_reviewer_has_one_clock_an_item"),
        ]
        indexes: ClassVar = [models.Index(fields=["reviewer", "-beat_at"], name="last_beats_of_a_reviewer")]
