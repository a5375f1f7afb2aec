"""Submit → scored → routed, end to end: python -m tests.benchmarks.bench_submit [--rounds N] [--profile polygons|volume].

Polygons: items of 50 shapes, 5 readers, all planned; the time is that of ``lifecycle.submit`` of each reader's working copy
(drawn beforehand), median over all submissions, and over the fifth, which is compared with four others. Volume: a
multi-label mask (3 labels) of 256 x 256 x 160 voxels, 3 readers. On a data base of its own, thrown away at the end, or on
the one that DATABASE_URL names through Django's test data base.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import statistics
import time
import uuid
from typing import Any

import tests.early_environment  # noqa: F401  (before Django's settings)

POLYGONS, READERS, VOLUME = 50, 5, (160, 256, 256)
# Seconds on the clock, and seconds in which this process computed: on a busy machine the first are longer.
STRUCTURES = (
    ("bone", (80, 128, 90), (60, 70, 60)),
    ("cartilage", (80, 128, 190), (50, 60, 25)),
    ("lesion", (40, 40, 40), (12, 15, 15)),
)
Timed = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--profile", choices=["polygons", "volume"])
    options = parser.parse_args()
    import django

    django.setup()
    from django.db import connection

    name = connection.creation.create_test_db(verbosity=0)
    try:
        print(
            "| work | rounds | median of all | median of the last reader | slowest | computing, all | computing, last |"
        )
        print("|---|---|---|---|---|---|---|")
        for work, run in (("polygons", _polygons), ("volume", _volume)):
            if options.profile not in (None, work):
                continue
            run(1, None)
            profile = cProfile.Profile() if options.profile else None
            times = run(options.rounds, profile)
            (clock, busy), (last, last_busy) = (
                zip(*rows, strict=True) for rows in ([one for row in times for one in row], [row[-1] for row in times])
            )
            numbers = [
                statistics.median(clock), statistics.median(last), max(clock), statistics.median(busy),
                statistics.median(last_busy),
            ]  # fmt: skip
            print(f"| {work} | {len(times)} | " + " | ".join(f"{value * 1e3:.0f} ms" for value in numbers) + " |")
            if profile is not None:
                pstats.Stats(profile).sort_stats("cumulative").print_stats(70)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def _cast(readers: int) -> Any:
    from labelhub.projects.policy import Policy
    from tests.cast import make_cast
    from tests.workflow.walking import new_annotator

    tag = uuid.uuid4().hex[:6]
    cast = make_cast(
        policy=Policy(readers=readers, max_readers=readers, gold_share=0.0, gold_share_undecided=0.0), tag=tag
    )
    people = [cast.ann, cast.ben] + [new_annotator(cast, f"R{number}{tag}") for number in range(readers - 2)]
    return cast, people


def _timed_submit(cast: Any, user: Any, assignment: Any, profile: cProfile.Profile | None) -> Timed:
    from labelhub.workflow import lifecycle

    if profile is not None:
        profile.enable()
    begun, busy = time.perf_counter(), time.process_time()
    lifecycle.submit(assignment=assignment, by=user, request_id=uuid.uuid4())
    took = time.perf_counter() - begun, time.process_time() - busy
    if profile is not None:
        profile.disable()
    return took


def _polygons(rounds: int, profile: cProfile.Profile | None) -> list[list[Timed]]:
    """Fifty ten-sided outlines in a picture of 1,000 x 1,000, each reader's a little off."""
    import numpy as np

    from labelhub.annotations import documents, log
    from labelhub.catalog.services import ItemIdentity, add_photograph
    from tests.workflow.walking import take

    cast, people = _cast(READERS)
    rng = np.random.default_rng(0)
    times: list[list[Timed]] = []
    for number in range(rounds):
        add_photograph(
            project=cast.project, pixels=np.zeros((1000, 1000), np.uint8), identity=ItemIdentity(subject=None),
            source_id=f"photo-{number}",
        )  # fmt: skip
        centres = np.stack(np.meshgrid(np.arange(10), np.arange(5)), axis=-1).reshape(-1, 2) * [95, 190] + [60, 90]
        row: list[Timed] = []
        for user in people:
            assignment = take(cast, user)
            document = documents.document_of(assignment=assignment)
            operations = []
            for place, centre in enumerate(centres, start=1):
                angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
                radius = 30 + rng.normal(0, 1.0, 10)
                ring = centre + np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
                operations.append({
                    "op_id": str(uuid.uuid4()), "client_seq": place, "kind": "shape.add",
                    "payload": {"shape_id": str(uuid.uuid4()), "medium": 0, "label": "nucleus",
                                "regions": [{"kind": "polygon", "points": ring.round(1).tolist()}]},
                })  # fmt: skip
            done = log.append_operations(document=document, author=user, client_id=uuid.uuid4(), operations=operations)
            assert done.refused is None, done.refused
            row.append(_timed_submit(cast, user, assignment, profile))
        times.append(row)
    return times


