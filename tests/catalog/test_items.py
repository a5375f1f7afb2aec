"""Items, their keys and their pixels, from the catalog's door to its windows."""

from __future__ import annotations

import numpy as np
import pytest

from labelhub.audit import services as audit
from labelhub.catalog import selectors, services
from labelhub.catalog.errors import CatalogProblem, NoPixels
from labelhub.catalog.models import Blob, Item, Medium, Original, Study, Subject
from labelhub.catalog.pseudonyms import pseudonym
from labelhub.catalog.services import ItemIdentity, NewMedium
from labelhub.formats.shapes import Grid
from labelhub.projects.permissions import NotFound

NOBODY = ItemIdentity()


def _picture(shape=(12, 17, 3)):
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


def _volume(dtype=np.int16, shape=(5, 7, 9)):
    return np.random.default_rng(8).integers(-900, 2000, shape).astype(dtype)


def test_a_photograph_comes_back_as_it_went_in(cast):
    pixels = _picture()
    item = services.add_photograph(project=cast.project, pixels=pixels, identity=NOBODY, name="holiday.png")
    medium = item.media.get()
    assert np.array_equal(selectors.read_pixels(medium), pixels[np.newaxis])
    tile = selectors.read_slice(medium, "axial", 0)
    assert (tile.width, tile.height, tile.channels, tile.dtype) == (17, 12, 3, "uint8")
    assert bytes(tile) == pixels.tobytes()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32])
def test_each_plane_of_a_volume_is_served_little_endian(cast, dtype):
    pixels = np.abs(_volume(dtype))
    grid = Grid(size=pixels.shape, spacing_mm=(3.0, 0.5, 0.5), affine=np.diag([0.5, 0.5, 3.0, 1.0]))
    item = services.add_volume(project=cast.project, pixels=pixels, grid=grid, identity=NOBODY, window=(40, 400))
    medium = item.media.get()
    little = np.dtype(dtype).newbyteorder("<")
    for plane, expected in (("axial", pixels[2]), ("coronal", pixels[:, 3]), ("sagittal", pixels[:, :, 4])):
        tile = selectors.read_slice(medium, plane, {"axial": 2, "coronal": 3, "sagittal": 4}[plane])
        assert np.array_equal(np.frombuffer(tile.content, little).reshape(tile.height, tile.width), expected)
    back = selectors.grid_of(medium)
    assert back.size == grid.size
    assert back.spacing_mm == grid.spacing_mm
    assert np.array_equal(back.affine, grid.affine)


def test_a_big_endian_array_is_kept_with_its_values(cast):
    pixels = _volume(np.dtype(">i2"))
    item = services.add_volume(project=cast.project, pixels=pixels, grid=Grid(size=pixels.shape), identity=NOBODY)
    assert np.array_equal(selectors.read_pixels(item.media.get()), pixels)


def test_etags_differ_by_plane_and_index_and_are_stable(cast):
    pixels = _volume(shape=(4, 4, 4))
    item = services.add_volume(project=cast.project, pixels=pixels, grid=Grid(size=(4, 4, 4)), identity=NOBODY)
    medium = item.media.get()
    tags = {selectors.slice_etag(medium, plane, index) for plane in selectors.PLANES for index in range(4)}
    assert len(tags) == 12
    assert selectors.read_slice(medium, "axial", 1).etag == selectors.slice_etag(medium, "axial", 1)


def test_a_slice_outside_the_grid_does_not_exist(cast):
    medium = services.add_photograph(project=cast.project, pixels=_picture(), identity=NOBODY).media.get()
    for plane, index in (("axial", 1), ("axial", -1), ("coronal", 12), ("sagittal", 17)):
        with pytest.raises(NotFound):
            selectors.read_slice(medium, plane, index)
    with pytest.raises(NotFound, match="sideways"):
        selectors.plane_named("sideways")


