"""What was measured of a project last, so that a page need not measure again while nothing changed."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from labelhub.projects.models import Project


class Rollup(models.Model):
    """The panel of a project as it stood at one moment. ``fingerprint`` names what it rests on: the newest rows it has seen.

    A rollup whose fingerprint is not today's is shown only with a word that it is behind. It can always be made again.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    fingerprint = models.CharField(max_length=120)
    n_submissions = models.PositiveIntegerField(default=0)
    # The panel as JSON, compressed; made and read by ``panel_store`` only.
    content = models.BinaryField()
    method_version = models.CharField(max_length=16)
    took_s = models.FloatField(default=0.0)
    made_at = models.DateTimeField()

    class Meta:
        """Found by project."""

        ordering: ClassVar = ["project_id"]
