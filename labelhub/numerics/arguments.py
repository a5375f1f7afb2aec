"""Arguments are looked at by their annotation before anything is computed, so that wrong ones are refused by name.

``@checked`` on a public function reads its annotations once, at its first call. Array-likes (lists, tuples) become arrays where
an array is asked for; what cannot be what is asked for is a ``ValueError`` that names the argument, the value and what is
allowed, in place of an ``AttributeError`` or ``TypeError`` from inside. Not here: whether a value of the right kind makes sense
(a negative spacing, a rating outside the categories): that the functions say themselves.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import ArrayLike

P = ParamSpec("P")
R = TypeVar("R")
Check = Callable[[str, Any], Any]

_NONE = type(None)
_LIKE = frozenset(get_args(ArrayLike))
_NUMBERS = (int, float, np.integer, np.floating)
# Values of these types are what they are asked to be, whatever they hold.
_PLAIN: Mapping[Any, frozenset[type]] = {
    float: frozenset({float, int, np.float64}), int: frozenset({int, np.int64}), bool: frozenset({bool}), str: frozenset({str}),
}  # fmt: skip
MOST_SHOWN = 60


@dataclass(frozen=True, slots=True)
class _Rule:
    """How one argument is looked at. Values of exactly a ``plain`` type pass unseen; ``allowed`` says what is allowed."""

    check: Check
    allowed: str
    plain: frozenset[type] = frozenset()


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Look at the arguments of ``function`` by their annotations at each call; costs about a microsecond.

    Raises
    ------
    ValueError
        From the decorated function, where an argument cannot be what its annotation says: names argument and value.

    Examples
    --------
    >>> @checked
    ... def half(value: float) -> float:
    ...     return value / 2
    >>> half("three")
    Traceback (most recent call last):
    ValueError: value is 'three'; allowed is a number
    """
    names = tuple(inspect.signature(function).parameters)
    rules: dict[str, _Rule] = {}
    in_order: list[_Rule | None] = []

    @functools.wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> R:
        if not in_order:
            rules.update(_rules_of(function))
            in_order.extend(rules.get(name) for name in names)
        given: list[Any] = list(args)
        for place, (rule, value) in enumerate(zip(in_order, args, strict=False)):
            if rule is not None and type(value) not in rule.plain:
                given[place] = rule.check(names[place], value)
        named: dict[str, Any] = dict(kwargs)
        for name, value in kwargs.items():
            rule = rules.get(name)
            if rule is not None and type(value) not in rule.plain:
                named[name] = rule.check(name, value)
        return function(*given, **named)

    return refusing


def one_a_unit(name: str, values: ArrayLike, dtype: Any = None) -> Any:
    """The values as an array with an entry a unit; a ValueError where they are a single number, which has no length.

    Examples
    --------
    >>> one_a_unit("truth", [1, 0]).shape
    (2,)
    """
    array = np.asarray(values, dtype=dtype)
    if array.ndim == 0:
        message = f"{name} is {_shown(values)}; allowed is one entry a unit, in a list or an array"
        raise ValueError(message)
    return array


def _rules_of(function: Callable[..., Any]) -> dict[str, _Rule]:
    hints = get_type_hints(function)
    hints.pop("return", None)
    found = {name: _rule(hint) for name, hint in hints.items()}
    return {name: rule for name, rule in found.items() if rule is not None}


def _rule(hint: Any) -> _Rule | None:
    """The rule of one annotation; None where anything goes."""
    origin = get_origin(hint)
    if origin is Union or origin is types.UnionType:
        return _union_rule(get_args(hint))
    if hint in _PLAIN:
        return _scalar_rule(hint)
    if origin is Literal:
        return _literal_rule(get_args(hint))
    if origin is np.ndarray or hint is np.ndarray:
        return _array_rule(hint)
    if origin is tuple and Ellipsis not in get_args(hint):
        return _tuple_rule(get_args(hint))
    if origin in (Sequence, tuple, list, Iterable, Collection):
        return _sequence_rule(get_args(hint))
    if origin is Mapping or origin is dict:
        return _instance_rule(Mapping, "a mapping")
    if origin is Callable or hint is Callable:
        return _Rule(_refuse_unless(callable, "a function"), "a function")
    if hint is Hashable or hint is Any or isinstance(hint, TypeVar):
        return None
    if isinstance(hint, type):
        return _class_rule(hint)
    return None


def _union_rule(members: tuple[Any, ...]) -> _Rule | None:
    is_optional = _NONE in members
    rest = [member for member in members if member is not _NONE]
    rules: list[_Rule | None] = []
    if _LIKE.issubset(rest):
        rest = [member for member in rest if member not in _LIKE]
        rules.append(_like_rule())
    # What is told by its type is tried before what almost anything can be made into.
    rules = [*(_rule(member) for member in rest), *rules]
    if any(rule is None for rule in rules):
        return None
    known = [rule for rule in rules if rule is not None]
    allowed = " or ".join(dict.fromkeys(rule.allowed for rule in known)) + (" or None" if is_optional else "")

    def check(name: str, value: Any) -> Any:
        for rule in known:
            try:
                return rule.check(name, value)
            except ValueError:
                continue
        raise _refusal(name, value, allowed)

    return _Rule(check, allowed, frozenset().union(*(rule.plain for rule in known), {_NONE} if is_optional else set()))


