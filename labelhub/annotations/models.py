"""What people drew: the operations of a working copy, and the submissions frozen from it."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Blob, Medium
from labelhub.projects.models import GuidelineVersion, OntologyVersion, PolicyVersion


class Document(models.Model):
    """The working copy of an assignment: a log of operations, gapless from 1 to ``head_seq``. Its content is their
    fold.

    ``base`` is what the copy starts from (earlier shapes on rework, a model's draft on an assisted read), as a
    document. Ontology, guideline and policy are those of the day it was opened: a version published while somebody
    draws binds the next reader. ``epoch`` goes up when the log's past is replaced (a restore), so that clients of the
    old past are refused. ``baked_seq`` is the operation up to which strokes are painted into masks (a :class:`Snapshot`), 0 for
    none. ``active_s`` is measured here, from heartbeats with an idle cut; a client's clock is never
    asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    assignment = models.OneToOneField(Assignment, on_delete=models.PROTECT, related_name="+")
    ontology = models.ForeignKey(OntologyVersion, on_delete=models.PROTECT, related_name="+")
    guideline = models.ForeignKey(GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    base = models.JSONField(default=dict)
    epoch = models.PositiveIntegerField(default=1)
    head_seq = models.PositiveBigIntegerField(default=0)
    baked_seq = models.PositiveBigIntegerField(default=0)
    active_s = models.FloatField(default=0.0)
    beat_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)


class DocumentMask(models.Model):
    """A mask blob that operations of this document may name: one that its author sent, never one that merely exists."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="masks")
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """Sending a mask twice is one fact."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "blob"], name="a_mask_is_brought_once_a_document"),
        ]


class Operation(models.Model):
    """One act of drawing, in the server's order. Never changed; an undo is another operation."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="operations")
    seq = models.PositiveBigIntegerField()
    op_id = models.UUIDField()
    client_id = models.UUIDField()
    client_seq = models.PositiveBigIntegerField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=24)
    payload = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """A replay meets its first copy; the order has no gap and no double."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "seq"], name="an_operation_has_one_place_in_its_document"),
            models.UniqueConstraint(fields=["document", "op_id"], name="an_operation_is_stored_once"),
            models.UniqueConstraint(
                fields=["document", "client_id", "client_seq"], name="a_client_number_is_used_once_a_document"
            ),
        ]


class Snapshot(models.Model):
    """What a document said after ``seq`` operations, its strokes painted into masks: where a fold may start. The log stays."""

    document = models.ForeignKey(Document, on_delete=models.PROTECT, related_name="snapshots")
    epoch = models.PositiveIntegerField()
    seq = models.PositiveBigIntegerField()
    state = models.JSONField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """One a place of the log."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["document", "epoch", "seq"], name="a_place_of_a_log_is_baked_once"),
        ]


class Submission(models.Model):
    """A labeler said: this is my answer. Immutable; a later answer is a further version.

    The scope (``asked_labels``, ``asked_questions``, ``extent``) says what was asked and looked at: outside it is
    "not asked", never negative. ``no_finding`` is explicit. ``request_id`` makes a retried submit the same submit.
    ``planned_blind`` is null where the source of an imported reading does not say; such a reading is not counted as planned.
    """

    assignment = models.ForeignKey(Assignment, on_delete=models.PROTECT, related_name="+")
    version = models.PositiveIntegerField(default=1)
    request_id = models.UUIDField(default=uuid.uuid4)
    ontology = models.ForeignKey(OntologyVersion, on_delete=models.PROTECT, related_name="+")
    guideline = models.ForeignKey(GuidelineVersion, null=True, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    read_kind = models.CharField(max_length=12)
    planned_blind = models.BooleanField(null=True)
    asked_labels = models.JSONField(default=list)
    asked_questions = models.JSONField(default=list)
    extent = models.JSONField(default=dict)
    no_finding = models.BooleanField(default=False)
    head_seq = models.PositiveBigIntegerField(default=0)
    active_s = models.FloatField(null=True)
    submitted_at = models.DateTimeField()
    day = models.DateField()

    class Meta:
        """A retry meets the first answer."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["assignment", "version"], name="a_submission_version_is_used_once"),
            models.UniqueConstraint(fields=["assignment", "request_id"], name="a_submit_request_is_answered_once"),
        ]
        # Submissions of a project, which has a few versions of its ontology, are counted and the newest found in it alone.
        indexes: ClassVar = [models.Index(fields=["ontology", "id"], name="submissions_of_an_ontology")]


class SubmitReply(models.Model):
    """What was answered to a submit, byte for byte: each retry of the request gets it again."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="+")
    channel = models.CharField(max_length=8)
    body = models.TextField()
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        """The first answer is the only one."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["submission", "channel"], name="a_submit_is_answered_once_a_channel"),
        ]


class Annotation(models.Model):
    """One shape of a submission, frozen: geometry as ``formats.shapes.Region`` documents, or a mask blob.

    ``source`` says who drew it: ``drawn``, ``tool`` (computed under a hand), ``model``, ``model-edited``, ``imported``.
    """

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="annotations")
    medium = models.ForeignKey(Medium, on_delete=models.PROTECT, related_name="+")
    shape_id = models.CharField(max_length=64)
    label = models.CharField(max_length=80)
    regions = models.JSONField(default=list)
    mask = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="+")
    # First voxel (z, y, x) of the mask in the medium's grid: masks are stored cropped to what is drawn.
    mask_origin = models.JSONField(null=True)
    attributes = models.JSONField(default=dict)
    source = models.CharField(max_length=16, default="drawn")

    class Meta:
        """Shape ids count within a submission."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["submission", "shape_id"], name="a_shape_is_stored_once_a_submission"),
        ]


class Answer(models.Model):
    """The answer to one question about the item as a whole."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="answers")
    question = models.CharField(max_length=80)
    value = models.JSONField()

    class Meta:
        """One answer a question."""

        constraints: ClassVar = [
            models.UniqueConstraint(fields=["submission", "question"], name="one_answer_a_question_a_submission"),
        ]