def test_an_item_without_pixels_has_a_grid_and_says_so(cast):
    grid = Grid(size=(3, 512, 512), plane_positions_mm=(-10.0, -7.5, -2.5))
    item = services.create_item(
        project=cast.project, media=[NewMedium(kind="volume", grid=grid)], identity=ItemIdentity(subject="scan 1")
    )
    medium = item.media.get()
    assert selectors.grid_of(medium).plane_positions_mm == grid.plane_positions_mm
    assert selectors.grid_of(medium).spacing_mm is None
    with pytest.raises(NoPixels, match="never brought in"):
        selectors.read_slice(medium, "axial", 0)


def test_an_item_holds_several_media_each_on_its_own_grid(cast):
    media = [NewMedium(kind="volume", grid=Grid(size=size)) for size in ((3, 4, 5), (6, 7, 8))]
    item = services.create_item(project=cast.project, media=media, identity=NOBODY)
    assert [selectors.grid_of(medium).size for medium in selectors.media_of(item)] == [(3, 4, 5), (6, 7, 8)]
    with pytest.raises(NotFound):
        selectors.medium_of(item, 2)


def test_the_group_is_the_highest_known_unit(cast):
    add = lambda **who: services.add_photograph(  # noqa: E731 - four times the same call
        project=cast.project, pixels=_picture(), identity=ItemIdentity(**who)
    )
    patient, study, image, none = (
        add(subject="P1", study="S1"), add(study="S1"), add(subject="retina.jpg", subject_kind="image"), add(),
    )  # fmt: skip
    assert [x.group_kind for x in (patient, study, image, none)] == ["patient", "study", "image", "unknown"]
    assert patient.group_key == patient.subject.key
    assert study.group_key == study.study.key != patient.study.key
    assert none.group_key == ""


def test_the_same_patient_is_one_subject_and_another_project_has_another_key(cast):
    one = services.add_photograph(project=cast.project, pixels=_picture(), identity=ItemIdentity(subject="Doe^Jane"))
    two = services.add_photograph(project=cast.project, pixels=_picture(), identity=ItemIdentity(subject=" DOE^JANE "))
    other = services.add_photograph(
        project=cast.other_project, pixels=_picture(), identity=ItemIdentity(subject="Doe^Jane")
    )
    assert one.subject == two.subject
    assert other.subject.key != one.subject.key
    assert "doe" not in one.subject.key


def test_a_key_needs_the_sites_secret(cast, settings):
    import dataclasses

    before = pseudonym(project=cast.project, kind="patient", identifier="4711")
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, audit_key=b"another site")
    assert pseudonym(project=cast.project, kind="patient", identifier="4711") != before


def test_nothing_is_stored_by_halves(cast):
    bad = NewMedium(kind="volume", grid=Grid(size=(1, 2, 3), spacing_mm=(1.0, -1.0, 1.0)))
    with pytest.raises(CatalogProblem, match="spacing"):
        services.create_item(project=cast.project, media=[bad], identity=ItemIdentity(subject="x", study="y"))
    with pytest.raises(CatalogProblem, match="at least one"):
        services.create_item(project=cast.project, media=[], identity=NOBODY)
    assert not Item.objects.exists()
    assert not Subject.objects.exists()
    assert not Study.objects.exists()
    assert not Medium.objects.exists()


def test_a_new_item_leaves_one_event_without_names(cast):
    item = services.add_photograph(
        project=cast.project, pixels=_picture(), identity=ItemIdentity(subject="Doe^Jane"), name="doe.png"
    )
    from labelhub.audit.models import Event

    event = Event.objects.get(kind="item.created")
    assert event.subject == f"item:{item.pk}"
    assert "doe" not in str(event.facts).lower()
    assert audit.verify(audit.chain_of(cast.project.pk)).broken_at is None
    assert Original.objects.get().name == "doe.png"


