"""The word beside a coefficient: as strong as its error allows, with what it means, and only where chance is corrected for.

Planted once and seen to fail: the word read off the value; the lowest band, which everything reaches, claimed of a coefficient
that may lie anywhere; a word beside raw agreement; Krippendorff's bounds deciding the word.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import t

from labelhub.numerics.agreement import brennan_prediger, fleiss_kappa, gwet_ac, raw_agreement
from labelhub.numerics.alpha import krippendorff_alpha
from labelhub.numerics.bands import is_chance_corrected
from labelhub.numerics.bootstrap import Resampling, mean_estimate
from labelhub.numerics.cohen import cohen_kappa
from labelhub.numerics.conger import conger_kappa
from labelhub.numerics.rater_bootstrap import agreement_of_other_raters
from labelhub.numerics.rater_influence import rater_vitality
from labelhub.numerics.results import Estimate
from labelhub.numerics.structured import structured_alpha
from labelhub.scoring.panel_rows import Measured
from labelhub.scoring.panel_words import NO_WORD, claim_of, number_and_claim

RATINGS = np.random.default_rng(5).integers(0, 3, (40, 5)).astype(float)
RATINGS[:, 1:4] = RATINGS[:, [0]]
RNG = np.random.default_rng(6)


def kappa(value: float, error: float) -> Estimate:
    return Estimate(value, math.nan, math.nan, 50, "items", "Cohen's kappa", "1", standard_error=error)


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (0.78, 0.01, "at least substantial"), (0.78, 0.1, "at least moderate"), (0.78, 0.15, "at least fair"),
        (0.95, 0.01, "almost perfect"), (0.3, 0.3, NO_WORD),
        (-0.4, 0.1, "poor"), (0.1, 0.02, "at least slight"), (0.78, math.nan, NO_WORD),
    ],
)  # fmt: skip
def test_the_word_is_as_strong_as_the_error_allows(value, error, words):
    claim = claim_of(kappa(value, error))
    assert claim is not None
    assert claim.words == words
    assert claim.is_claimed == (words != NO_WORD)


def test_the_claimed_band_holds_with_the_wanted_probability():
    """Looked at without the code: Student's with 49 degrees of freedom about the value on Fisher's z."""
    for value, error in ((0.78, 0.15), (0.5, 0.06), (0.85, 0.02)):
        limits = {"almost perfect": 0.8, "substantial": 0.6, "moderate": 0.4, "fair": 0.2, "slight": 0.0}
        on_z = t(49, math.log((1 + value) / (1 - value)) / 2, error / (1 - value**2))
        sure = {name: on_z.sf(math.log((1 + low) / (1 - low)) / 2) for name, low in limits.items()}
        best = next(name for name in limits if sure[name] >= 0.95)
        claim = claim_of(kappa(value, error))
        assert claim.words.removeprefix("at least ") == best
        assert f"{sure[best]:.3f}" in claim.definition or "over 0.999" in claim.definition


def test_the_definition_names_scale_certainty_and_the_reference_that_decides_nothing():
    claim = claim_of(kappa(0.81, 0.02))
    assert claim.words == "at least substantial", "an alpha of .81 is not firm because it passes .80"
    for part in (
        "at least 0.95",
        "Landis and Koch",
        "substantial from 0.6",
        "For reference, Krippendorff's",
        ".667",
        ".80",
    ):
        assert part in claim.definition


def test_every_coefficient_that_is_corrected_for_chance_has_a_word_and_no_other_number_has():
    shapes = [[float(k), float(k) + RNG.normal(0, 0.1)] for k in range(20)]
    coefficients = [
        krippendorff_alpha(RATINGS).estimate, gwet_ac(RATINGS).estimate, gwet_ac(RATINGS, weights="linear").estimate,
        fleiss_kappa(RATINGS).estimate, fleiss_kappa(RATINGS, weights="quadratic").estimate,
        brennan_prediger(RATINGS).estimate, conger_kappa(RATINGS).estimate, conger_kappa(RATINGS, weights="linear").estimate,
        cohen_kappa(RATINGS[:, [0, 4]]).estimate, cohen_kappa(RATINGS[:, [0, 4]], weights="linear").estimate,
        structured_alpha(shapes, lambda a, b: min(abs(a - b), 1.0), RNG).estimate,
        *(agreement_of_other_raters(RATINGS, name, Resampling(RNG, n_resamples=20))
          for name in ("alpha", "fleiss", "gwet", "brennan-prediger")),
    ]  # fmt: skip
    assert all(is_chance_corrected(estimate) for estimate in coefficients)
    others = [
        raw_agreement(RATINGS), raw_agreement(RATINGS, weights="linear"), mean_estimate([0.8, 0.9]),
        rater_vitality(RATINGS)[0].estimate,
        agreement_of_other_raters(RATINGS, "raw", Resampling(RNG, n_resamples=20)),
    ]  # fmt: skip
    assert not any(is_chance_corrected(estimate) for estimate in others)
    assert claim_of(others[0]) is None


def test_an_undefined_coefficient_has_no_word_at_all():
    assert claim_of(krippendorff_alpha(np.ones((5, 2))).estimate) is None


def test_sentences_carry_the_word_in_brackets():
    assert number_and_claim(Measured("k", "n", kappa(0.5, 0.02))).endswith("(at least moderate)")
    assert not number_and_claim(Measured("k", "n", raw_agreement(RATINGS))).endswith(")")
