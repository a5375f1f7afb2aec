"""Statements that are built once and run many times: on a hot path, building one costs ten times what running it does.

A statement is an ordinary queryset (or a model's row), so that it is defined, checked and migrated like every other; only
its SQL is kept. What differs from run to run stands in it as a *slot*, a value that no real parameter has. PostgreSQL keeps
the statement too, and its plan, connection by connection. It lives in the lowest package that has rows, so that all others
may use it. Not here: any statement.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import (
    AutoField,
    BinaryField,
    DateField,
    DateTimeField,
    Field,
    JSONField,
    Model,
    QuerySet,
    UUIDField,
)
from django.db.models.sql import UpdateQuery

M = TypeVar("M", bound=Model)
Key = tuple[Hashable, ...]

# Stand for what is given with each run: numbers (ids, places) or text, and times; such as no row has.
SLOTS: Sequence[int] = tuple(range(-987_654_301, -987_654_309, -1))
TIMES: Sequence[datetime] = tuple(datetime(1, 1, 1 + number, tzinfo=UTC) for number in range(4))


@dataclass(frozen=True, slots=True)
class _Kept:
    """SQL, its parameters, and which of them are slots: (position, number of the value, number of the time)."""

    sql: str
    parameters: tuple[Any, ...]
    values: tuple[tuple[int, int], ...]
    times: tuple[tuple[int, int], ...]

    def filled(self, values: Sequence[Any], times: Sequence[datetime]) -> list[Any]:
        """The parameters of one run."""
        found = list(self.parameters)
        for place, number in self.values:
            found[place] = values[number]
        for place, number in self.times:
            found[place] = _time(times[number])
        return found


_kept: dict[Key, _Kept] = {}


def rows(
    key: Key, build: Callable[[], QuerySet[Any, Any]], values: Sequence[Any], times: Sequence[datetime] = ()
) -> list[tuple[Any, ...]]:
    """Run the values query that ``build`` makes, with ``values`` in place of ``SLOTS`` and ``times`` of ``TIMES``.

    ``key`` names the query and everything that changes its text or its other parameters. Values come as the database's
    driver gives them.
    """

    def compiled() -> tuple[str, Sequence[Any]]:
        return build().query.sql_with_params()

    kept = _statement(key, compiled, len(values), len(times))
    with _cursor() as cursor:
        cursor.execute(kept.sql, kept.filled(values, times))
        return [tuple(row) for row in cursor.fetchall()]


def instances(
    key: Key, build: Callable[[], QuerySet[M]], values: Sequence[Any], times: Sequence[datetime] = ()
) -> list[M]:
    """As :func:`rows`, of whole rows of a model: ``build`` makes an ordinary queryset."""

    def named() -> QuerySet[Any, Any]:
        queryset = build()
        return queryset.values_list(*(field.attname for field in queryset.model._meta.concrete_fields))

    model = _model_of(key, build)
    found = rows(key, named, values, times)
    names, conversions = _shape_of(model, connection.vendor)
    return [model.from_db(connection.alias, names, _converted(row, conversions)) for row in found]


def change(
    key: Key, build: Callable[[], tuple[QuerySet[Any], Mapping[str, Any]]], values: Sequence[Any],
    times: Sequence[datetime] = (),
) -> int:  # fmt: skip
    """Run the update that ``build`` makes, (which rows, what they become), and return how many rows it changed."""

    def compiled() -> tuple[str, tuple[Any, ...]]:
        queryset, changes = build()
        # The types of Django leave out that a query may become one of another class.
        query: Any = queryset.query.chain(UpdateQuery)
        query.add_update_values(changes)
        query.clear_ordering(force=True)
        return query.get_compiler(connection=connection).as_sql()  # type: ignore[no-any-return]

    kept = _statement(key, compiled, len(values), len(times))
    with _cursor() as cursor:
        cursor.execute(kept.sql, kept.filled(values, times))
        return int(cursor.rowcount)


def insert(row: Model, *, unless_taken: bool = False) -> bool:
    """Store ``row``, whose key is made here or is not needed; its id is not read back.

    With ``unless_taken`` a row that a unique constraint refuses is left out, without an error that would end the
    transaction, and False is returned.
    """
    sql, fields = _insertion(type(row), connection.vendor, is_ignored=unless_taken)
    parameters = [field.get_db_prep_save(field.pre_save(row, add=True), connection) for field in fields]
    with _cursor() as cursor:
        cursor.execute(sql, parameters)
        is_stored = bool(cursor.rowcount == 1)
    row._state.adding, row._state.db = not is_stored, connection.alias
    return is_stored


def insert_many(rows: Sequence[Model]) -> None:
    """Store rows of one model that only this process knows; their ids are not read back.

    For hundreds of rows of numbers a step. Fields hold what their columns hold (no conversion is made but of times and of
    JSON), and dates of creation are those of this moment.
    """
    if not rows:
        return
    model = type(rows[0])
    sql, fields = _insertion(model, connection.vendor, is_ignored=False)
    plain = attrgetter(*(field.attname for field in fields))
    special = [
        (place, field) for place, field in enumerate(fields)
        if isinstance(field, DateTimeField | DateField | JSONField | UUIDField | BinaryField)
    ]  # fmt: skip
    values = []
    for row in rows:
        found = list(plain(row))
        for place, field in special:
            found[place] = field.get_db_prep_save(field.pre_save(row, add=True), connection)
        values.append(found)
    with _cursor() as cursor:
        cursor.executemany(sql, values)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _statement(key: Key, compiled: Callable[[], tuple[str, Sequence[Any]]], n_values: int, n_times: int) -> _Kept:
    name = (connection.vendor, *key)
    if name not in _kept:
        sql, parameters = compiled()
        slots = {slot: number for number, slot in enumerate(SLOTS[:n_values])}
        slots |= {str(slot): number for number, slot in enumerate(SLOTS[:n_values])}  # type: ignore[misc]
        clocks = {_time(slot): number for number, slot in enumerate(TIMES[:n_times])}
        values = [(place, slots[each]) for place, each in enumerate(parameters) if _is_plain(each) and each in slots]
        times = [(place, clocks[each]) for place, each in enumerate(parameters) if _is_plain(each) and each in clocks]
        used = {number for _, number in values}, {number for _, number in times}
        assert used == (set(range(n_values)), set(range(n_times))), f"{key}: its slots must all be parameters"
        kept = _Kept(sql, tuple(parameters), tuple(values), tuple(times))
        _kept[name] = _with_constants(kept) if connection.vendor == "postgresql" else kept
    return _kept[name]


def _with_constants(kept: _Kept) -> _Kept:
    """The same with all that is no slot written out: a plan that is kept may use an index of rows in one state only then."""
    from psycopg.sql import Literal

    slots = sorted({place for place, _ in (*kept.values, *kept.times)})
    pieces = kept.sql.split("%s")
    assert len(pieces) == len(kept.parameters) + 1, "a statement with a literal %s cannot be kept"
    connection.ensure_connection()
    written = [
        "%s" if place in slots else Literal(each).as_string(connection.connection).replace("%", "%%")
        for place, each in enumerate(kept.parameters)
    ]
    sql = pieces[0] + "".join(mark + piece for mark, piece in zip(written, pieces[1:], strict=True))
    at = {place: number for number, place in enumerate(slots)}
    return _Kept(
        sql,
        tuple(kept.parameters[place] for place in slots),
        tuple((at[place], number) for place, number in kept.values),
        tuple((at[place], number) for place, number in kept.times),
    )


def _is_plain(value: Any) -> bool:
    return isinstance(value, int | float | str | datetime)


def _time(value: datetime) -> Any:
    """A time as the database's driver takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def _cursor() -> CursorWrapper:
    """A cursor whose statements the database server keeps, where it can; counted and logged like every other."""
    if connection.vendor != "postgresql":
        return connection.cursor()
    from psycopg import Cursor

    connection.ensure_connection()
    raw: Any = connection.connection
    # Django switches this off for the sake of poolers between it and the server; ``_Kept`` statements alone use it.
    raw.prepare_threshold = 2
    made: Any = Cursor(raw)
    return connection.make_debug_cursor(made) if connection.queries_logged else connection.make_cursor(made)


