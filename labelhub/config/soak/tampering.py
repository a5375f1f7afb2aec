"""R9: whoever changes the audit log without its key is found: edits, deletions, swaps, cuts, forgeries; and how fast."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from labelhub.audit import heads, services
from labelhub.audit.models import ChainHead, Event
from labelhub.config.soak.report import Progress, Trial, silent

LENGTH = 40
CHAIN = "soak"
SLOWEST_S = 60.0
BATCH = 5000


class Undo(Exception):
    """Takes one tampering back."""


def try_tampering(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Tamper ``n`` times with a chain whose head was exported, each time in another way; all must be found."""
    trial, rng = Trial("tampering found", seed), np.random.default_rng(seed)
    chain = f"{CHAIN}:{seed}"
    write_chain(chain, LENGTH)
    heads.export_heads([chain])
    trial.check(services.verify(chain).broken_at is None, "the chain was broken before anything was done to it")
    names = list(WAYS)
    found: dict[str, int] = dict.fromkeys(names, 0)
    with trial.while_there_is_time():
        for number in range(n):
            name = names[int(rng.integers(len(names)))]
            try:
                with transaction.atomic():
                    WAYS[name](chain, rng)
                    verdict = services.verify(chain)
                    raise Undo
            except Undo:
                pass
            trial.n += 1
            trial.check(verdict.broken_at is not None, f"tampering {number} ({name}) was not found")
            found[name] += verdict.broken_at is not None
            progress(trial.n, n)
    trial.check(services.verify(chain).broken_at is None, "the chain is broken after everything was taken back")
    trial.facts |= {name: count for name, count in found.items() if count}
    return trial


def time_verification(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Verify a chain of ``n`` events against the clock: at most 60 s a million."""
    trial = Trial("verification in time", seed)
    chain = f"{CHAIN}-long:{seed}"
    write_chain(chain, n, progress=progress)
    start, start_cpu = time.monotonic(), time.process_time()
    verdict = services.verify(chain)
    took_s, took_cpu_s = time.monotonic() - start, time.process_time() - start_cpu
    trial.n = verdict.events
    # A short run on a busy machine says little: it gets the time of fifty thousand events.
    allowed_s = SLOWEST_S * max(n, 50_000) / 1_000_000
    trial.check(verdict.broken_at is None and verdict.events == n, verdict.explanation)
    trial.check(took_s <= allowed_s, f"{n:,} events took {took_s:.1f} s, more than {allowed_s:.1f} s")
    trial.facts |= {"verified in s": round(took_s, 2), "of processor time": round(took_cpu_s, 2)}
    return trial


def write_chain(chain: str, length: int, *, progress: Progress = silent) -> None:
    """Write a true chain of ``length`` events, as :func:`audit.services.append` does but many at a time."""
    at, previous = timezone.now() - timedelta(seconds=length), ""
    for start in range(0, length, BATCH):
        rows = []
        for seq in range(start + 1, min(start + BATCH, length) + 1):
            event = Event(
                chain=chain, seq=seq, at=at + timedelta(seconds=seq), kind="item.routed", actor=f"user:{seq % 17}",
                subject=f"item:{seq % 997}", facts={"route": seq, "outcome": "accept"}, previous_hash=previous,
            )  # fmt: skip
            event.hash = previous = services.hash_of(event)
            rows.append(event)
        Event.objects.bulk_create(rows, batch_size=BATCH)
        progress(start, length)
    ChainHead.objects.create(chain=chain, seq=length, hash=previous)


def _seq(rng: np.random.Generator) -> int:
    return int(rng.integers(1, LENGTH + 1))


def _edit(field: str, change: Callable[[Any], Any]) -> Callable[[str, np.random.Generator], None]:
    def act(chain: str, rng: np.random.Generator) -> None:
        row = Event.objects.get(chain=chain, seq=_seq(rng))
        Event.objects.filter(pk=row.pk).update(**{field: change(getattr(row, field))})

    return act


def _delete(chain: str, rng: np.random.Generator) -> None:
    Event.objects.filter(chain=chain, seq=_seq(rng)).delete()


def _delete_and_close_up(chain: str, rng: np.random.Generator) -> None:
    seq = _seq(rng)
    Event.objects.filter(chain=chain, seq=seq).delete()
    for row in Event.objects.filter(chain=chain, seq__gt=seq).order_by("seq"):
        Event.objects.filter(pk=row.pk).update(seq=row.seq - 1)
    _head_as_it_is(chain)


def _swap(chain: str, rng: np.random.Generator) -> None:
    first, second = (int(place) + 1 for place in rng.choice(LENGTH, 2, replace=False))
    one, other = (Event.objects.get(chain=chain, seq=seq) for seq in (first, second))
    Event.objects.filter(pk=one.pk).update(seq=LENGTH + 1)
    Event.objects.filter(pk=other.pk).update(seq=first)
    Event.objects.filter(pk=one.pk).update(seq=second)


def _cut(chain: str, rng: np.random.Generator) -> None:
    Event.objects.filter(chain=chain, seq__gte=_seq(rng)).delete()


def _cut_and_set_the_head(chain: str, rng: np.random.Generator) -> None:
    _cut(chain, rng)
    _head_as_it_is(chain)


def _write_anew_without_the_key(chain: str, rng: np.random.Generator) -> None:
    """Change one event and compute all hashes after it, under a key that is not ours."""
    start, previous = _seq(rng), None
    for row in Event.objects.filter(chain=chain, seq__gte=start).order_by("seq"):
        if previous is None:
            row.actor = "user:666"
        else:
            row.previous_hash = previous
        row.hash = previous = hmac.new(rng.bytes(32), str(row.seq).encode(), hashlib.sha256).hexdigest()
        row.save()
    _head_as_it_is(chain)


def _forge_at_the_end(chain: str, rng: np.random.Generator) -> None:
    last = Event.objects.filter(chain=chain).latest("seq")
    forged = hmac.new(rng.bytes(32), b"forged", hashlib.sha256).hexdigest()
    Event.objects.create(
        chain=chain, seq=last.seq + 1, at=last.at, kind="member.added", actor="user:1", subject="user:666", facts={},
        previous_hash=last.hash, hash=forged,
    )  # fmt: skip
    _head_as_it_is(chain)


def _empty(chain: str, rng: np.random.Generator) -> None:
    Event.objects.filter(chain=chain).delete()
    ChainHead.objects.filter(chain=chain).delete()


def _head_as_it_is(chain: str) -> None:
    last = Event.objects.filter(chain=chain).order_by("seq").last()
    ChainHead.objects.filter(chain=chain).update(seq=last.seq if last else 0, hash=last.hash if last else "")


WAYS: Mapping[str, Callable[[str, np.random.Generator], None]] = {
    "kind": _edit("kind", lambda text: f"{text}x"),
    "actor": _edit("actor", lambda text: f"{text}0"),
    "subject": _edit("subject", lambda text: f"{text}0"),
    "facts": _edit("facts", lambda facts: {**facts, "route": -1}),
    "time": _edit("at", lambda at: at + timedelta(microseconds=1)),
    "hash": _edit("hash", lambda text: text[::-1]),
    "previous hash": _edit("previous_hash", lambda text: f"x{text[1:]}"),
    "number": _edit("seq", lambda seq: seq + LENGTH),
    "deletion": _delete,
    "deletion, closed up": _delete_and_close_up,
    "swap": _swap,
    "cut": _cut,
    "cut, head set": _cut_and_set_the_head,
    "written anew without the key": _write_anew_without_the_key,
    "forged at the end": _forge_at_the_end,
    "emptied": _empty,
}
