"""Every format that readings may come in goes all the way to a panel, by the same door as the command."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from labelhub.formats.sources import read_annotations
from labelhub.scoring.panel import measure

CVAT = """<?xml version="1.0"?><annotations><version>1.1</version>
<meta><task><labels><label><name>cell</name></label></labels></task></meta>
<image id="0" name="a.png" width="100" height="80">
<box label="cell" xtl="{x}" ytl="10" xbr="{end}" ybr="30" occluded="0"/></image>
<image id="1" name="b.png" width="100" height="80"></image></annotations>"""


def test_a_table_of_ratings(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("item,rater,category\na,ann,cat\na,ben,cat\nb,ann,cat\nb,ben,dog\n")
    panel = measure(read_annotations(path))
    assert panel.questions[0].raw.estimate.value == pytest.approx(0.5)
    assert panel.source.kind == "unknown"
    assert [row.item for row in panel.disputed] == ["b"]


def test_cvat_one_file_a_reader(tmp_path: Path) -> None:
    (tmp_path / "ann.xml").write_text(CVAT.format(x=10, end=30))
    (tmp_path / "ben.xml").write_text(CVAT.format(x=12, end=32))
    panel = measure(read_annotations(tmp_path))
    assert panel.overlap[0].iou.estimate.value == pytest.approx(18 / 22)
    assert panel.detection[0].n_items_all_empty == 1


def test_label_studio_with_two_annotators_on_a_task(tmp_path: Path) -> None:
    def annotation(who: int, choice: str) -> dict:
        value = {"choices": [choice]}
        return {
            "id": who, "completed_by": who, "was_cancelled": False,
            "result": [{"id": "r", "type": "choices", "from_name": "kind", "to_name": "image", "value": value}],
        }  # fmt: skip

    tasks = [
        {
            "id": n,
            "data": {"image": f"{n}.png"},
            "annotations": [annotation(1, "cat"), annotation(2, "cat" if n else "dog")],
        }
        for n in range(2)
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks))
    panel = measure(read_annotations(path))
    assert panel.questions[0].raw.estimate.value == pytest.approx(0.5)
    assert panel.source.n_items_read_twice == 2


def test_nifti_label_maps_in_one_folder_a_reader_are_measured_in_millimetres(tmp_path: Path) -> None:
    for reader, shift in (("ann", 0), ("ben", 1)):
        (tmp_path / reader).mkdir()
        voxels = np.zeros((20, 20, 8), dtype=np.uint8)
        voxels[4 + shift : 12 + shift, 4:12, 2:6] = 1
        nib.save(nib.Nifti1Image(voxels, np.diag([2.0, 1.0, 3.0, 1.0])), tmp_path / reader / "case.nii.gz")
    panel = measure(read_annotations(tmp_path))
    assert panel.overlap[0].dice.estimate.value == pytest.approx(7 / 8)
    assert [(row.key[-2:], row.estimate.value) for row in panel.overlap[0].hd95] == [("mm", 2.0)]


def test_coco_sample_with_an_image_all_readers_call_empty() -> None:
    panel = measure(read_annotations(Path(__file__).resolve().parents[2] / "fixtures" / "sample_readings"))
    assert panel.source.group_unit == "patients"
    assert panel.source.n_groups == 12
    empty = next(row for row in panel.items if row.source_id.startswith("field_18"))
    assert (empty.n_readers, empty.disagreement) == (3, 0.0)
    assert [(row.first, row.second) for row in panel.copies if row.is_suspicious] == [("ben", "cyd")]
    assert {alarm.rater for alarm in panel.alarms} >= {"ben"}
    assert len(panel.verdict) == 3