def _scalar_rule(kind: type) -> _Rule:
    allowed = {float: "a number", int: "a whole number", bool: "True or False", str: "a text"}[kind]
    wanted: dict[type, tuple[type, ...]] = {
        float: _NUMBERS, int: (int, np.integer), bool: (bool, np.bool_), str: (str,),
    }  # fmt: skip

    def is_one(value: Any) -> bool:
        is_truth = isinstance(value, bool | np.bool_)
        return isinstance(value, wanted[kind]) and (kind is bool or not is_truth)

    return _Rule(_refuse_unless(is_one, allowed), allowed, _PLAIN[kind])


def _literal_rule(values: tuple[Any, ...]) -> _Rule:
    allowed = ", ".join(map(repr, values))

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, Hashable) or value not in values:
            message = f"{name} is {_shown(value)}; allowed are {allowed}"
            raise ValueError(message)
        return value

    return _Rule(check, allowed)


def _like_rule() -> _Rule:
    """Whatever numpy makes an array of, but nothing that is one value where many are asked for: no text, no None."""
    allowed = "an array of numbers"

    def check(name: str, value: Any) -> Any:
        if value is None or isinstance(value, str | bytes | Mapping | set | frozenset):
            raise _refusal(name, value, allowed)
        return value if isinstance(value, np.ndarray) else _as_array(name, value, allowed, None)

    return _Rule(check, allowed, frozenset({np.ndarray}))


def _array_rule(hint: Any) -> _Rule:
    """An array of the annotated kind; lists are made one. Of which kind an array is that was given is looked at inside."""
    kind = _kind_of(hint)
    allowed = {"f": "an array of numbers", "i": "an array of whole numbers", "b": "an array of True and False"}.get(
        kind, "an array"
    )

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise _refusal(name, value, allowed)
        return _as_array(name, value, allowed, np.float64 if kind == "f" else None)

    return _Rule(check, allowed, frozenset({np.ndarray}))


def _kind_of(hint: Any) -> str:
    for part in get_args(hint)[1:]:
        for scalar in get_args(part):
            if isinstance(scalar, type) and issubclass(scalar, np.generic):
                return {np.floating: "f", np.integer: "i", np.bool_: "b"}.get(
                    next((k for k in (np.floating, np.integer, np.bool_) if issubclass(scalar, k)), np.generic), ""
                )
    return ""


def _as_array(name: str, value: Any, allowed: str, dtype: Any) -> Any:
    try:
        array = np.asarray(value, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise _refusal(name, value, allowed) from error
    if array.dtype == object and not all(isinstance(entry, str | int | float | np.generic) for entry in array.flat):
        raise _refusal(name, value, allowed)
    return array


def _sequence_rule(parts: tuple[Any, ...]) -> _Rule:
    element = next((part for part in parts if part is not Ellipsis), Any)
    inner = _rule(element)
    allowed = "a sequence" + (f" of which each is {inner.allowed}" if inner is not None else "")

    def check(name: str, value: Any) -> Any:
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise _refusal(name, value, allowed)
        if isinstance(value, np.ndarray):
            if value.ndim == 0 or (value.dtype.kind in "OUS" and element in (int, float)):
                raise _refusal(name, value, allowed)
            return value
        if inner is None or not isinstance(value, Sequence):
            return value
        found = [
            part if type(part) in inner.plain else inner.check(f"{name}[{at}]", part) for at, part in enumerate(value)
        ]
        return tuple(found) if isinstance(value, tuple) else found

    return _Rule(check, allowed)


def _tuple_rule(parts: tuple[Any, ...]) -> _Rule:
    """So many things, each of its own kind."""
    rules = [_rule(part) for part in parts]
    each = ", ".join("anything" if rule is None else rule.allowed for rule in rules)
    allowed = f"a tuple of {len(parts)}: {each}"

    def check(name: str, value: Any) -> Any:
        if (
            isinstance(value, str | bytes | Mapping)
            or not isinstance(value, Sequence | np.ndarray)
            or len(value) != len(parts)
        ):
            raise _refusal(name, value, allowed)
        for at, (rule, part) in enumerate(zip(rules, value, strict=True)):
            if rule is not None and type(part) not in rule.plain:
                rule.check(f"{name}[{at}]", part)
        return value

    return _Rule(check, allowed)


def _class_rule(kind: type) -> _Rule:
    if getattr(kind, "_is_protocol", False):
        members = list(inspect.get_annotations(kind)) or [n for n in vars(kind) if not n.startswith("_")]
        allowed = (
            f"something placed, such as a {kind.__name__}Mask" if kind.__name__ == "Placed" else f"a {kind.__name__}"
        )
        return _Rule(_refuse_unless(lambda value: all(hasattr(value, name) for name in members), allowed), allowed)
    return _instance_rule(kind, f"a {kind.__name__}")


def _instance_rule(kind: type, allowed: str) -> _Rule:
    return _Rule(_refuse_unless(lambda value: isinstance(value, kind), allowed), allowed)


def _refuse_unless(is_allowed: Callable[[Any], bool], allowed: str) -> Check:
    def check(name: str, value: Any) -> Any:
        if not is_allowed(value):
            raise _refusal(name, value, allowed)
        return value

    return check


def _refusal(name: str, value: Any, allowed: str) -> ValueError:
    return ValueError(f"{name} is {_shown(value)}; allowed is {allowed}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
