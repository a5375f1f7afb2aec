"""``measure``: a set of readings in, every number that a page or a report shows out. Same input and seed, same panel.

The server and the command line both come here, the one with stored annotations turned into plain shapes, the other
with a file's, so that a number means the same in both. Not here: routing of single items by policy, and consensus.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from labelhub.formats.shapes import AnnotationSet
from labelhub.scoring.extents import Reach
from labelhub.scoring.gather import Gathered, gather
from labelhub.scoring.gather_objects import Objects, gather_objects
from labelhub.scoring.item_objects import Matching
from labelhub.scoring.panel_alarms import alarm_rows
from labelhub.scoring.panel_copies import copy_rows
from labelhub.scoring.panel_gold import against_gold
from labelhub.scoring.panel_items import item_rows
from labelhub.scoring.panel_labelers import labeler_rows, pair_rows
from labelhub.scoring.panel_objects import class_row, detection_row, object_scores, overlap_row
from labelhub.scoring.panel_questions import all_ratings, question_row
from labelhub.scoring.panel_rows import Bench, ObjectScore, Panel, Settings, Source
from labelhub.scoring.panel_shapes import shape_rows
from labelhub.scoring.panel_truth import truth_rows
from labelhub.scoring.panel_verdict import cautions, planning_of, verdict, work_rows
from labelhub.scoring.panel_versions import with_versions
from labelhub.scoring.remembered import Memory

# Thresholds at which detection is looked at again, to see whether it hangs on the one chosen.
SWEEP = (0.1, 0.3, 0.5, 0.7)


def measure(
    annotation_set: AnnotationSet,
    *,
    gold: AnnotationSet | None = None,
    rng_seed: int = 1,
    match_iou: float = 0.3,
    tolerance: Reach | None = None,
    n_resamples: int = 2000,
    min_items: int = 20, min_gold: int = 20, gold_target: float = 0.8,
    memory: Memory | None = None, lists_scores: bool = True,
) -> Panel:  # fmt: skip
    """Every number about a set of readings, with its interval, and every item with what to do about it.

    ``match_iou`` is the overlap from which two readers' shapes are one object, ``tolerance`` the reach within which two
    marks without area are. Numbers on fewer than ``min_items`` units (``min_gold`` against gold) are marked grey.
    ``gold_target`` is the accuracy below which a reader is pointed at. With a ``memory`` what was found of the same readings
    before is not computed again; the panel is the same. Without ``lists_scores`` it leaves out the table of all comparisons
    of outlines, which is as long as the set.
    """
    reach, least = tolerance or Reach(), (min_items, min_gold, gold_target)
    matching, gathered = Matching(match_iou, reach, SWEEP), gather(annotation_set)
    bench = Bench(gathered, Settings(rng_seed, match_iou, reach.px, reach.mm, n_resamples, *least), memory or Memory())
    objects = gather_objects(gathered, matching, bench.memory)
    asked = all_ratings(gathered, objects)
    detection = tuple(detection_row(bench, row) for row in objects.by_label.values())
    overlap = tuple(overlap_row(bench, row) for row in objects.by_label.values() if row.has_area)
    questions = tuple(question_row(bench, question) for question in asked)
    against = against_gold(bench, gold, matching) if gold is not None else None
    items = item_rows(bench, objects, asked)
    copies = copy_rows(gathered, bench.memory)
    planning = planning_of(gathered, questions)
    disputed = [row for row in items if row.n_readers >= 2 and row.disagreement > 0]
    labelers = labeler_rows(bench, objects, asked, against)
    alarms = alarm_rows(labelers, gold_target)
    everyone = against.everyone if against is not None else None
    panel = Panel(
        source=_source(annotation_set, gathered),
        settings=bench.settings,
        verdict=verdict(gathered, detection, overlap, questions, everyone, disputed, planning, alarms, copies),
        cautions=cautions(gathered, copies),
        detection=detection,
        overlap=overlap,
        classes=class_row(bench, objects.mixed) if objects.mixed is not None else None,
        questions=questions,
        pairs=(*pair_rows(bench, objects, asked, items), *(against.better if against is not None else ())),
        labelers=labelers,
        gold=everyone,
        items=items,
        worklist=work_rows(gathered, items),
        copies=copies,
        planning=planning,
        alarms=alarms,
        shapes=shape_rows(bench, objects),
        truth=truth_rows(bench, objects, asked, gold),
        object_scores=_all_scores(bench, objects) if lists_scores else (),
    )
    return with_versions(panel, gathered)


def _all_scores(bench: Bench, objects: Objects) -> tuple[ObjectScore, ...]:
    return tuple(score for row in objects.by_label.values() for score in object_scores(bench, row))


def _source(annotation_set: AnnotationSet, gathered: Gathered) -> Source:
    readers = Counter(len(raters) for raters in gathered.by_item.values())
    return Source(
        format=annotation_set.format,
        unit=gathered.unit,
        group_unit=gathered.group_unit,
        n_items=len(gathered.items),
        n_items_in_source=gathered.n_items_in_source,
        n_groups=len(np.unique(gathered.groups)),
        n_readings=gathered.n_readings,
        n_items_read_twice=len(gathered.items_read_twice),
        readers_per_item=tuple(sorted(readers.items())),
        kind=gathered.kind,
        is_independent=gathered.is_independent,
        are_raters_known=gathered.are_raters_known,
        raters=gathered.raters,
        tallies=gathered.tallies,
        empty_rule=annotation_set.empty_rule,
        notes=annotation_set.notes,
        problems=tuple((problem.place, problem.message, problem.remedy) for problem in annotation_set.problems),
        losses=tuple((loss.what, loss.count, loss.why) for loss in annotation_set.losses),
    )
