"""Events of one chain with what proves them, out of the database; and a file's events against the database's chain.

Not here: the file itself (``sealed``), the tree (``tree``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from labelhub.audit import services
from labelhub.audit.content import content_of, key_mark, plain_hash, time_text
from labelhub.audit.heads import exported_head
from labelhub.audit.models import Event
from labelhub.audit.sealed import FORMAT, VERSION, Checked, check, seal
from labelhub.audit.tree import EMPTY_ROOT, paths_of, root_of


def proven(chain: str, events: Sequence[Event]) -> dict[str, Any]:
    """Return the events (in the order of the chain) as a document with their numbers, links, and ways to the tree's root.

    One query for the hashes of the whole chain.
    """
    hashes = list(Event.objects.filter(chain=chain).order_by("seq").values_list("hash", flat=True))
    paths = paths_of(hashes, [event.seq - 1 for event in events])
    exported = exported_head(chain)
    return {
        "format": FORMAT, "version": VERSION, "chain": chain, "key": key_mark(_key()),
        "numbers": [event.seq for event in events],
        "events": [_stated(event, path) for event, path in zip(events, paths, strict=True)],
        "tree": {"size": len(hashes), "root": root_of(hashes)},
        "head": {"seq": len(hashes), "hash": hashes[-1] if hashes else EMPTY_ROOT},
        "exported_head": None if exported is None
        else {"seq": exported.seq, "hash": exported.hash, "at": exported.at},
    }  # fmt: skip


def is_as_written(events: Sequence[Event]) -> bool:
    """Whether each of the events still has the hash that it was written with. The chain around them is not looked at."""
    return all(services.hash_of(event) == event.hash for event in events)


def sealed_page(page: bytes) -> bytes:
    """Return the page under this installation's seal."""
    return seal(page, _key())


def check_here(data: bytes) -> Checked:
    """Check a file with this installation's key and, where it was made here, against the chain in the database."""
    checked = check(data, _key())
    if checked.broken is not None or checked.unchecked or checked.document is None:
        return checked
    problem = compare(checked.document)
    if problem is not None:
        return Checked(problem, checked.held)
    chain = checked.document["chain"]
    held = f"The chain {chain} of this database holds all of them, and every event of it is as it was written."
    return Checked(None, (*checked.held, held), (), checked.document)


def compare(document: Mapping[str, Any]) -> str | None:
    """Return what of a file's events does not fit the chain in the database; None where everything does."""
    chain, size = document["chain"], document["tree"]["size"]
    rows = {row.seq: row for row in Event.objects.filter(chain=chain, seq__in=document["numbers"])}
    for event in document["events"]:
        row = rows.get(event["seq"])
        if row is None:
            return f"Event {event['seq']} of the file is not in the database's chain {chain}."
        if (row.hash, plain_hash(_content(row))) != (event["hash"], event["content_sha256"]):
            return f"Event {event['seq']} is another one in the database's chain {chain}."
    hashes = list(Event.objects.filter(chain=chain, seq__lte=size).order_by("seq").values_list("hash", flat=True))
    if root_of(hashes) != document["tree"]["root"]:
        return f"The database's chain {chain} is not the one that the file was made from."
    verdict = services.verify(chain)
    return None if verdict.broken_at is None else f"The database's own chain {chain} is broken. {verdict.explanation}"


def _stated(event: Event, path: Sequence[str]) -> dict[str, Any]:
    return {
        "seq": event.seq, "at": time_text(event.at), "kind": event.kind, "actor": event.actor, "subject": event.subject,
        "facts": event.facts, "previous_hash": event.previous_hash, "hash": event.hash,
        "content_sha256": plain_hash(_content(event)), "path": list(path),
    }  # fmt: skip


def _content(event: Event) -> bytes:
    return content_of(
        event.chain, event.seq, time_text(event.at), event.kind, event.actor, event.subject, event.facts,
        event.previous_hash,
    )  # fmt: skip


def _key() -> bytes:
    key: bytes = settings.ENVIRONMENT.audit_key
    return key
