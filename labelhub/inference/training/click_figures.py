"""What a network that takes clicks reaches: Dice after none, one and five clicks of a simulated person on held-out labels.

The person clicks into the middle of the largest error, misses by 3 px (standard deviation) and says the opposite in one click
of twenty, because one who never errs flatters every method (``numerics.clicks``). The picture's own ways
(``predictions.geodesic``) get clicks by the same rules: a network that is not better than no network is not worth asking. Not
here: training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelhub.inference.deepedit import ClickNetwork, Example, channels_of, seeds_in
from labelhub.inference.training.measuring import figure
from labelhub.numerics.clicks import JITTER_PX, WRONG_SHARE, next_click
from labelhub.predictions import geodesic
from labelhub.predictions.marks import Hints

METHOD: Final = "Dice after simulated clicks on labels held out by group, in a window around them"
AFTER: Final = (0, 1, 5)
Mask = NDArray[np.bool_]
Answerer = Callable[[Hints], Mask]


@dataclass(frozen=True, slots=True)
class Session:
    """The Dice after as many clicks as ``AFTER`` says, of the network and of the picture alone (which says nothing unasked)."""

    network: tuple[float, ...]
    picture: tuple[float, ...]


def session(network: ClickNetwork, example: Example, rng: np.random.Generator) -> Session:
    """Return what a simulated person reaches in a window, with the network and without."""
    seed = int(rng.integers(2**31))
    mine, theirs = (
        _clicked(ask, example, np.random.default_rng(seed), most=max(AFTER))
        for ask in (_by_network(network, example), _by_picture(example))
    )
    before = _dice(unasked(network, example), example)
    return Session(tuple((before, *mine)[n] for n in AFTER), tuple((0.0, *theirs)[n] for n in AFTER))


def mean_after_one(network: ClickNetwork, examples: Sequence[Example]) -> float | None:
    """Return the mean Dice after one click that hits the middle of the error; None without examples."""
    if not examples:
        return None
    rng = np.random.default_rng(0)
    return float(np.mean([_clicked(_by_network(network, one), one, rng, most=1, errs=False)[0] for one in examples]))


def unasked(network: ClickNetwork, example: Example) -> Mask:
    """Return what the network says of a window before anybody pointed at anything."""
    channels = channels_of(example.pixels, seeds_in(Hints(), example), example.spacing_mm)
    return np.asarray(network.look(channels) > 0)


def metrics_of(
    sessions: Mapping[int, Sequence[Session]], groups: Mapping[int, str], *, seed: int, n_items: int
) -> dict[str, Any]:
    """Return the figures of a version as a document: for each number of clicks the mean over items, interval over groups."""
    head = {"method": METHOD, "n_items": n_items, "n_groups": len(set(groups.values()))}
    if not sessions:
        return head | {
            "clicks": {},
            "reason": "all labels are of one group (one patient), so none could be held out honestly",
        }
    items = sorted(sessions)
    own = [groups[item] for item in items]

    def document(at: int, side: str) -> dict[str, Any]:
        values = [float(np.mean([getattr(one, side)[at] for one in sessions[item]])) for item in items]
        return figure(values, own, seed, METHOD)

    return head | {
        "clicks": {str(n): document(at, "network") for at, n in enumerate(AFTER)},
        "picture": {str(n): document(at, "picture") for at, n in enumerate(AFTER) if n},
    }


def _clicked(ask: Answerer, example: Example, rng: np.random.Generator, *, most: int, errs: bool = True) -> list[float]:
    """The Dice after each of so many clicks of somebody who begins with nothing, as in the editor.

    The first click never says the opposite: whoever begins knows what they want.
    """
    given = np.zeros_like(example.truth)
    said: dict[tuple[int, int, int], bool] = {}
    dices: list[float] = []
    for _ in range(most):
        click = next_click(
            example.truth, _settled(given, example), rng=rng, spacing_mm=example.spacing_mm,
            jitter_px=JITTER_PX if errs else 0.0, wrong_share=WRONG_SHARE if errs and said else 0.0,
        )  # fmt: skip
        if click is not None:
            said[click.place] = click.is_inside
            sides = [tuple(place for place, is_inside in said.items() if is_inside is side) for side in (True, False)]
            # A press that took back the only place inside leaves what was there: the editor asks for another.
            given = ask(Hints(sides[0], sides[1])) if sides[0] else given
        dices.append(_dice(given, example))
    return dices


def _by_network(network: ClickNetwork, example: Example) -> Answerer:
    return lambda hints: (
        network.propose(example.pixels, hints, spacing_mm=example.spacing_mm, level=0, check=lambda: None).mask
    )


def _by_picture(example: Example) -> Answerer:
    return lambda hints: geodesic.propose(example.pixels, hints, spacing_mm=example.spacing_mm).mask


def _settled(given: Mask, example: Example) -> Mask:
    """What was given, where nothing was settled as if it were right: nobody clicks there."""
    return given if example.counts is None else np.where(example.counts, given, example.truth)


def _dice(given: Mask, example: Example) -> float:
    both = given if example.counts is None else given & example.counts
    sums = int(both.sum()) + int(example.truth.sum())
    return 2.0 * int((both & example.truth).sum()) / sums if sums else float("nan")
