"""A panel made with what was found before equals one made from nothing, after every change there is, to the last digit.

Each test plays changes and compares whole panels; a part that is remembered under too little of what it rests on shows here.
Tried with planted defects: findings of an item kept without the columns of its readers; a comparison with gold kept
without the gold; objects of an item kept without the labels; an item's row kept for the same readers in other columns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from labelhub.analytics import services
from labelhub.analytics.panel_store import to_bytes
from labelhub.assignments.models import Assignment
from labelhub.catalog.models import Item
from labelhub.formats.shapes import AnnotationSet, MaskRegion, QuestionSpec, Reading, Region, Shape
from labelhub.projects.policy import Policy
from labelhub.scoring.item_objects import Matching
from labelhub.scoring.panel import measure
from labelhub.scoring.panel_rows import Panel
from labelhub.scoring.remembered import Memory
from labelhub.workflow import lifecycle
from labelhub.workflow.errors import StepRefused
from tests.analyze.making import GRID, make_set
from tests.cast import Cast, make_cast
from tests.workflow.walking import UNPLACED, add_item, draw, new_annotator, next_for, store, submit

QUESTIONS = (
    QuestionSpec("kind", "nominal", ("a", "b", "c")),
    QuestionSpec("size", "ratio"),
    QuestionSpec("edge", "ordinal", ("blurred", "fair", "sharp"), on_shapes=True),
)
RATERS = ("ann", "ben", "cyd", "dan")


def same(first: Panel, second: Panel) -> bool:
    """Whether every number, interval, item and sentence of two panels is the same; object scores are compared beside."""
    return to_bytes(first) == to_bytes(second) and repr(first.object_scores) == repr(second.object_scores)


def a_shape(rng: np.random.Generator, label: str, name: str) -> Shape:
    x, y = rng.integers(10, 150, 2) // 20 * 20 + rng.integers(0, 4, 2)
    side = 20 + int(rng.integers(0, 4))
    if label == "organ":
        return Shape(name, label, mask=MaskRegion(np.ones((1, side, side), dtype=np.bool_), (0, int(y), int(x))))
    corners = np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x - 2, y + 9], [x - 1, y + 3.0]])
    edge = str(rng.choice(["blurred", "fair", "sharp"]))
    return Shape(name, label, (Region("polygon", corners.astype(np.float64)),), attributes={"edge": edge})


def a_reading(rng: np.random.Generator, item: str, rater: str, labels: tuple[str, ...]) -> Reading:
    shapes = [a_shape(rng, "cell", f"{rater}-{n}") for n in range(int(rng.integers(0, 4)))]
    shapes += [a_shape(rng, label, f"{rater}-{label}") for label in labels if rng.random() < 0.7]
    answers = {"kind": str(rng.choice(["a", "b", "c"])), "size": float(rng.integers(1, 20))}
    return Reading(
        item,
        rater,
        tuple(shapes),
        answers=answers,
        is_empty_read=not shapes,
        read_kind="independent",
        planned_blind=True,
    )


def changed(
    rng: np.random.Generator, readings: list[Reading], step: int
) -> tuple[list[Reading], list[Reading] | None, tuple[str, ...]]:
    """Add a reading, drop an item or a reader, bring a label in, or change who is called what."""
    labels = ("organ",) if step < 6 else ("organ", "scar")
    kept = list(readings)
    what = rng.integers(0, 6)
    if what == 0 and len(kept) > 12:
        gone = kept[int(rng.integers(len(kept)))].item
        kept = [entry for entry in kept if entry.item != gone]
    if what == 1 and step > 4:
        kept = [replace(entry, rater="abe") if entry.rater == "ann" else entry for entry in kept]
    for _ in range(4):
        item, rater = f"i{int(rng.integers(9))}", str(rng.choice(RATERS))
        if not any((entry.item, entry.rater) == (item, rater) for entry in kept):
            kept.append(a_reading(rng, item, rater, labels))
    gold = [a_reading(rng, f"i{n}", "gold", labels) for n in range(3)] if what >= 3 else None
    return kept, gold, labels


def set_of(readings: list[Reading], records: dict[str, object]) -> AnnotationSet:
    """The set with the same record of an item each time, as the server has it."""
    made = make_set(readings, questions=QUESTIONS, groups={f"i{n}": f"p{n // 2}" for n in range(9)}, grid=GRID)
    items = tuple(records.setdefault(record.key, record) for record in made.items)
    return replace(made, items=items)


@pytest.mark.parametrize("seed", range(2))
def test_a_remembered_panel_equals_a_fresh_one_after_any_change(seed: int) -> None:
    rng, memory = np.random.default_rng(seed), Memory()
    readings: list[Reading] = []
    records: dict[str, object] = {}
    gold: list[Reading] | None = None
    for step in range(11):
        readings, newer, _ = changed(rng, readings, step)
        gold = newer if newer is not None else gold
        given = None if gold is None else set_of(gold, {})
        rules = {"match_iou": 0.3 if step < 9 else 0.6, "n_resamples": 40}
        fresh = measure(set_of(readings, records), gold=given, **rules)
        again = measure(set_of(readings, records), gold=given, memory=memory, **rules)
        memory.forget_unused()
        assert same(fresh, again), f"seed {seed}, step {step}"


def test_a_reader_who_comes_before_all_others_changes_no_digit_of_what_is_remembered() -> None:
    """A row of many columns is added up in an order that hangs on where its readers stand, which the new one moves."""
    rng, memory = np.random.default_rng(3), Memory()
    records: dict[str, object] = {}
    raters = [f"r{number:02d}" for number in range(24)]
    readings = [
        a_reading(rng, f"i{item}", rater, ("organ",))
        for item in range(9)
        for rater in rng.choice(raters, 9, replace=False).tolist()
    ]
    measure(set_of(readings, records), memory=memory, n_resamples=40)
    memory.forget_unused()
    for newcomer in ("a", "b", "c"):
        readings.append(a_reading(rng, "i0", newcomer, ("organ",)))
        again = measure(set_of(readings, records), memory=memory, n_resamples=40)
        assert same(measure(set_of(readings, records), n_resamples=40), again), newcomer


def test_what_did_not_change_is_not_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a memory that never remembers: every panel would be right and as slow as the first."""
    from labelhub.scoring import gather_objects

    rng, memory = np.random.default_rng(1), Memory()
    records: dict[str, object] = {}
    readings = [a_reading(rng, f"i{n}", rater, ("organ",)) for n in range(9) for rater in RATERS[:2]]
    measure(set_of(readings, records), memory=memory, n_resamples=40)
    memory.forget_unused()
    seen: list[int] = []
    matched = gather_objects.objects_of_item

    def counted(*args, **kwargs):
        seen.append(len(args[0]))
        return matched(*args, **kwargs)

    monkeypatch.setattr(gather_objects, "objects_of_item", counted)
    readings.append(a_reading(rng, "i4", "cyd", ("organ",)))
    measure(set_of(readings, records), memory=memory, n_resamples=40)
    assert seen == [3], "the item with a further reading, and no other"


