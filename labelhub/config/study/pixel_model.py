"""A small learner of outlines for studies: filters of an image, random waves of them, and a logistic regression a member.

It is no network: it sees a neighbourhood of some pixels and learns in a tenth of a second, so that a study of hundreds of
trainings takes minutes on two cores. Several members (other waves, other images drawn) disagree where labels would help.
Anything with the same two methods may stand in its place (``Learner``). Not here: what is learned from whom (``learning``,
``errors``).

References
----------
Rahimi A, Recht B (2007) Random features for large-scale kernel machines. NeurIPS 20 (cosines of random projections).
Breiman L (1996) Bagging predictors. Machine Learning 24:123-140 (members from redrawn images).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from labelhub.numerics.results import BoolArray, FloatArray, IntArray
from labelhub.numerics.spoilt_labels import learn

N_MEMBERS = 4
N_WAVES = 40
PIXELS_AN_IMAGE = 160
RIDGE = 3.0
# Neighbours of a pixel count as alike up to about this many standard deviations of a filter's answer.
WAVE_LENGTH = 2.5


class Learner(Protocol):
    """What a study asks of a learner of outlines."""

    def __init__(self, images: FloatArray) -> None:
        """Take all images there are, ``[image, y, x]``."""

    def predictions(self, labelled: Sequence[int], masks: BoolArray, asked: Sequence[int], seed: int) -> FloatArray:
        """Learn from labelled images and say each member's probabilities ``[member, image, y, x]`` for those asked."""


class PixelLearner:
    """The learner of filters and waves."""

    def __init__(self, images: FloatArray) -> None:
        self.shape: tuple[int, ...] = images.shape[1:]
        filtered = np.stack([filters(image) for image in images])
        self.n_filters = int(filtered.shape[-1])
        self.filtered: NDArray[np.float32] = (
            _on_like_scales(filtered.reshape(-1, filtered.shape[-1])).reshape(filtered.shape).astype(np.float32)
        )

    def predictions(self, labelled: Sequence[int], masks: BoolArray, asked: Sequence[int], seed: int) -> FloatArray:
        """Learn from labelled images and say each member's probabilities ``[member, image, y, x]`` for those asked."""
        rng = np.random.default_rng(seed)
        found = np.empty((N_MEMBERS, len(asked), *self.shape), dtype=np.float32)
        for member in range(N_MEMBERS):
            directions = rng.standard_normal((self.n_filters, N_WAVES)) / WAVE_LENGTH
            phases = rng.uniform(0, 2 * math.pi, N_WAVES)
            drawn = rng.integers(0, len(labelled), len(labelled)) if member else np.arange(len(labelled))
            rows, told, shift = self._sample(labelled, masks, drawn, rng)
            learned = learn(_waves(rows, directions, phases), told, ridge=RIDGE)
            for place, image in enumerate(asked):
                seen = _waves(self.filtered[image].reshape(-1, self.n_filters), directions, phases)
                found[member, place] = expit(learned.intercept + shift + seen @ learned.weights).reshape(self.shape)
        return np.asarray(found, dtype=np.float64)

    def _sample(
        self, labelled: Sequence[int], masks: BoolArray, drawn: IntArray, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, float]:
        """Pixels of the drawn images, as many inside as outside where there are, and what that adds to the log odds."""
        rows, told, n_inside, n_all = [], [], 0, 0
        for place in drawn:
            mask = masks[place].ravel()
            inside, outside = np.nonzero(mask)[0], np.nonzero(~mask)[0]
            n_inside, n_all = n_inside + len(inside), n_all + len(mask)
            for pixels in (inside, outside):
                chosen = rng.permutation(pixels)[: PIXELS_AN_IMAGE // 2]
                rows.append(self.filtered[labelled[place]].reshape(len(mask), -1)[chosen])
                told.append(mask[chosen].astype(np.float64))
        given = np.concatenate(told)
        # Half inside is more than there is: the log odds of the sample are put back to those of the images.
        share = min(max(n_inside / n_all, 1e-4), 1 - 1e-4)
        sampled = min(max(float(given.mean()), 1e-4), 1 - 1e-4)
        shift = math.log(share / (1 - share)) - math.log(sampled / (1 - sampled))
        return np.concatenate(rows).astype(np.float64), given, shift


def descriptions(images: FloatArray) -> FloatArray:
    """What each image looks like, ``[image, feature]`` on like scales: mean, spread and highest percent of each filter."""
    filtered = np.stack([filters(image) for image in images])
    flat = filtered.reshape(len(images), -1, filtered.shape[-1])
    return _on_like_scales(
        np.concatenate([flat.mean(axis=1), flat.std(axis=1), np.percentile(flat, 99, axis=1)], axis=1)
    )


def filters(image: FloatArray) -> FloatArray:
    """Answers of a bank of filters, ``[y, x, filter]``: brightness, edges, blobs, roughness, and how far from the middle."""
    values = np.asarray(image, dtype=np.float64)
    middle, spread = float(np.median(values)), float(values.std())
    values = (values - middle) / (spread if spread > 0 else 1.0)
    smooth = {width: ndimage.gaussian_filter(values, width) for width in (1.0, 2.0, 4.0)}
    rough = np.sqrt(np.maximum(ndimage.gaussian_filter(values**2, 2.0) - smooth[2.0] ** 2, 0.0))
    rows, columns = np.indices(values.shape)
    away = np.hypot(rows - (values.shape[0] - 1) / 2, columns - (values.shape[1] - 1) / 2) / max(values.shape)
    edges = [ndimage.gaussian_gradient_magnitude(values, width) for width in (1.0, 2.0)]
    blobs = [width**2 * ndimage.gaussian_laplace(values, width) for width in (1.0, 2.0, 4.0)]
    return np.stack([values, *smooth.values(), *edges, *blobs, rough, away], axis=-1)


def _on_like_scales(table: FloatArray) -> FloatArray:
    spread = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0), dtype=np.float64)


def _waves(rows: FloatArray, directions: FloatArray, phases: FloatArray) -> FloatArray:
    # The filters' own answers stand beside the waves: a threshold is a line of them.
    return np.concatenate([np.cos(rows @ directions + phases), rows], axis=1)
