"""S6: what no page sends is sent to a working copy that others draw in too: numbers that are none, shapes that are none, texts,
depths and counts of any size, in every field of every kind of operation.

Each is refused with a code and a sentence, or stored in a form that every reader can use; nothing raises, and what colleagues
send in the same moment is stored. The judgement of what is stored is of its own: it does not ask the code that let it in.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
from shapely.geometry import LinearRing, Polygon

from labelhub.annotations import documents, history, log
from labelhub.annotations.models import Document, Operation
from labelhub.config.soak.coedits import shared_work
from labelhub.config.soak.judging import SIDE
from labelhub.config.soak.report import Progress, Trial, silent
from labelhub.config.soak.world import SoakWorld, make_world

A_GROUP, A_DOCUMENT = 100, 2_000


def try_hostile(*, n: int, seed: int, progress: Progress = silent) -> Trial:
    """Send ``n`` hostile operations, in groups with one good one by a colleague."""
    trial = Trial("hostile operations raise nothing, store nothing invalid, and hold up nobody", seed)
    world = make_world(n_annotators=2, readers=1, max_readers=1, use_model=False, with_brush=True, with_questions=True)
    codes: dict[str, int] = {}
    document: Document | None = None
    with trial.while_there_is_time():
        for number in range(-(-n // A_GROUP)):
            rng = np.random.default_rng([seed, number])
            if document is None or number % (A_DOCUMENT // A_GROUP) == 0:
                judge_stored(trial, document)
                document = _begun(world, rng)
            _send_group(trial, world, document, rng, min(A_GROUP, n - trial.n), codes)
            trial.n = min(n, trial.n + A_GROUP)
            progress(trial.n, n)
    judge_stored(trial, document)
    trial.facts |= {f"“{code}”": count for code, count in sorted(codes.items())}
    return trial


def _begun(world: SoakWorld, rng: np.random.Generator) -> Document:
    """Return a new shared document with a shape and a stroke in it."""
    document = documents.document_of(assignment=shared_work(world, rng))
    first = [_operation(kind, payload, place + 1) for place, (kind, payload) in enumerate(_plain(rng)[:2])]
    log.append_operations(document=document, author=world.annotators[0], client_id=uuid.uuid4(), operations=first)
    return document


def _send_group(
    trial: Trial, world: SoakWorld, document: Document, rng: np.random.Generator, count: int, codes: dict[str, int]
) -> None:
    hostile = [hostile_operation(rng) for _ in range(count)]
    sendings = [log.Sending(world.annotators[1], uuid.uuid4(), [one]) for one in hostile]
    good = _operation("shape.add", _plain(rng)[0][1] | {"shape_id": uuid.uuid4().hex})
    sendings.insert(int(rng.integers(count + 1)), log.Sending(world.annotators[0], uuid.uuid4(), [good]))
    try:
        answers = log.append_together(document=document, sendings=sendings)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what must not happen
        trial.check(
            holds=False, otherwise=f"try {trial.n}: the server failed with {type(error).__name__}: {str(error)[:200]}"
        )
        return
    for sending, answer in zip(sendings, answers, strict=True):
        refused = answer.refused if isinstance(answer, log.Acknowledged) else answer
        if sending.operations[0] is good:
            trial.check(refused is None, f"try {trial.n}: a colleague's shape was not stored")
            continue
        code = "stored" if refused is None else str(getattr(refused, "code", ""))
        sentence = "." if refused is None else str(getattr(refused, "sentence", refused))
        codes[code] = codes.get(code, 0) + 1
        is_told = bool(code) and sentence.endswith(".") and len(sentence) < 600
        trial.check(is_told, f"try {trial.n}: {code!r} was told as {sentence[:80]!r}")


def judge_stored(trial: Trial, document: Document | None) -> None:
    """Hold every row of a document against what a row may be."""
    if document is None:
        return
    rows = list(Operation.objects.filter(document=document).order_by("seq"))
    trial.check([row.seq for row in rows] == list(range(1, len(rows) + 1)), "the log has a gap")
    for row in rows:
        why = invalid(row.payload)
        trial.check(not why, f"row {row.seq} of {document.pk} ({row.kind}) is invalid: {why}")
    try:
        history.state_of(Document.objects.get(pk=document.pk))
    except Exception as error:  # noqa: BLE001 - as above
        trial.check(holds=False, otherwise=f"the document {document.pk} cannot be read: {type(error).__name__}")


def invalid(payload: Any) -> str:
    """Return why a stored payload cannot be; empty where it can."""
    try:
        text = orjson.dumps(payload)
    except (TypeError, ValueError) as error:
        return str(error)
    if b"\\u0000" in text or len(text) > 2_000_000:
        return "a null character, or too large"
    for region in payload.get("regions", ()):
        points = np.asarray(region["points"], dtype=np.float64)
        if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
            return "points are no points"
        if points.min() < 0 or points.max() > SIDE or len(points) > 20_000:
            return "points lie outside"
        if region["kind"] == "polygon" and not (Polygon(points).area > 0 and LinearRing(points).is_simple):
            return "an outline crosses itself or has no area"
    strokes = payload.get("points", [])
    if strokes and (min(strokes) < 0 or max(strokes) > 4 * SIDE or len(strokes) % 2 or not 0 <= payload["index"] < 1):
        return "a stroke lies outside"
    return ""


def _plain(rng: np.random.Generator) -> list[tuple[str, dict[str, Any]]]:
    """One sound operation of each kind."""
    x, y = (int(value) for value in rng.integers(0, SIDE - 8, 2))
    regions = [{"kind": "polygon", "points": [[x, y], [x + 8, y], [x + 8, y + 8], [x, y + 8]]}]
    mark = {"medium": 0, "label": "area", "mode": "add"}
    dab = {**mark, "plane": "axial", "index": 0, "tip": "round", "radius": 8, "points": [40, 40, 80, 80]}
    return [
        ("shape.add", {"shape_id": "first", "medium": 0, "label": "nucleus", "regions": regions, "attributes": {}}),
        ("stroke.add", {"stroke_id": "first", **dab}),
        ("shape.geometry", {"shape_id": "first", "base_version": 1, "regions": regions}),
        ("shape.label", {"shape_id": "first", "label": "nucleus"}),
        ("shape.attribute", {"shape_id": "first", "attribute": "grade", "value": "low"}),
        ("shape.attribute", {"layer": {"medium": 0, "label": "area"}, "attribute": "note", "value": "soft"}),
        ("shape.delete", {"shape_id": "first"}),
        ("shape.restore", {"shape_id": "first"}),
        ("patch.add", {"stroke_id": "patch", **mark, "mask": "0" * 64, "origin": [0, 0, 0]}),
        ("stroke.undo", {"stroke_id": "first"}),
        ("stroke.redo", {"stroke_id": "first"}),
        ("answer.set", {"question": "note", "value": "a text"}),
        ("answer.set", {"question": "count", "value": 4}),
        ("answer.set", {"question": "seen", "value": ["a", "b"]}),
    ]  # fmt: skip


def _operation(kind: str, payload: Any, number: int = 1) -> dict[str, Any]:
    return {"op_id": str(uuid.uuid4()), "client_seq": number, "kind": kind, "payload": payload}


def hostile_operation(rng: np.random.Generator) -> Any:
    """Return a sound operation with one to three things in it replaced by what should never come; seldom, something else."""
    if rng.random() < 0.03:
        return _value(rng)
    plain = _plain(rng)
    kind, payload = plain[int(rng.integers(len(plain)))]
    for name in ("shape_id", "stroke_id"):
        if kind.endswith(".add") and name in payload:
            payload[name] = uuid.UUID(bytes=rng.bytes(16)).hex
    operation = _operation(kind, payload)
    if "regions" in payload and rng.random() < 0.5:
        payload["regions"] = _regions(rng)
        return operation
    for _ in range(int(rng.integers(1, 4))):
        # Mostly within the payload: an envelope that cannot be read hides what is in it.
        _spoil(operation if rng.random() < 0.15 else payload, rng)
    return operation


def _spoil(within: Any, rng: np.random.Generator) -> None:
    """Replace something at a random depth."""
    while True:
        if isinstance(within, dict):
            places: list[Any] = [*within, "extra", "author"]
        elif isinstance(within, list) and within and len(within) < 1000:
            places = list(range(len(within)))
        else:
            return
        place = places[int(rng.integers(len(places)))]
        inner = within.get(place) if isinstance(within, dict) else within[place]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.6:
            within = inner
            continue
        within[place] = _value(rng)
        return


def _nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


# Made once: each is as large as what they stand for.
_MANY: dict[str, Any] = {}


def _many(name: str, make: Callable[[], Any]) -> Any:
    if name not in _MANY:
        _MANY[name] = make()
    return _MANY[name]


_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, -0.0, 5e-324, 1e308, math.nan, math.inf, -math.inf, 2**31, 2**53, 2**63, -(2**63), 2**64,
    10**400, 10**5000, "", " ", "\x00", "a\x00b", "\ud800", "a\udfff", "🩻" * 30, "first", "nucleus", "area",
    "../../etc/passwd",     "<script>alert(1)</script>", "'; DROP TABLE x; --", "%s%n{0}", "NaN", "1", "\u202e", "__proto__",
    "x" * 65, [], {}, [[]],
    [{}],     {"": ""}, {"\x00": 1}, {"a": {"b": [None]}}, [None], [math.nan], [1, 2, 3], ["a", "a"], [[1, 1], [2, 2], [1, 2]],
    b"bytes", object(), {1, 2}, (1, 2),
)  # fmt: skip


def _value(rng: np.random.Generator) -> Any:
    draw = rng.random()
    if draw < 0.01:
        return _many("deep", lambda: _nested(100_000))
    if draw < 0.02:
        return _many("vertices", lambda: [[1, 1]] * 10_000_000)
    if draw < 0.03:
        return _many("text", lambda: "x" * 10_000_000)
    if draw < 0.04:
        return _many("thousand deep", lambda: _nested(1_000))
    if draw < 0.05:
        return {f"k{place}": place for place in range(1000)}
    if draw < 0.06:
        return ["a"] * 1000
    value = _VALUES[int(rng.integers(len(_VALUES)))]
    return list(value) if type(value) is list else dict(value) if type(value) is dict else value


def _regions(rng: np.random.Generator) -> Any:
    """Outlines that a score could not use, and some that it can."""
    x, y = (float(value) for value in rng.random(2) * (SIDE - 10))
    kind = str(rng.choice(["polygon", "polygon", "polygon", "box", "ellipse", "polyline", "points", "cube"]))
    shapes: list[Any] = [
        [[x, y], [x + 9, y + 9], [x + 9, y], [x, y + 9]],
        [[x, y], [x + 5, y + 5], [x + 9, y + 9]],
        [[x, y]] * 5,
        [[x, y], [x, y]],
        [[x, y], [x + 1e-9, y], [x, y + 1e-9]],
        [[x - 100, y], [x + 9, y], [x + 9, y + 9]],
        [[x, y], [x + 1e6, y], [x + 9, y + 9]],
        [[x, y], [math.nan, y], [x + 9, y + 9]],
        [[x, y], [x, math.inf], [x + 9, y + 9]],
        [[x, y], [x + 9, y], [x + 9, y + 9], [x, y]],
        [[x, y], [x + 9, y], [x + 9, y], [x + 9, y + 9]],
        [[x, y], [x + 9, y], [x + 4, y], [x + 4, y + 9]],
        [[x, y], [x + 9, y], [x + 9, y + 9, 1]],
        [[str(x), y], [x + 9, y], [x + 9, y + 9]],
        rng.normal(SIDE / 2, SIDE / 4, (int(rng.integers(3, 40)), 2)).tolist(),
        _many("vertices", lambda: [[1, 1]] * 10_000_000),
        [[0, 0], [SIDE, 0], [SIDE, SIDE], [0, SIDE]],
    ]
    region = {"kind": kind, "points": shapes[int(rng.integers(len(shapes)))]}
    if rng.random() < 0.3:
        region[str(rng.choice(["z", "is_hole", "rotation_deg", "visibility", "edge_excluded", "kind"]))] = _value(rng)
    return [region] * (3000 if rng.random() < 0.01 else int(rng.integers(1, 4)))
