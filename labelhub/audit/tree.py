"""A hash tree over the events of a chain: a few hashes show that an event is in it, without showing any other event.

The leaves are the events' own hashes, in the order of the chain. Pure. Not here: which events there are (``proofs``).

References
----------
Laurie B, Langley A, Kasper E (2013) Certificate transparency. RFC 6962, sections 2.1 and 2.1.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

EMPTY_ROOT = hashlib.sha256(b"").hexdigest()


def root_of(leaves: Sequence[str]) -> str:
    """Return the root over hashes in hexadecimal; that of nothing is the hash of nothing."""
    level = [_leaf(leaf) for leaf in leaves]
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _above(level)
    return level[0].hex()


def paths_of(leaves: Sequence[str], places: Sequence[int]) -> list[list[str]]:
    """Return for each of the ``places`` (from 0) the hashes beside its way to the root, from below. Levels are made once."""
    paths: list[list[str]] = [[] for _ in places]
    at = list(places)
    level = [_leaf(leaf) for leaf in leaves]
    while len(level) > 1:
        for number, place in enumerate(at):
            beside = place ^ 1
            if beside < len(level):
                paths[number].append(level[beside].hex())
            at[number] = place // 2
        level = _above(level)
    return paths


def root_from(leaf: str, place: int, size: int, path: Sequence[str]) -> str | None:
    """Return the root that ``leaf`` at ``place`` of ``size`` leads to along ``path``; None for a path of another length."""
    if not 0 <= place < size:
        return None
    node, at, width, left = _leaf(leaf), place, size, list(path)
    while width > 1:
        if at ^ 1 < width:
            if not left:
                return None
            beside = bytes.fromhex(left.pop(0))
            node = _node(beside, node) if at % 2 else _node(node, beside)
        at, width = at // 2, (width + 1) // 2
    return None if left else node.hex()


def _above(level: Sequence[bytes]) -> list[bytes]:
    """The next level; a last node without a neighbour goes up as it is."""
    above = [_node(level[place], level[place + 1]) for place in range(0, len(level) - 1, 2)]
    return [*above, level[-1]] if len(level) % 2 else above


def _leaf(text: str) -> bytes:
    return hashlib.sha256(b"\x00" + bytes.fromhex(text)).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
