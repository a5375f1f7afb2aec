"""A file that proves itself as far as a file can: sealing it, and naming the first thing in it that does not hold.

The file is an HTML page. A block of JSON in it holds events with what they are proven by (``proofs``), the pictures stand in
it with their hashes in the block, and the last line is a seal: the hash of every byte before it, signed under the audit key.

Without the key anybody can check that the file is whole and agrees with itself: every byte against the seal's digest, each
event's content, number, order and links, each event's place in the tree of the whole chain, each picture. Only who holds the
key can check who made it: that the seal and the events' keyed hashes were written here. Whoever changes a file and makes
its digests anew is found by the signature alone. Pure. Not here: the database's own chain (``proofs.compare``).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from labelhub.audit.content import content_of, key_mark, keyed_hash, plain_hash
from labelhub.audit.tree import root_from

FORMAT, VERSION = "labelhub-story", 1
MOST_BYTES = 256 << 20
_OPENS = b'<script type="application/json" id="labelhub-story">'
_CLOSES = b"</script>"
_SEAL_OPENS, _SEAL_CLOSES = b"\n<!-- labelhub-seal ", b" -->\n"
_PICTURE = re.compile(rb'<img id="(picture-[A-Za-z0-9-]{1,60})" src="data:image/png;base64,([A-Za-z0-9+/=]*)"')
EVENT_FIELDS = ("seq", "at", "kind", "actor", "subject", "facts", "previous_hash", "hash", "content_sha256", "path")


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a file came to. ``broken`` names the first thing that does not hold; None where all that could be does.

    ``held`` says what was checked, ``unchecked`` what could not be and why, each a sentence.
    """

    broken: str | None
    held: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    document: Mapping[str, Any] | None = None


class Broken(ValueError):
    """Something in the file does not hold; the message names it."""


def block(document: Mapping[str, Any]) -> bytes:
    """Return the block of JSON as it stands in the page: no text in it can end it early."""
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    for sign in b"<>&":
        body = body.replace(bytes([sign]), f"\\u{sign:04x}".encode())
    return _OPENS + body + _CLOSES


def seal(page: bytes, key: bytes) -> bytes:
    """Return the page with its seal as the last line."""
    return page + _SEAL_OPENS + _seal_text(hashlib.sha256(page).hexdigest(), key) + _SEAL_CLOSES


def check(data: bytes, key: bytes | None) -> Checked:
    """Check a file under ``key``, or without one, and say what held, what did not, and what could not be looked at."""
    try:
        page, stated = _unsealed(data)
        document = _document(page)
        if document.get("key") != stated["key"]:
            raise Broken("The seal was changed: it names another key than the page.")
        events = _events(document)
        _check_pictures(page, document)
        if hashlib.sha256(page).hexdigest() != stated["digest"]:
            raise Broken("The page's text was changed: the file does not fit the digest in its seal.")
        held = [
            f"The file is whole: {len(data):,} bytes fit the digest in its seal.",
            f"{len(events)} events: content, numbers, order, links and places in the chain of {document['tree']['size']:,}.",
            f"{len(document['pictures'])} pictures fit their hashes.",
        ]
        if key is None or stated["key"] != key_mark(key):
            return Checked(None, tuple(held), (_FOREIGN,), document)
        _check_under(key, stated, document["chain"], events)
    except Broken as problem:
        return Checked(str(problem))
    held.append("The seal and every event's keyed hash were made with this installation's key.")
    return Checked(None, tuple(held), (), document)


_FOREIGN = (
    "Not checked: who made it. The seal and the events' hashes were made with a key that is not here; only the installation "
    "that made the file can check them. Whoever changes a file can make its digests anew, but not these."
)


def _unsealed(data: bytes) -> tuple[bytes, dict[str, str]]:
    """The bytes under the seal, and what the seal says; it is the last line, exactly as it was written."""
    if len(data) > MOST_BYTES:
        raise Broken(f"The file has {len(data):,} bytes, more than {MOST_BYTES:,}: it is none of ours.")
    start = data.rfind(_SEAL_OPENS)
    if start < 0 or not data.endswith(_SEAL_CLOSES):
        raise Broken(
            "The seal in the last line is missing or was changed: the file was cut off, or something was added to it."
        )
    text = data[start + len(_SEAL_OPENS) : len(data) - len(_SEAL_CLOSES)]
    try:
        stated = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Broken("The seal in the last line was changed.") from None
    is_seal = isinstance(stated, dict) and set(stated) == {"digest", "key", "signature", "version"}
    if not is_seal or orjson.dumps(stated, option=orjson.OPT_SORT_KEYS) != text or stated["version"] != VERSION:
        raise Broken("The seal in the last line was changed.")
    if not all(_is_hex(stated[name], length) for name, length in (("digest", 64), ("signature", 64), ("key", 16))):
        raise Broken("The seal in the last line was changed.")
    return data[:start], stated


def _document(page: bytes) -> dict[str, Any]:
    start, end = page.find(_OPENS), -1
    if start >= 0:
        end = page.find(_CLOSES, start)
    if start < 0 or end < 0 or page.find(_OPENS, start + 1) >= 0:
        raise Broken("The block of events is missing or stands twice.")
    try:
        document = orjson.loads(page[start + len(_OPENS) : end])
    except orjson.JSONDecodeError:
        raise Broken("The block of events cannot be read any more.") from None
    if not isinstance(document, dict) or (document.get("format"), document.get("version")) != (FORMAT, VERSION):
        raise Broken(f"The block of events is not of the form {FORMAT} {VERSION}.")
    tree, head = document.get("tree"), document.get("head")
    is_whole = (
        isinstance(tree, dict) and type(tree.get("size")) is int and _is_hex(tree.get("root"), 64)
        and isinstance(head, dict) and type(head.get("seq")) is int and _is_hex(head.get("hash"), 64)
        and isinstance(document.get("chain"), str) and isinstance(document.get("item"), str)
        and all(isinstance(document.get(name), list) for name in ("events", "numbers", "pictures"))
    )  # fmt: skip
    if not is_whole:
        raise Broken("The block of events lacks the chain, its head or its tree.")
    return document


