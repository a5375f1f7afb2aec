"""The one door: which format, which rater, and what hostile folders and archives get."""

from __future__ import annotations

import io
import json
import stat
import zipfile

import pytest

from labelhub.formats.raters_map import RaterRow, assign_raters, read_raters_map, stem_of
from labelhub.formats.shapes import FormatError
from labelhub.formats.source_files import open_source
from labelhub.formats.sources import ReadOptions, detect_format, read_annotations
from tests.realdata import real

IMAGES = [{"id": n, "file_name": f"{n}.png", "height": 20, "width": 30} for n in (1, 2)]


def coco(*images: int, annotator: str | None = None) -> bytes:
    marks = [{"id": n, "image_id": n, "category_id": 1, "bbox": [1, 2, 3, 4], "annotator": annotator} for n in images]
    return json.dumps({"images": IMAGES, "categories": [{"id": 1, "name": "cell"}], "annotations": marks}).encode()


def write(folder, files: dict[str, bytes]):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (("seg", "lidc_xml"), "lidc"),
        (("seg", "knee"), "label-maps"),
        (("formats", "datumaro", "coco_dataset", "coco"), "coco"),
        (("formats", "datumaro", "cvat_dataset", "for_video"), "cvat"),
        (("formats", "label_studio", "test_export_yolo", "data.json"), "label-studio"),
        (("dicom", "dcmjs"), "dicom-seg"),
        (("published", "bland_altman_1986_pefr.csv"), "ratings-csv"),
    ],
)
def test_the_format_of_real_sources_is_found(parts, kind):
    assert detect_format(real(*parts)) == kind


def test_two_formats_in_one_folder_must_be_named(tmp_path):
    write(tmp_path, {"a.json": coco(1, annotator="ann"), "b.csv": b"item,rater,category\n1,ann,x\n"})
    with pytest.raises(FormatError, match="Several formats"):
        read_annotations(tmp_path)
    assert read_annotations(tmp_path, format="ratings-csv").format == "ratings-csv"
    with pytest.raises(FormatError, match="no format 'word'"):
        read_annotations(tmp_path, format="word")


def test_a_field_of_the_file_comes_before_its_name(tmp_path):
    write(tmp_path, {"x.json": coco(1, annotator="ann"), "y.json": coco(1, annotator="ben")})
    assert {reading.rater for reading in read_annotations(tmp_path).readings if reading.shapes} == {"ann", "ben"}


def test_one_file_a_rater(tmp_path):
    write(tmp_path, {"ann.json": coco(1), "ben.json": coco(1, 2)})
    got = read_annotations(tmp_path)
    assert {(r.item, r.rater, r.is_empty_read) for r in got.readings} == {
        ("1.png", "ann", False),
        ("2.png", "ann", True),
        ("1.png", "ben", False),
        ("2.png", "ben", False),
    }
    assert "Raters were told apart by: one file a rater." in got.notes


def test_one_folder_a_rater(tmp_path):
    write(tmp_path, {"ann/r.json": coco(1), "ben/r.json": coco(1)})
    assert {reading.rater for reading in read_annotations(tmp_path).readings} == {"ann", "ben"}


def test_a_single_file_belongs_to_nobody_until_a_table_says_so(tmp_path):
    path = write(tmp_path, {"all.json": coco(1)}) / "all.json"
    with pytest.raises(FormatError, match="--raters"):
        read_annotations(path)
    table = tmp_path / "raters.txt"
    table.write_text("pattern,rater\nall.json,ann\n")
    assert {r.rater for r in read_annotations(path, raters=table).readings} == {"ann"}
    assert {r.rater for r in read_annotations(path, raters={"*": "gold"}).readings} == {"gold"}


def test_files_that_look_like_parts_rather_than_raters_are_pointed_out(tmp_path):
    def part(n: int) -> bytes:
        return json.dumps({**json.loads(coco(n)), "images": IMAGES[n - 1 : n]}).encode()

    write(tmp_path, {"train.json": part(1), "val.json": part(2)})
    assert any("parts of one data set" in problem.message for problem in read_annotations(tmp_path).problems)


