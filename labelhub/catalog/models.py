"""What there is to label. Names of patients and files live in ``Original`` and ``IngestEntry`` only, for admins."""

from __future__ import annotations

import secrets
from typing import ClassVar

from django.db import models

from labelhub.projects.models import GuidelineVersion, Project


def secret_draw() -> float:
    """A number from 0 to 1 (exclusive) that nobody can foretell."""
    return secrets.randbits(53) / 2**53


class Blob(models.Model):
    """Immutable bytes named by their SHA-256: small ones in the row, others in the storage under that name."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=16)
    size = models.PositiveBigIntegerField()
    inline = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)


class Subject(models.Model):
    """A patient, animal, slide or parent image, under a key that cannot be led back."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    # What the key stands for: "patient", "scan", "image" (a parent picture), …
    kind = models.CharField(max_length=16, default="patient")

    class Meta:
        """Keys count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "key"], name="a_subject_key_is_used_once_a_project"),
        ]


class Study(models.Model):
    """One examination of a subject (or of an unknown one)."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(Subject, null=True, on_delete=models.PROTECT, related_name="studies")
    key = models.CharField(max_length=64)

    class Meta:
        """Keys count within a project."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "key"], name="a_study_key_is_used_once_a_project"),
        ]


# An overlap draw that no share reaches: draws lie below it.
READ_ONCE = 1.0


class Item(models.Model):
    """One thing that is labelled as a whole: one or more media of one subject and study.

    ``code`` is random and all an annotator sees of its name. ``group_key`` is the highest known unit above it (patient,
    else study, else parent image): the unit of every interval, split and gold draw; empty where nothing is known.

    ``place`` is the item's secret place in the circle from which readers are given work, each from a point of their own;
    ``overlap_draw`` decides whether it is among the share of items that all readers read; neither ever changes, but that items
    which people label together are ``READ_ONCE``.
    """

    class State(models.TextChoices):
        """Where the item is in its life; moved by ``workflow.lifecycle`` only."""

        WAITING = "waiting"
        READING = "reading"
        REWORK = "rework"
        REVIEW = "review"
        SETTLED = "settled"
        # Declared truly ambiguous: its label is "ignore", and all readings are kept.
        AMBIGUOUS = "ambiguous"
        EXCLUDED = "excluded"

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=12)
    subject = models.ForeignKey(Subject, null=True, on_delete=models.PROTECT, related_name="items")
    study = models.ForeignKey(Study, null=True, on_delete=models.PROTECT, related_name="items")
    group_key = models.CharField(max_length=64, blank=True)
    group_kind = models.CharField(max_length=16, default="unknown")
    # The id that the source's users know (a task number); for admins and work lists, never for annotators.
    source_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    priority = models.IntegerField(default=0)
    # How many reads routing or an admin asked for; the policy plans as many or more (``assignments.selectors.wanted_reads``).
    wanted_reads = models.PositiveSmallIntegerField(default=1)
    # How many of them are in or being made; counted again by ``assignments.services`` after each of its writes.
    reads_taken = models.PositiveSmallIntegerField(default=0)
    place = models.FloatField(default=secret_draw)
    overlap_draw = models.FloatField(default=secret_draw)
    created_at = models.DateTimeField(auto_now_add=True)
    state_changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Queues go by state and priority."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "code"], name="an_item_code_is_used_once_a_project"),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=["waiting", "reading", "rework", "review", "settled", "ambiguous", "excluded"]
                ),
                name="an_item_is_in_one_of_seven_states",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["project", "-priority", "state", "place"],
                condition=models.Q(state__in=["waiting", "reading"]),
                name="items_that_may_want_a_reader",
            ),
            models.Index(fields=["project", "state"], name="items_by_state"),
            models.Index(fields=["project", "place"], name="items_by_place"),
            models.Index(fields=["project", "group_key"], name="items_of_a_group"),
            models.Index(fields=["project", "source_id"], name="items_by_source_id"),
        ]

    def __str__(self) -> str:
        return self.code


class Medium(models.Model):
    """One picture or volume of an item, on its own grid. ``pixels`` is empty where only the grid is known.

    Sizes are in voxels, spacing in millimetres (null: unknown, distances are in pixels), ``affine`` maps voxel
    ``(x, y, z)`` to RAS+ millimetres. ``metadata`` holds an allow-list of technical tags, never an identifier.
    """

    class Kind(models.TextChoices):
        """What the third axis means."""

        PHOTOGRAPH = "photograph"
        VOLUME = "volume"
        FRAMES = "frames"

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="media")
    ordinal = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    size_z = models.PositiveIntegerField(default=1)
    size_y = models.PositiveIntegerField()
    size_x = models.PositiveIntegerField()
    channels = models.PositiveSmallIntegerField(default=1)
    dtype = models.CharField(max_length=8, default="uint8")
    spacing_z = models.FloatField(null=True)
    spacing_y = models.FloatField(null=True)
    spacing_x = models.FloatField(null=True)
    affine = models.JSONField(null=True)
    # Where each plane lies along the patient, where only that is known (readings imported without their images).
    plane_positions_mm = models.JSONField(null=True)
    value_meaning = models.CharField(max_length=16, default="intensity")
    window_center = models.FloatField(null=True)
    window_width = models.FloatField(null=True)
    metadata = models.JSONField(default=dict)
    # Stands for the frame of reference that the affine leads into; empty where the source names none. Never sent to a page.
    frame_key = models.CharField(max_length=16, blank=True)
    pixels = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Media are ordered within their item."""

        ordering: ClassVar = ["ordinal"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["item", "ordinal"], name="media_are_numbered_within_an_item"),
        ]


