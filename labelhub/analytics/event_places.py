"""What each event of the audit chain is about, as people know it: an item by its code, a labeler by name, a job, a release.

A few queries, however many events. Not here: the words of what was done (``event_words``), addresses (``web``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from labelhub.annotations.models import Submission
from labelhub.audit.models import Event
from labelhub.catalog.models import Item
from labelhub.projects.models import Labeler


@dataclass(frozen=True, slots=True)
class Place:
    """What an event is about: of which kind, by which key an address names it, and its word. A key may be missing."""

    kind: str
    key: str
    word: str


def places_of(events: Iterable[Event]) -> Mapping[str, Place]:
    """Return what the subjects of the events are, by subject; what is not known here is left out."""
    rows, keys = list(events), dict[str, set[int]]()
    for event in rows:
        kind, _, key = event.subject.partition(":")
        if key.isdigit():
            keys.setdefault(kind, set()).add(int(key))
    found: dict[str, Place] = {}
    items = dict(Item.objects.filter(pk__in=keys.get("item", ())).values_list("pk", "code"))
    found |= {f"item:{key}": Place("item", code, code) for key, code in items.items()}
    of_items = Submission.objects.filter(pk__in=keys.get("submission", ())).values_list("pk", "assignment__item__code")
    found |= {f"submission:{key}": Place("item", code, f"a reading of {code}") for key, code in of_items}
    names = Labeler.objects.filter(pk__in=keys.get("labeler", ())).values_list("pk", "name")
    found |= {f"labeler:{key}": Place("labeler", str(key), name) for key, name in names}
    found |= {
        event.subject: Place("release", str(number), f"release {number}")
        for event in rows
        if event.subject.startswith("release:") and (number := event.facts.get("number")) is not None
    }
    found |= {f"job:{key}": Place("job", str(key), f"job {key}") for key in keys.get("job", ())}
    return found
