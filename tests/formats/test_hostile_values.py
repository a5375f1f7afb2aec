"""Values of the wrong kind anywhere in a file: every reader reads, lists or refuses, and what it reads can be
written.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from labelhub.formats.coco import read_coco
from labelhub.formats.coco_writing import write_coco
from labelhub.formats.cvat import read_cvat
from labelhub.formats.cvat_writing import write_cvat
from labelhub.formats.label_studio import read_label_studio
from labelhub.formats.label_studio_writing import write_label_studio
from labelhub.formats.nifti_labels import decode_nifti, nifti_bytes
from labelhub.formats.shapes import (
    AnnotationSet,
    FormatError,
    Grid,
    ItemRecord,
    MaskRegion,
    QuestionSpec,
    Reading,
    Region,
    Shape,
)

STRANGE: tuple[object, ...] = (
    None,
    True,
    -1,
    10**30,
    -1e300,
    "",
    "nan",
    [],
    {},
    [[1]],
    {"a": 1},
    [None],
    "a" * 20_000,
    {"item": 3},
)


def rich_set() -> AnnotationSet:
    square = np.array([[0, 0], [6, 0], [6, 6], [0, 6]], dtype=np.float64)
    shapes = (
        Shape("1", "a", (Region("polygon", square),), attributes={"n": 1, "s": "x", "t": ("u", "v")}),
        Shape("2", "a", (Region("box", square[[0, 2]], rotation_deg=10.0),)),
        Shape("3", "b", (Region("points", square, visibility=(2, 2, 1, 0)),)),
        Shape("4", "b", mask=MaskRegion(np.ones((1, 2, 2), dtype=bool), (0, 3, 3))),
    )
    readings = (
        Reading("i", "ann", shapes, {"q": "yes"}, read_kind="independent", asked_labels=("a", "b")),
        Reading("j", "ann", is_empty_read=True),
    )
    items = tuple(ItemRecord(key, key, "p", "patient", (Grid((1, 10, 12)),)) for key in ("i", "j"))
    return AnnotationSet(
        "made", items, readings, labels=("a", "b"), questions=(QuestionSpec("q", "nominal", ("yes",)),)
    )


def places(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        yield from places(child, (*path, key))


def replaced(root, path, value):
    copy = json.loads(json.dumps(root))
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = value
    return copy


@pytest.mark.parametrize(
    ("read", "write"), [(read_coco, write_coco), (read_label_studio, write_label_studio)], ids=["coco", "label-studio"]
)
def test_any_value_in_any_place_is_read_listed_or_refused(read, write):
    root = json.loads(write(rich_set()).content)
    read_at_all = 0
    for path in list(places(root))[1:]:
        for strange in STRANGE:
            try:
                got = read({"x.json": json.dumps(replaced(root, path, strange)).encode()})
            except FormatError:
                continue
            if all(grid.size[1] * grid.size[2] < 10_000 for item in got.items for grid in item.grids):
                write(got)
                read_at_all += 1
    assert read_at_all > 100


def test_any_attribute_of_cvat_may_be_strange():
    (name, data), *_ = write_cvat(rich_set()).files.items()
    pieces = data.decode().split('"')
    for place in range(1, len(pieces), 2):
        for strange in ("", "-1", "nan", "1e300", "x", "99999999999", "1,2;3", "&lt;"):
            changed = '"'.join((*pieces[:place], strange, *pieces[place + 1 :]))
            try:
                got = read_cvat({name: changed.encode()})
            except FormatError:
                continue
            assert got.items


def test_any_cut_of_a_volume_is_refused():
    whole = nifti_bytes(np.ones((2, 3, 4), dtype=np.uint8), Grid((2, 3, 4)))
    for end in range(len(whole) - 8):
        with pytest.raises(FormatError):
            decode_nifti(whole[:end], "cut.nii.gz")
