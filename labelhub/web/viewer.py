"""What the picture of an item needs on a page: where the script finds its media, and the layers over them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from labelhub.analytics.item_story import ItemStory
from labelhub.projects.models import Project


def viewer_of(request: HttpRequest, project: Project, story: ItemStory) -> dict[str, Any]:
    """Return the document that ``static/js/pages/review.js`` starts from."""
    return {
        "layers": reverse("review-layers", args=[project.slug, story.item.code]),
        "media": [reverse("api-medium", args=[medium.pk]) for medium in story.media],
        "asked": request.GET.get("layer", "")[:400].split(",") if request.GET.get("layer") else [],
    }