def test_a_memory_is_no_larger_than_what_was_used_last() -> None:
    memory, first, second = Memory(), object(), object()
    memory.part("x", [first], None, lambda: 1)
    memory.forget_unused()
    memory.part("x", [second], None, lambda: 2)
    memory.forget_unused()
    assert memory.part("x", [second], None, lambda: 3) == 2
    assert memory.part("x", [first], None, lambda: 4) == 4, "it was not used for a whole round"
    assert memory.part("x", [second], Matching(), lambda: 5) == 5, "other rules are another part"


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
def test_a_project_measured_step_by_step_equals_one_measured_whole(seed: int) -> None:
    """Random submissions, recalls, gold made and dropped, and exclusions, measured after each by the same process."""
    rng = np.random.default_rng(seed)
    cast = make_cast(policy=Policy(readers=3, max_readers=5, **UNPLACED))
    people = [cast.ann, cast.ben, new_annotator(cast, "Cleo"), new_annotator(cast, "Dov")]
    items = [add_item(cast.project, subject=f"p{n // 2}", seed=n) for n in range(8)]
    for step in range(20):
        played(cast, people, items, rng)
        stepwise = services.measure_project(cast.project)
        kept = services._kept.pop(cast.project.pk)
        whole = services.measure_project(cast.project)
        services._kept[cast.project.pk] = kept
        assert same(stepwise, whole), f"step {step}"
    assert len(whole.items) >= 3, "enough happened to compare"


def played(cast: Cast, people: list, items: list[Item], rng: np.random.Generator) -> None:
    what, user = rng.random(), people[int(rng.integers(len(people)))]
    item = Item.objects.get(pk=items[int(rng.integers(len(items)))].pk)
    if what < 0.75:
        assignment = next_for(cast, user)
        if assignment is not None:
            if rng.random() < 0.8:
                draw(assignment, user, (10.0 + rng.integers(3), 10.0, 20.0))
                submit(assignment, user)
            else:
                submit(assignment, user, no_finding=True)
    elif what < 0.87:
        done = Assignment.objects.filter(labeler__user=user, state="submitted").order_by("pk").last()
        if done is not None:
            try:
                lifecycle.recall(assignment=done, by=user)
            except StepRefused:
                return
    elif what < 0.94 and item.state != Item.State.EXCLUDED:
        store(cast, item, cast.rita, (11.0, 10.0, 20.0), is_gold=True)
    elif item.state != Item.State.EXCLUDED:
        lifecycle.exclude(item=item, by=cast.ada, reason="Out of focus.")
