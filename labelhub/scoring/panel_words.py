"""The word that may stand beside a coefficient, and what it means: only as strong as the coefficient's error allows.

A word is claimed where the coefficient lies in its band or a better one with probability .95 at least; the lowest band, which
everything reaches, only where the coefficient lies in it so surely. Not here: the probabilities (``numerics.bands``).
Krippendorff's bounds are named beside it as a reference and decide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from labelhub.numerics.bands import CERTAINTY, METHOD, Benchmark, benchmark, is_chance_corrected, scale_of
from labelhub.numerics.results import Estimate
from labelhub.scoring.panel_rows import Measured, number_in_words

NO_WORD = "no word claimed"
SCALE = "Landis and Koch's words"
REFERENCE = (
    "For reference, Krippendorff's customary bounds of alpha: .667 for tentative conclusions, .80 for firm ones, to be held "
    "against the lower end of the interval."
)


@dataclass(frozen=True, slots=True)
class Claim:
    """``words`` for a page ("at least moderate"; :data:`NO_WORD`), and the ``definition`` to show on hover and focus."""

    words: str
    definition: str
    is_claimed: bool


def claim_of(estimate: Estimate) -> Claim | None:
    """The word claimed for a coefficient that is corrected for chance; None for any other number, or an undefined one."""
    if not estimate.is_defined or not is_chance_corrected(estimate):
        return None
    found = benchmark(estimate)
    words, said = _claimed(found)
    limits = ", ".join(f"{name} from {low:g}" for low, name in scale_of("landis-koch")[:-1])
    scale = f"{SCALE}: {limits}, below that {scale_of('landis-koch')[-1][1]}."
    wanted = f"A word needs a probability of at least {CERTAINTY:g} ({METHOD})."
    return Claim(words, "\n".join([said, wanted, scale, REFERENCE]), is_claimed=words != NO_WORD)


def number_and_claim(measured: Measured) -> str:
    """The number as pages print it, and in brackets the word claimed where it is a coefficient corrected for chance."""
    claim = claim_of(measured.estimate)
    return number_in_words(measured) + (f" ({claim.words})" if claim is not None else "")


def _claimed(found: Benchmark) -> tuple[str, str]:
    if found.claimed is None:
        return NO_WORD, f"No word is claimed: {found.reason}."
    best, lowest = found.bands[0], found.bands[-1]
    if found.claimed is lowest:
        if lowest.probability >= found.certainty:
            return (
                lowest.name,
                f"“{lowest.name.capitalize()}”: below {lowest.high:g} with probability {_chance(lowest.probability)}.",
            )
        least = found.bands[-2]
        return NO_WORD, (
            f"No word is claimed: even “{least.name}” or better ({least.low:g} and above) has a probability of "
            f"{_chance(least.cumulative)} only."
        )
    name, low, chance = found.claimed.name, found.claimed.low, _chance(found.claimed.cumulative)
    if found.claimed is best:
        return name, f"“{name.capitalize()}”: {low:g} and above with probability {chance}."
    return f"at least {name}", f"“{name.capitalize()}” or better: {low:g} and above with probability {chance}."


def _chance(probability: float) -> str:
    return "over 0.999" if probability > 0.9995 else f"{probability:.3f}"
