"""Networks that take clicks, side by side: what pointing reaches with them on what they had not seen, and without them.

Not here: training them (``inference``), networks that draft whole items (``model_table``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from labelhub.analytics.model_table import kept_estimate
from labelhub.numerics.results import Estimate
from labelhub.predictions.models import ModelVersion, TrainedItem
from labelhub.predictions.selectors import click_models_of, click_networks
from labelhub.projects.models import Project


@dataclass(frozen=True, slots=True)
class AfterClicks:
    """The Dice after ``n_clicks`` clicks of a simulated person: by the network, and by the picture alone (None unasked)."""

    n_clicks: int
    network: Estimate
    picture: Estimate | None


@dataclass(frozen=True, slots=True)
class ClickRow:
    """One network that takes clicks: for which class, whether the editor asks it (the newest of its class), what it reached.

    ``n_groups`` patients were held out in turn; ``reason`` says why there are no figures where there are none.
    """

    model: ModelVersion
    label: str
    n_learned: int
    is_asked: bool
    after: tuple[AfterClicks, ...]
    n_groups: int
    reason: str


def click_rows(project: Project) -> list[ClickRow]:
    """Return the project's networks that take clicks, newest first: three queries."""
    models = list(click_models_of(project))
    if not models:
        return []
    learned = dict(
        TrainedItem.objects.filter(model__in=models).values_list("model").annotate(n=Count("pk")).order_by("model")
    )
    asked = {row.pk for row in click_networks(project).values()}
    return [
        ClickRow(
            model, ", ".join(model.classes), learned.get(model.pk, 0), model.pk in asked, _after(model.metrics),
            int(model.metrics.get("n_groups", 0)),
            str(model.metrics.get("reason", "")) or ("" if model.metrics else "it was not trained here"),
        )
        for model in models
    ]  # fmt: skip


def _after(metrics: Mapping[str, Any]) -> tuple[AfterClicks, ...]:
    method, picture = str(metrics.get("method", "")), metrics.get("picture", {})
    return tuple(
        AfterClicks(
            int(n), kept_estimate(document, method),
            kept_estimate(picture[n], f"{method}, by the picture alone") if n in picture else None,
        )
        for n, document in sorted(metrics.get("clicks", {}).items(), key=lambda entry: int(entry[0]))
    )  # fmt: skip