def _events(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Check each event by itself, then against its neighbours and the tree, in the order of the chain."""
    events, tree, head = document["events"], document["tree"], document["head"]
    numbers = document["numbers"]
    if head["seq"] != tree["size"]:
        raise Broken("The head of the chain is not the end of its tree.")
    before: dict[str, Any] | None = None
    for place, event in enumerate(events):
        if not isinstance(event, dict) or set(event) != set(EVENT_FIELDS) or type(event["seq"]) is not int:
            raise Broken(f"Entry {place + 1} of the events is not an event any more.")
        name = f"Event {event['seq']}"
        if place >= len(numbers) or event["seq"] != numbers[place]:
            raise Broken(f"{name} stands where event {_at(numbers, place)} was: one is missing, or they were swapped.")
        _check_event(event, document["chain"], name)
        _check_links(before, event, name)
        if root_from(event["hash"], event["seq"] - 1, tree["size"], event["path"]) != tree["root"]:
            raise Broken(f"{name} does not lead to the root of the chain's tree.")
        if event["seq"] == head["seq"] and event["hash"] != head["hash"]:
            raise Broken(f"{name} is the last of the chain and is not its head.")
        before = event
    if len(numbers) != len(events):
        raise Broken(f"Event {_at(numbers, len(events))} is missing at the end.")
    return list(events)


def _at(numbers: Sequence[Any], place: int) -> str:
    return str(numbers[place]) if place < len(numbers) else "none"


def _check_event(event: Mapping[str, Any], chain: str, name: str) -> None:
    is_formed = (
        all(isinstance(event[field], str) for field in ("at", "kind", "actor", "subject", "previous_hash"))
        and isinstance(event["facts"], dict) and _is_hex(event["hash"], 64) and isinstance(event["path"], list)
        and all(_is_hex(entry, 64) for entry in event["path"])
    )  # fmt: skip
    if not is_formed:
        raise Broken(f"{name} is not of the form of an event any more.")
    if plain_hash(_content(event, chain)) != event["content_sha256"]:
        raise Broken(f"{name} was changed: its content does not fit its digest.")


def _check_links(before: Mapping[str, Any] | None, event: Mapping[str, Any], name: str) -> None:
    if event["seq"] == 1 and event["previous_hash"]:
        raise Broken(f"{name} is the first of the chain and follows on something.")
    if event["seq"] > 1 and not _is_hex(event["previous_hash"], 64):
        raise Broken(f"{name} follows on nothing.")
    if before is None:
        return
    if event["seq"] <= before["seq"]:
        raise Broken(f"{name} stands after event {before['seq']}: the order was changed.")
    if event["seq"] == before["seq"] + 1 and event["previous_hash"] != before["hash"]:
        raise Broken(f"{name} does not follow on event {before['seq']}.")


def _check_pictures(page: bytes, document: Mapping[str, Any]) -> None:
    found = list(_pictures(page))
    stated = document["pictures"]
    for place, entry in enumerate(stated):
        if not isinstance(entry, dict) or set(entry) != {"id", "sha256"}:
            raise Broken(f"Entry {place + 1} of the pictures cannot be read any more.")
        if place >= len(found):
            raise Broken(f"The picture {entry['id']} is missing.")
        name, digest = found[place]
        if (name, digest) != (entry["id"], entry["sha256"]):
            raise Broken(f"The picture {entry['id']} was changed.")
    if len(found) > len(stated):
        raise Broken(f"The picture {found[len(stated)][0]} was added.")


def _pictures(page: bytes) -> Iterator[tuple[str, str]]:
    for name, text in _PICTURE.findall(page):
        try:
            yield name.decode(), hashlib.sha256(base64.b64decode(text, validate=True)).hexdigest()
        except (binascii.Error, ValueError):
            yield name.decode(), ""


def _check_under(key: bytes, stated: Mapping[str, str], chain: str, events: Sequence[Mapping[str, Any]]) -> None:
    for event in events:
        if not hmac.compare_digest(keyed_hash(key, _content(event, chain)), event["hash"]):
            raise Broken(
                f"Event {event['seq']} was not written here as it stands: its hash does not fit under our key."
            )
    if not hmac.compare_digest(_signature(stated["digest"], key), stated["signature"]):
        raise Broken("The seal was not made with this installation's key.")


def _content(event: Mapping[str, Any], chain: str) -> bytes:
    return content_of(
        chain, event["seq"], event["at"], event["kind"], event["actor"], event["subject"], event["facts"],
        event["previous_hash"],
    )  # fmt: skip


def _seal_text(digest: str, key: bytes) -> bytes:
    stated = {"digest": digest, "key": key_mark(key), "signature": _signature(digest, key), "version": VERSION}
    return orjson.dumps(stated, option=orjson.OPT_SORT_KEYS)


def _signature(digest: str, key: bytes) -> str:
    return hmac.digest(key, b"story:" + digest.encode(), "sha256").hex()


def _is_hex(value: Any, length: int) -> bool:
    return isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{length}}}", value) is not None
