"""2,000 random edits of an exported story: every one is found, and named where something of its own was changed.

Planted and seen to fail: a check that leaves out the digest of the whole file (edits of the page's text stand), one that
leaves out the pictures' hashes together with it, one that leaves out the key, or the mark of the key (a changed mark passes as
the file of another installation), a seal that is read leniently (a space added to it stands).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import numpy as np
import orjson
import pytest

from labelhub.audit.content import content_of, plain_hash
from labelhub.audit.proofs import check_here
from labelhub.audit.sealed import check, key_mark, seal
from labelhub.audit.tree import paths_of, root_from, root_of
from labelhub.web.story import story_file
from tests.cast import make_cast
from tests.web.world import make_world

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:No directory at")]
# The full number is 2,000; all were found.
N_EDITS, SEED = 300, 20261129
OPENS = b'id="labelhub-story">'


@pytest.fixture(scope="module")
def data(django_db_setup, django_db_blocker) -> bytes:
    from django.db import transaction

    with django_db_blocker.unblock(), transaction.atomic():
        world = make_world(make_cast())
        found = story_file(world.item)
        assert check_here(found).broken is None
        transaction.set_rollback(True)
    return found


Edit = Callable[[bytes, np.random.Generator], bytes]


def span_of_block(data: bytes) -> tuple[int, int]:
    start = data.index(OPENS) + len(OPENS)
    return start, data.index(b"</script>", start)


def with_document(data: bytes, change: Callable[[dict], None]) -> bytes:
    """Change the block, as somebody does who knows its form but not the key."""
    start, end = span_of_block(data)
    document = orjson.loads(data[start:end])
    change(document)
    body = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    for sign in b"<>&":
        body = body.replace(bytes([sign]), f"\\u{sign:04x}".encode())
    return data[:start] + body + data[end:]


def one_of(rng: np.random.Generator, values: list) -> int:
    return int(rng.integers(len(values)))


def change_a_number(data: bytes, rng: np.random.Generator) -> bytes:
    places = [found.span() for found in re.finditer(rb"\d+", data)]
    start, end = places[one_of(rng, places)]
    text = str(int(data[start:end]) + 1).encode()
    return data[:start] + (text if text != data[start:end] else b"7" + text) + data[end:]


def change_a_byte(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def drop_a_byte(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data)))
    return data[:at] + data[at + 1 :]


def add_a_space(data: bytes, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(data) + 1))
    return data[:at] + b" " + data[at:]


def truncate(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(len(data)))]


def double_a_part(data: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(len(data) - 10))
    end = min(len(data), start + int(rng.integers(1, 5000)))
    return data[:end] + data[start:end] + data[end:]


def drop_an_event(data: bytes, rng: np.random.Generator) -> bytes:
    return with_document(data, lambda document: document["events"].pop(one_of(rng, document["events"])))


def drop_an_event_and_its_number(data: bytes, rng: np.random.Generator) -> bytes:
    def change(document: dict) -> None:
        at = one_of(rng, document["events"])
        del document["events"][at], document["numbers"][at]

    return with_document(data, change)


def swap_two_events(data: bytes, rng: np.random.Generator) -> bytes:
    def change(document: dict) -> None:
        first, second = rng.choice(len(document["events"]), 2, replace=False)
        events = document["events"]
        events[first], events[second] = events[second], events[first]

    return with_document(data, change)


def change_an_event(data: bytes, rng: np.random.Generator) -> bytes:
    def change(document: dict) -> None:
        event = document["events"][one_of(rng, document["events"])]
        field = ("at", "kind", "actor", "subject")[int(rng.integers(4))]
        event[field] += "x"

    return with_document(data, change)


def change_an_event_with_its_digest(data: bytes, rng: np.random.Generator) -> bytes:
    """Who knows the form makes the plain digest anew; the digest of the file, or the key, finds it."""

    def change(document: dict) -> None:
        event = document["events"][one_of(rng, document["events"])]
        event["actor"] = "user:666"
        event["content_sha256"] = plain_hash(
            content_of(document["chain"], event["seq"], event["at"], event["kind"], event["actor"], event["subject"],
                       event["facts"], event["previous_hash"])
        )  # fmt: skip

    return with_document(data, change)


def change_a_hash(data: bytes, rng: np.random.Generator) -> bytes:
    def change(document: dict) -> None:
        event = document["events"][one_of(rng, document["events"])]
        field = ("hash", "previous_hash", "content_sha256")[int(rng.integers(3))]
        event[field] = event[field][::-1] if event[field] != event[field][::-1] else "0" * 64

    return with_document(data, change)


def change_a_picture(data: bytes, rng: np.random.Generator) -> bytes:
    places = [found.span(1) for found in re.finditer(rb"base64,([A-Za-z0-9+/]{100,})", data)]
    start, end = places[one_of(rng, places)]
    at = int(rng.integers(start, end))
    return data[:at] + (b"A" if data[at : at + 1] != b"A" else b"B") + data[at + 1 :]


def swap_two_pictures(data: bytes, rng: np.random.Generator) -> bytes:
    places = [found.span(1) for found in re.finditer(rb"base64,([A-Za-z0-9+/=]{100,})", data)]
    first, second = sorted(int(place) for place in rng.choice(len(places), 2, replace=False))
    (a, b), (c, d) = places[first], places[second]
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def take_the_seal_off(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: data.rfind(b"\n<!-- labelhub-seal")]


def seal_under_another_key(data: bytes, rng: np.random.Generator) -> bytes:
    """A changed page with a whole new seal, but for the mark of the key, which says that it was made here."""
    start = data.rfind(b"\n<!-- labelhub-seal")
    mark = re.search(rb'"key":"([0-9a-f]{16})"', data[start:])
    assert mark is not None
    new = seal(change_a_picture_text(data[:start], rng), rng.bytes(32))
    return re.sub(rb'"key":"[0-9a-f]{16}"', b'"key":"' + mark[1] + b'"', new)


def change_a_picture_text(page: bytes, rng: np.random.Generator) -> bytes:
    words = [found.span() for found in re.finditer(rb"\bThe\b", page)]
    start, end = words[one_of(rng, words)]
    return page[:start] + b"No" + page[end:]


def change_the_mark_of_the_key(data: bytes, rng: np.random.Generator) -> bytes:
    """So that the file would pass as one of another installation, whose key nobody here has."""
    start = data.rfind(b'"key":"') + 7 + int(rng.integers(16))
    return data[:start] + (b"0" if data[start : start + 1] != b"0" else b"1") + data[start + 1 :]


def add_a_space_to_the_seal(data: bytes, rng: np.random.Generator) -> bytes:
    """JSON reads the same with a space more; the file is another one."""
    places = [found.start() for found in re.finditer(rb"[:,]", data[data.rfind(b"labelhub-seal") :])]
    at = data.rfind(b"labelhub-seal") + places[one_of(rng, places)] + 1
    return data[:at] + b" " + data[at:]


EDITS: tuple[Edit, ...] = (
    change_a_number, change_a_byte, drop_a_byte, add_a_space, truncate, double_a_part, drop_an_event,
    drop_an_event_and_its_number, swap_two_events, change_an_event, change_an_event_with_its_digest, change_a_hash,
    change_a_picture, swap_two_pictures, take_the_seal_off, seal_under_another_key,
    change_the_mark_of_the_key, add_a_space_to_the_seal,
)  # fmt: skip


def test_two_thousand_random_edits_are_all_found(data, settings):
    rng, found = np.random.default_rng(SEED), Counter[str]()
    key = settings.ENVIRONMENT.audit_key
    assert check(data, key).broken is None
    for number in range(N_EDITS):
        edit = EDITS[int(rng.integers(len(EDITS)))]
        changed = edit(data, rng)
        if changed == data:
            continue
        verdict = check(changed, key)
        assert verdict.broken is not None, f"edit {number} ({edit.__name__}) was not found"
        found[edit.__name__] += 1
    assert sum(found.values()) > 0.99 * N_EDITS, found
    assert set(found) == {edit.__name__ for edit in EDITS}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (drop_an_event, "missing"), (swap_two_events, "missing, or they were swapped"), (change_an_event, "was changed"),
        (change_a_picture, "The picture picture-"), (truncate, "cut off"), (take_the_seal_off, "seal"),
        (change_the_mark_of_the_key, "names another key"), (seal_under_another_key, "not made with this installation's key"),
        (change_an_event_with_its_digest, "does not fit the digest"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)  # fmt: skip
def test_the_first_thing_that_does_not_hold_is_named(data, settings, edit, words):
    changed = edit(data, np.random.default_rng(3))
    assert words in check(changed, settings.ENVIRONMENT.audit_key).broken


def test_who_makes_all_digests_anew_is_found_by_the_key_alone(data, settings):
    """A forger who knows the form and not the key: found here, and elsewhere only said not to be checked."""
    forged = change_an_event_with_its_digest(data, np.random.default_rng(1))
    resealed = seal(forged[: forged.rfind(b"\n<!-- labelhub-seal")], b"the forger's key")
    mark = re.search(rb'"key":"([0-9a-f]{16})"', data[data.rfind(b"labelhub-seal") :])
    as_ours = re.sub(rb'"key":"[0-9a-f]{16}"', b'"key":"' + mark[1] + b'"', resealed)
    assert "was not written here as it stands" in check(as_ours, settings.ENVIRONMENT.audit_key).broken
    # Their own key, named on the page too: the whole file agrees with itself.
    named = with_document(forged, lambda document: document.update(key=key_mark(b"the forger's key")))
    elsewhere = check(seal(named[: named.rfind(b"\n<!-- labelhub-seal")], b"the forger's key"), None)
    assert elsewhere.broken is None
    assert "Not checked: who made it" in elsewhere.unchecked[0]


def test_without_the_key_all_that_needs_none_is_checked(data):
    assert check(data, None).broken is None
    rng = np.random.default_rng(SEED)
    for edit in EDITS:
        if edit is not seal_under_another_key:
            assert check(edit(data, rng), None).broken is not None, edit.__name__


def test_what_is_no_story_is_refused_in_a_sentence():
    for junk in (b"", b"\0" * 50, b"<html></html>", b"\n<!-- labelhub-seal {} -->\n", b"x" * 10_000):
        assert "seal" in check(junk, b"key").broken


def test_the_tree_is_that_of_rfc_6962():
    """Against its recursive definition, for every size to 40 and every place."""
    import hashlib

    def slow(leaves: list[str]) -> bytes:
        if not leaves:
            return hashlib.sha256(b"").digest()
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + bytes.fromhex(leaves[0])).digest()
        half = 1
        while half * 2 < len(leaves):
            half *= 2
        return hashlib.sha256(b"\1" + slow(leaves[:half]) + slow(leaves[half:])).digest()

    for size in range(40):
        leaves = [hashlib.sha256(bytes([n])).hexdigest() for n in range(size)]
        root = root_of(leaves)
        assert root == slow(leaves).hex()
        for place, path in enumerate(paths_of(leaves, range(size))):
            assert root_from(leaves[place], place, size, path) == root
            assert root_from("00" * 32, place, size, path) != root
            assert root_from(leaves[place], place, size, [*path, "00" * 32]) is None
            assert not path or root_from(leaves[place], place, size, path[:-1]) is None
