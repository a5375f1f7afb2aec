"""Where a click on a sentence or a number leads: the address of the page that shows its evidence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from django.urls import reverse

from labelhub.analytics.sentences import Sentence, Target
from labelhub.catalog.models import Item
from labelhub.projects.models import Project

# As many codes as an address carries well; the gravest come first.
MOST_CODES = 200


def sentence_link(project: Project, sentence: Sentence, *, team: int | None = None) -> str:
    """Return where the sentence's evidence is, on a page that keeps the team."""
    return target_link(project, sentence.target, team=team)


def target_link(project: Project, target: Target, *, team: int | None = None) -> str:
    """Return the address of what a sentence names."""
    kept = "" if team is None else f"?team={team}"
    if target.kind == "item":
        return reverse("manage-item", args=[project.slug, target.key]) + kept
    if target.kind == "labeler" and target.key.isdigit():
        address = reverse("manage-labeler", args=[project.slug, target.key]) + kept
        return f"{address}#{target.place}" if target.place else address
    if target.kind in {"labeler", "labelers"}:
        return reverse("manage-labelers", args=[project.slug]) + kept
    if target.kind in {"data", "people"}:
        return reverse(f"manage-{target.kind}", args=[project.slug]) + kept
    query = {"state": target.key} if target.key in Item.State.values else {}
    if target.items:
        query["codes"] = ",".join(target.items[:MOST_CODES])
    if team is not None:
        query["team"] = str(team)
    return items_link(project, **query)


def number_link(project: Project, key: str) -> str:
    """Return the list of the items behind the number of that key."""
    return items_link(project, of=key)


def named(text: str, names: Mapping[str, str]) -> str:
    """Return ``text`` with the names of labelers in place of the keys under which their readings stand."""
    return re.sub(r"labeler-\d+", lambda found: names.get(found.group(), found.group()), text)


def items_link(project: Project, **query: str) -> str:
    """Return the table of items with these filters."""
    address = reverse("manage-items", args=[project.slug])
    return f"{address}?{urlencode(query)}" if query else address
