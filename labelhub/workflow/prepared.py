"""Queries that are built once and run many times: on the hot path, building a query costs ten times what running it does.

The query is an ordinary queryset, so that it is defined, checked and migrated like every other; only its SQL is kept. What
differs from run to run stands in it as a :class:`Slot`'s value, which no real parameter has. Not here: any query.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

_kept: dict[tuple[Hashable, ...], tuple[str, tuple[Any, ...]]] = {}
# Stand for what is given with each run; numbers, because ids and places are, and such as no row has.
SLOTS: Sequence[int] = tuple(range(-987_654_301, -987_654_309, -1))


def rows(
    key: tuple[Hashable, ...], build: Callable[[], QuerySet[Any, Any]], values: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Run the values query that ``build`` makes, with ``values`` in place of ``SLOTS``; it is built once a ``key``.

    ``key`` names the query and everything that changes its text or its other parameters.
    """
    name = (connection.vendor, *key)
    if name not in _kept:
        sql, parameters = build().query.sql_with_params()
        missing = [slot for slot in SLOTS[: len(values)] if slot not in parameters]
        assert not missing, f"{key} does not use {missing}: its slots must all be parameters"
        _kept[name] = (sql, tuple(parameters))
    sql, parameters = _kept[name]
    given = dict(zip(SLOTS, values, strict=False))
    with connection.cursor() as cursor:
        cursor.execute(sql, [given.get(value, value) if _is_slot(value) else value for value in parameters])
        return [tuple(row) for row in cursor.fetchall()]


def _is_slot(value: Any) -> bool:
    return isinstance(value, int | float) and value <= SLOTS[0]