def _volume(rounds: int, profile: cProfile.Profile | None) -> list[list[Timed]]:
    """Three nested or neighbouring ellipsoids as patches of a volume."""
    import numpy as np

    from labelhub.annotations import documents, log
    from labelhub.catalog.services import ItemIdentity, add_volume
    from labelhub.formats.shapes import Grid
    from tests.workflow.walking import take

    ontology = {
        "classes": [
            {"key": key, "name": key, "colour": "#e4572e", "tool": "brush", "shortcut": str(n)}
            for n, key in enumerate(("bone", "cartilage", "lesion"), start=1)
        ],
        "questions": [],
    }
    cast, people = _volume_cast(ontology)
    rng = np.random.default_rng(0)
    z, y, x = np.ogrid[: VOLUME[0], : VOLUME[1], : VOLUME[2]]
    times: list[list[Timed]] = []
    for number in range(rounds):
        grid = Grid(size=VOLUME, spacing_mm=(1.0, 0.6, 0.6))
        add_volume(
            project=cast.project, pixels=np.zeros(VOLUME, np.int16), grid=grid, identity=ItemIdentity(subject=None),
            source_id=f"volume-{number}",
        )  # fmt: skip
        row: list[Timed] = []
        for user in people:
            assignment = take(cast, user)
            document = documents.document_of(assignment=assignment)
            operations = []
            for place, (label, centre, radius) in enumerate(STRUCTURES, start=1):
                at = np.add(centre, rng.normal(0, 0.7, 3))
                r = np.multiply(radius, 1 + rng.normal(0, 0.01, 3))
                mask = ((z - at[0]) / r[0]) ** 2 + ((y - at[1]) / r[1]) ** 2 + ((x - at[2]) / r[2]) ** 2 <= 1
                spans = [np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
                cut = mask[tuple(slice(span[0], span[-1] + 1) for span in spans)]
                blob = documents.store_mask(document=document, author=user, mask=np.ascontiguousarray(cut))
                operations.append({
                    "op_id": str(uuid.uuid4()), "client_seq": place, "kind": "patch.add",
                    "payload": {"stroke_id": f"p{place}", "medium": 0, "label": label, "mode": "add", "mask": blob.pk,
                                "origin": [int(span[0]) for span in spans], "size": list(cut.shape)},
                })  # fmt: skip
            done = log.append_operations(document=document, author=user, client_id=uuid.uuid4(), operations=operations)
            assert done.refused is None, done.refused
            row.append(_timed_submit(cast, user, assignment, profile))
        times.append(row)
    return times


def _volume_cast(ontology: dict[str, Any]) -> Any:
    from labelhub.projects.policy import Policy
    from tests.cast import make_cast
    from tests.workflow.walking import new_annotator

    tag = uuid.uuid4().hex[:6]
    policy = Policy(readers=3, max_readers=3, gold_share=0.0, gold_share_undecided=0.0)
    cast = make_cast(policy=policy, ontology=ontology, tag=tag)
    return cast, [cast.ann, cast.ben, new_annotator(cast, f"R{tag}")]


if __name__ == "__main__":
    main()
