"""A model's word on items with gold, as an answer that somebody knows: what each version reaches on the same held-out items.

So the effect of a round of learning is measured on items that no version learned from. Kept as a score about the model with its
gold. Not here: labelers on gold (``gold_answers``), readings beside the model (``services``).
"""

from __future__ import annotations

import math
from typing import Final

from django.utils import timezone

from labelhub.annotations.plain import reading_of as reading_of_submission
from labelhub.catalog.selectors import grid_of, media_of
from labelhub.predictions.models import Prediction
from labelhub.predictions.plain import reading_of as reading_of_prediction
from labelhub.projects.selectors import current_policy
from labelhub.scoring.compare import METHOD, VERSION, compare
from labelhub.scoring.models import GoldReference, Score
from labelhub.scoring.rows import method_of
from labelhub.scoring.services import terms_now

ON_GOLD: Final = "similarity-with-gold"


def score_on_gold(prediction: Prediction) -> Score | None:
    """Compare a prediction with its item's gold, where it has one now, and keep the number; once a prediction and gold."""
    gold = GoldReference.objects.filter(item=prediction.item_id, retired_at=None).select_related("submission").first()
    if gold is None:
        return None
    item = prediction.item
    standing = Score.objects.filter(
        item=item, about=Score.About.MODEL, metric=ON_GOLD, prediction=prediction, replaced_at=None
    )
    if (kept := standing.filter(gold=gold).first()) is not None:
        return kept
    terms = terms_now(item.project, current_policy(item.project)[1])
    found = compare(
        reading_of_prediction(prediction), reading_of_submission(gold.submission), terms=terms,
        grids=[grid_of(medium) for medium in media_of(item)], second_is_truth=True,
    )  # fmt: skip
    standing.update(replaced_at=timezone.now())
    is_defined = not math.isnan(found.similarity)
    return Score.objects.create(
        item=item, about=Score.About.MODEL, prediction=prediction, gold=gold, metric=ON_GOLD,
        value=found.similarity if is_defined else None, n=found.n_parts, reason="" if is_defined else found.reason[:200],
        method=method_of(METHOD, terms), method_version=VERSION,
    )  # fmt: skip
