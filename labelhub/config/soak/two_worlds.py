"""Blindness, tried: two databases that differ only in what is hidden from Ann send her the same bytes.

Ben and Cleo read every item before and after Ann, some items have gold, a model drew, Rita reviews. In world 0 the others
agree with Ann, with the gold and with the model; in world 1 they do not, so that scores, routes, consensus and item states all
differ. The *script* is the same in both: which item Ann is given when, and the declared disclosures (work that came back, with
its comment). Clock and chance stand still. Everything Ann receives is compared: status, headers, bodies.

Not here: what the disclosures are (``workflow.disclosures``), and whether a classifier could tell gold by looking (the suite).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.management import call_command

from labelhub.config.soak.ann_script import CANARY, Exchange, Script, World
from labelhub.config.soak.frozen import frozen
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.scoring.loaded import forget_all

# Sittings of one part of a long trial.
PART = 25


@dataclass(frozen=True, slots=True)
class Difference:
    """The first exchange that is not the same in both worlds."""

    number: int
    request: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many exchanges were compared, the first difference if there is one, and whether the worlds did differ.

    ``n_canaries`` unmistakable words were planted in answers, names, comments and reasons that are hidden from Ann; ``sung``
    names the requests in whose answers one stood.
    """

    n_exchanges: int
    difference: Difference | None
    do_worlds_differ: bool
    n_canaries: int
    sung: tuple[str, ...]


def compare_worlds(*, sittings: int, seed: int, progress: Progress = silent) -> Outcome:
    """Play the script in both worlds, each in an emptied database, and compare. Deletes everything in the database."""
    first, second = (_play(world, sittings=sittings, seed=seed, progress=progress) for world in (0, 1))
    difference = next(_differences(first.exchanges, second.exchanges), None)
    every = (*first.exchanges, *second.exchanges)
    sung = tuple(entry.request for entry in every if CANARY in _text(entry))
    n_canaries = first.n_canaries + second.n_canaries
    return Outcome(len(first.exchanges), difference, first.hidden != second.hidden, n_canaries, sung)


def try_two_worlds(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Play ``n`` sittings in each world; fails where a byte differs or a planted word reaches Ann.

    In parts, each with people, items and a seed of its own, so that a trial can be ended between two of them.
    """
    trial = Trial("two worlds, the same bytes", seed)
    n_exchanges = n_canaries = 0
    with trial.while_there_is_time():
        for start in range(0, n, PART):
            part = min(PART, n - start)
            outcome = compare_worlds(sittings=part, seed=seed + start)
            trial.n += part
            n_exchanges += outcome.n_exchanges
            n_canaries += outcome.n_canaries
            told = f"from sitting {start} on: "
            trial.check(
                outcome.do_worlds_differ, f"{told}the worlds do not differ in what is hidden: nothing was tried"
            )
            trial.check(outcome.difference is None, f"{told}{outcome.difference}")
            trial.check(not outcome.sung, f"{told}a planted word reached Ann in {outcome.sung[:1]}")
            progress(trial.n, n)
    trial.facts |= {"exchanges compared": n_exchanges, "canaries": n_canaries}
    return trial


def _play(number: int, *, sittings: int, seed: int, progress: Progress) -> World:
    # The same ids are drawn again for other readings.
    forget_all()
    call_command("flush", verbosity=0, interactive=False, reset_sequences=True)
    with frozen(seed) as clock:
        return Script(number, clock).run(sittings, lambda done: progress(number * sittings + done, 2 * sittings))


def _differences(first: list[Exchange], second: list[Exchange]) -> Iterator[Difference]:
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        if a != b:
            yield Difference(number, a.request, *_around(_text(a), _text(b)))
    if len(first) != len(second):
        yield Difference(min(len(first), len(second)), "(end)", f"{len(first)} exchanges", f"{len(second)} exchanges")


def _text(exchange: Exchange) -> str:
    return f"{exchange.request} {exchange.status} {exchange.headers} {exchange.body.decode(errors='replace')}"


def _around(a: str, b: str) -> tuple[str, str]:
    at = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[max(at - 80, 0) : at + 120], b[max(at - 80, 0) : at + 120]