_models: dict[Key, type[Model]] = {}


def _model_of(key: Key, build: Callable[[], QuerySet[M]]) -> type[M]:
    if key not in _models:
        _models[key] = build().model
    return _models[key]  # type: ignore[return-value]


@lru_cache(maxsize=64)
def _shape_of(model: type[Model], vendor: str) -> tuple[list[str], dict[int, list[Callable[..., Any]]]]:
    """The columns of a model, and by place what turns a driver's value into the field's."""
    fields = model._meta.concrete_fields
    conversions = {}
    for place, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        found = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
        if found:
            conversions[place] = [_bound(each, column) for each in found]
    return [field.attname for field in fields], conversions


def _bound(conversion: Callable[..., Any], column: Any) -> Callable[[Any], Any]:
    return lambda value: conversion(value, column, connection)


def _converted(row: tuple[Any, ...], conversions: Mapping[int, Sequence[Callable[..., Any]]]) -> Sequence[Any]:
    if not conversions:
        return row
    found = list(row)
    for place, steps in conversions.items():
        for step in steps:
            found[place] = step(found[place])
    return found


@lru_cache(maxsize=64)
def _insertion(model: type[Model], vendor: str, *, is_ignored: bool) -> tuple[str, tuple[Field[Any, Any], ...]]:
    fields = tuple(field for field in model._meta.local_concrete_fields if not isinstance(field, AutoField))
    quoted = connection.ops.quote_name
    columns, marks = ", ".join(quoted(str(field.column)) for field in fields), ", ".join(["%s"] * len(fields))
    end = " ON CONFLICT DO NOTHING" if is_ignored else ""
    return f"INSERT INTO {quoted(model._meta.db_table)} ({columns}) VALUES ({marks}){end}", fields  # noqa: S608 - names of a model only
