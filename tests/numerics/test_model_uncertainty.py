"""What a model leaves open and what its members disagree about add up to the entropy of their mean.

Planted and seen to fail: natural logarithms in place of bits.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelhub.numerics.model_uncertainty import entropy, model_uncertainty


def slow(answers):
    """One unit at a time, as the formula is written."""

    def h(p):
        return -sum(x * np.log2(x) for x in p if x > 0)

    n, _, units = answers.shape
    total = [h(answers[:, :, u].mean(axis=0)) for u in range(units)]
    inside = [sum(h(answers[t, :, u]) for t in range(n)) / n for u in range(units)]
    return np.array(total), np.array(inside)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 4), st.integers(1, 6))
def test_equals_the_slow_twin_and_never_goes_below_nothing(seed, n, k, units):
    answers = np.random.default_rng(seed).dirichlet(np.full(k, 0.5), size=(n, units)).transpose(0, 2, 1)
    found = model_uncertainty(answers)
    total, inside = slow(answers)
    assert np.allclose(found.total, total, atol=1e-9)
    assert np.allclose(found.aleatoric, inside, atol=1e-9)
    assert (found.epistemic >= 0).all()
    assert np.allclose(found.epistemic + found.aleatoric, found.total)
    assert np.allclose(model_uncertainty(answers[::-1]).epistemic, found.epistemic), "the order of members is nothing"
    assert np.allclose(model_uncertainty(answers[:, ::-1]).epistemic, found.epistemic), "nor is that of categories"
    if n == 1:
        assert not found.epistemic.any()


def test_known_entropies():
    assert entropy([1.0, 0.0]).item() == 0
    assert entropy([0.125] * 8).item() == pytest.approx(3)
    assert model_uncertainty([[[0.9], [0.1]]]).total.item() == pytest.approx(0.4690, abs=1e-4)


@pytest.mark.parametrize("bad", [[0.5, 0.5], [[]], np.zeros((0, 2, 3)), [[0.5, 0.6]], [[1.5, -0.5]]])
def test_what_is_no_probability_is_refused(bad):
    with pytest.raises(ValueError, match="answers"):
        model_uncertainty(bad)