def test_options_reach_their_reader(tmp_path):
    path = write(tmp_path, {"r.csv": b"item,rater,category\n1,ann,2\n"}) / "r.csv"
    got = read_annotations(path, options=ReadOptions(measure="ordinal"))
    assert got.questions[0].measure == "ordinal"


def test_a_zip_is_read_like_the_folder_it_holds(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ann.json", coco(1))
        archive.writestr("ben.json", coco(1))
        archive.writestr("__MACOSX/ann.json", b"rubbish")
        archive.writestr(".hidden.json", b"rubbish")
    assert {reading.rater for reading in read_annotations(path).readings} == {"ann", "ben"}


@pytest.mark.parametrize("name", ["../a.json", "/etc/a.json", "a/../../b.json", "c:\\a.json", "a\\..\\b.json"])
def test_an_archive_that_names_files_outside_is_refused(tmp_path, name):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"{}")
    with pytest.raises(FormatError, match="outside its folder"):
        read_annotations(path)


def test_a_link_in_an_archive_is_refused(tmp_path):
    path = tmp_path / "x.zip"
    link = zipfile.ZipInfo("a.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, b"/etc/passwd")
    with pytest.raises(FormatError, match="outside its folder"):
        read_annotations(path)


def test_a_zip_bomb_is_refused_before_anything_is_unpacked(tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.json", "w") as member:
        for _ in range(100):
            member.write(b"\0" * (1 << 20))
    with pytest.raises(FormatError, match="nothing was unpacked"):
        read_annotations(path)


def test_an_archive_that_lies_about_a_size_is_refused(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", coco(1) * 50)
    data = bytearray(stream.getvalue())
    size = (len(coco(1)) * 50).to_bytes(4, "little")
    at = data.rindex(size)
    data[at : at + 4] = (10).to_bytes(4, "little")
    path = tmp_path / "x.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(FormatError):
        read_annotations(path, raters={"*": "ann"}, format="coco")


def test_links_and_hidden_files_of_a_folder_are_passed_over(tmp_path):
    write(tmp_path, {"ann.json": coco(1), "ben.json": coco(1), ".secret.json": b"x"})
    (tmp_path / "link.json").symlink_to("/etc/passwd")
    assert list(open_source(tmp_path)) == ["ann.json", "ben.json"]


@pytest.mark.parametrize("name", ["missing", "empty", "unknown.bin"])
def test_nothing_to_read_is_said_plainly(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "unknown.bin").write_bytes(b"\0\1\2")
    with pytest.raises(FormatError) as refused:
        read_annotations(tmp_path / name)
    assert refused.value.problem.remedy


def test_a_table_of_raters_takes_files_folders_and_stars():
    rows = read_raters_map(b"pattern;rater;item\nann;Ann;\n*_b.json;Ben;\nz.json;Zoe;item 1\n", "map.csv")
    assert rows[2] == RaterRow("z.json", "Zoe", "item 1")
    told = assign_raters(["ann/p1.json", "x/p2_b.json", "q/z.json", "other.json"], rows)
    assert dict(told.raters) == {"ann/p1.json": "Ann", "x/p2_b.json": "Ben", "q/z.json": "Zoe"}
    assert dict(told.items) == {"ann/p1.json": "p1", "x/p2_b.json": "p2", "q/z.json": "item 1"}


@pytest.mark.parametrize("data", [b"", b"a,b\n", b"pattern,rater\n", b"pattern,rater\nx,\n", b"\xff\xfe"])
def test_a_broken_table_of_raters_is_refused_with_its_place(data):
    with pytest.raises(FormatError, match=r"map\.csv"):
        read_raters_map(data, "map.csv")


def test_files_beside_and_inside_folders_belong_to_nobody():
    assert not assign_raters(["a.json", "x/b.json"]).raters
    assert not assign_raters(["x/b.json"]).raters
    assert stem_of("a/b.nii.gz") == "b"
    assert stem_of("b.seg.nrrd") == "b"