class Example(models.Model):
    """A picture for the instructions, good or bad, with the caption that the next version gives it.

    ``from_item`` says which item's picture it is, where it is one. It goes with every version that is published before
    ``removed_at``; once it is withdrawn its picture is shown to nobody, in no version.
    """

    class Marker(models.TextChoices):
        """What it is an example of."""

        GOOD = "good"
        BAD = "bad"
        PLAIN = ""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    picture = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    caption = models.CharField(max_length=300, blank=True)
    marker = models.CharField(max_length=4, choices=Marker.choices, blank=True)
    from_item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="+")
    added_by = models.CharField(max_length=80)
    added_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        """They are read in the order in which they were added."""

        indexes: ClassVar = [models.Index(fields=["project", "id"], name="examples_of_a_project")]


class PublishedExample(models.Model):
    """A version of the instructions shows an example at this place, under the caption it had then. Never changed."""

    guideline = models.ForeignKey(GuidelineVersion, on_delete=models.PROTECT, related_name="+")
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="published")
    place = models.PositiveSmallIntegerField()
    caption = models.CharField(max_length=300, blank=True)
    marker = models.CharField(max_length=4, choices=Example.Marker.choices, blank=True)

    class Meta:
        """One place, one example; and each once a version."""

        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["guideline", "place"], name="a_place_in_the_instructions_holds_one_example"
            ),
            models.UniqueConstraint(fields=["guideline", "example"], name="instructions_show_an_example_once"),
        ]


class IngestRun(models.Model):
    """Somebody brought files in: an upload, an archive, or a folder registered in place. Progress lives in the job."""

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=16)
    # Folder on the server (in place) or the place of the uploaded files; admins only.
    location = models.CharField(max_length=1000)
    options = models.JSONField(default=dict)
    job_id = models.BigIntegerField(null=True)
    asked_by = models.CharField(max_length=80)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)


class IngestEntry(models.Model):
    """One file of an ingest and what became of it. Makes an interrupted ingest resumable."""

    class Status(models.TextChoices):
        """What became of it."""

        WAITING = "waiting"
        STORED = "stored"
        DUPLICATE = "duplicate"
        REFUSED = "refused"
        IGNORED = "ignored"

    run = models.ForeignKey(IngestRun, on_delete=models.CASCADE, related_name="entries")
    path = models.CharField(max_length=1000)
    # What the sender announced, so that a file that arrived in part is not taken for a whole one.
    size = models.PositiveBigIntegerField(null=True)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.WAITING)
    message = models.CharField(max_length=500, blank=True)
    remedy = models.CharField(max_length=500, blank=True)
    item = models.ForeignKey(Item, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(null=True)

    class Meta:
        """A path is one entry of a run."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["run", "path"], name="a_path_is_one_entry_of_an_ingest"),
        ]
        indexes: ClassVar = [models.Index(fields=["run", "status", "id"], name="entries_by_status")]


class Original(models.Model):
    """The file that a medium came from: name, hash and place. Admins only; never for annotators, logs or exports."""

    medium = models.ForeignKey(Medium, on_delete=models.PROTECT, related_name="originals")
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=1000)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField()
    # Registered in place: the file stays where it is and this is its path. Else the blob that holds it.
    in_place_path = models.CharField(max_length=1000, blank=True)
    blob = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        """Duplicates are found by hash within a project."""

        indexes: ClassVar = [models.Index(fields=["project", "sha256"], name="originals_by_hash")]