def test_equal_pixels_are_stored_once(cast):
    for _ in range(2):
        services.add_photograph(project=cast.project, pixels=_picture(), identity=NOBODY)
    assert Blob.objects.count() == 1


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (np.array([[[0, 1]]], bool), "uint8"),
        (np.array([[[0, 255]]], np.int64), "uint8"),
        (np.array([[[-5, 255]]], np.int32), "int16"),
        (np.array([[[0, 65535]]], np.uint32), "uint16"),
        (np.array([[[-1, 65535]]], np.int32), "float32"),
        (np.array([[[0.5]]], np.float64), "float32"),
    ],
)
def test_other_types_become_the_smallest_stored_type_that_keeps_the_values(values, name):
    kept = services.as_stored_type(values)
    assert kept.dtype.name == name
    assert np.array_equal(kept, values)


@pytest.mark.parametrize("values", [np.array([[[1 << 30]]], np.int64), np.array([[[1j]]])])
def test_values_that_no_stored_type_holds_are_refused(values):
    with pytest.raises(CatalogProblem, match="without loss"):
        services.as_stored_type(values)


def test_a_thumbnail_is_a_png_of_the_true_shape_of_the_voxels(cast):
    import io

    from PIL import Image

    pixels = _volume(shape=(3, 40, 40))
    grid = Grid(size=pixels.shape, spacing_mm=(1.0, 2.0, 1.0))
    medium = services.add_volume(project=cast.project, pixels=pixels, grid=grid, identity=NOBODY).media.get()
    picture = Image.open(io.BytesIO(selectors.thumbnail(medium, 80).png))
    assert (picture.format, picture.size) == ("PNG", (40, 80))


def test_windowing_shows_values_that_are_not_numbers_as_black():
    rows = np.array([[np.nan, 0.0, 50.0, 100.0, np.inf]], np.float32)
    assert selectors.windowed(rows, (50.0, 100.0)).tolist() == [[0, 0, 128, 255, 0]]
    assert selectors.windowed(np.full((2, 2), np.nan, np.float32), None).tolist() == [[0, 0], [0, 0]]
    assert selectors.windowed(np.full((2, 2), 7, np.int16), None).tolist() == [[0, 0], [0, 0]]


def test_the_outsider_and_an_annotator_find_no_item(cast):
    item = services.add_photograph(project=cast.project, pixels=_picture(), identity=NOBODY)
    assert selectors.item_for(cast.rita, cast.project, item.code) == item
    for user in (cast.otto, cast.ann):
        with pytest.raises(NotFound):
            selectors.item_for(user, cast.project, item.code)
        with pytest.raises(NotFound):
            selectors.medium_for(user, item.media.get().pk)


def test_volumes_in_memory_are_bounded_and_the_one_not_asked_for_longest_leaves():
    from labelhub.catalog.decoded import DecodedVolumes

    held = DecodedVolumes(keep_bytes=250)
    reads: list[str] = []

    def read(name, size=100):
        def from_disk():
            reads.append(name)
            return np.zeros(size, np.uint8)

        return held.get(name, from_disk)

    for name in ("a", "b", "a", "c", "a", "b"):
        read(name)
    assert reads == ["a", "b", "c", "b"]
    read("large", 251)
    read("large", 251)
    assert reads[4:] == ["large", "large"]
    with pytest.raises(ValueError, match="read-only"):
        read("a")[0] = 1


def test_a_volume_too_large_for_memory_is_read_slice_by_slice(cast, monkeypatch):
    from labelhub.catalog import decoded

    monkeypatch.setattr(decoded, "LARGEST_BYTES", 10)
    pixels = _volume()
    item = services.add_volume(project=cast.project, pixels=pixels, grid=Grid(size=pixels.shape), identity=NOBODY)
    tile = selectors.read_slice(item.media.get(), "coronal", 3)
    assert tile.content == pixels[:, 3].tobytes()
    assert tile.etag == selectors.slice_etag(item.media.get(), "coronal", 3)
