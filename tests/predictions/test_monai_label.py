"""A MONAI Label server as a predictor: asked only where listed, understood as it was seen to speak, believed in nothing else.

Planted and seen to fail: the answer's place not compared with the picture's; axes that a server turned left as they came; the
bound on the answer's size left out; the time of the whole exchange not bounded; values that are no numbers taken for labels;
a tilted gantry sent as it is; the background counted among listed labels; a list believed whose map holds more; a server that
works for another given up after a fixed time; a map of two axes asked where it lies; redirects named for a failure.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import threading
from http.server import HTTPServer

import nibabel
import numpy as np
import pytest
from django.core.management import CommandError, call_command

from labelhub.catalog import sandbox_process
from labelhub.catalog.services import ItemIdentity, add_photograph
from labelhub.formats.shapes import Grid
from labelhub.predictions import monai_label, outbound
from labelhub.predictions.models import ModelVersion, Prediction
from labelhub.predictions.monai_label import MonaiLabelPredictor, monai_label_predictor
from labelhub.predictions.outbound import OutboundRefused
from labelhub.predictions.plain import reading_of
from labelhub.predictions.predictor import Interruptible, PictureDoesNotFit, runs_everywhere
from labelhub.projects.ontology import read_ontology
from tests.cast import ONTOLOGY
from tests.predictions.monai_label_server import FAILED, LABELS, MonaiLabel, form, label_file, label_values, packed

ontology = read_ontology(ONTOLOGY)
# As a canonical volume lies: x to the left, y to the back, z to the head, a little turned, with an offset.
AFFINE = np.array([[-0.56, -0.48, 0, 40.5], [0.42, -0.64, 0, 61.25], [0, 0, 2.5, -130.0], [0, 0, 0, 1]])
# As a scanner with a tilted gantry stacks slices: each a little further to the front.
TILTED = np.array([[-0.7, 0, 0, 40.5], [0, -0.8, 0.9, 61.25], [0, 0, 2.5, -130.0], [0, 0, 0, 1]])
MULTIPART = "multipart/form-data; boundary=a4d9"
WORDS = json.dumps({"label_names": LABELS}).encode()


@pytest.fixture
def server(settings, monkeypatch):
    serving = HTTPServer(("127.0.0.1", 0), MonaiLabel)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{serving.server_address[1]}"
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=(url,))
    MonaiLabel.asked.clear()
    monkeypatch.setattr(MonaiLabel, "behave", None)
    monkeypatch.setattr(MonaiLabel, "drip_s", 0.0)
    yield url
    serving.shutdown()
    serving.server_close()
    thread.join()


def parameters(url: str, **more):
    return {"url": url, "model": "bright", "classes": {"bright": "lesion", "very bright": "nucleus"}} | more


def volume() -> np.ndarray:
    pixels = np.full((6, 20, 16), -30, dtype=np.int16)
    pixels[1:4, 2:9, 5:8] = 150
    pixels[4, 15:18, 1:4] = 900
    return pixels


def found(seen) -> dict[str, tuple[tuple[int, ...], int]]:
    return {shape.label: (shape.mask.origin, int(shape.mask.voxels.sum())) for shape in seen.shapes}


EXPECTED = {"lesion": ((1, 2, 5), 3 * 7 * 3), "nucleus": ((4, 15, 1), 9)}


def test_a_volume_goes_out_as_nifti_and_comes_back_as_shapes_of_the_project(server, monkeypatch):
    asked = []
    ask = sandbox_process.Child.ask

    def counted(self, request, wall_s):
        asked.append(request["op"])
        return ask(self, request, wall_s)

    monkeypatch.setattr(sandbox_process.Child, "ask", counted)
    seen = monai_label_predictor(parameters(server)).predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)
    assert found(seen) == EXPECTED
    assert seen.asked_labels == ("lesion", "nucleus")
    assert not seen.confidences, "the server tells none"
    assert [path for path, _ in MonaiLabel.asked] == ["/info/", "/infer/bright?image=&output=all"]
    sent = MonaiLabel.asked[1][1]
    assert json.loads(sent["params"])["result_extension"] == ".nii.gz"
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(sent["file"]))
    assert np.array_equal(np.asarray(image.dataobj), volume().T)
    assert np.allclose(image.affine, AFFINE, atol=1e-5)
    assert asked == ["survey", "decode"], "read in the decoder's process"


def test_a_server_that_turns_the_axes_is_led_back(server, monkeypatch):
    def turned(image):
        mine = nibabel.Nifti1Image.from_bytes(gzip.decompress(label_file(image)))
        other = nibabel.as_closest_canonical(mine)
        assert not np.allclose(other.affine, mine.affine)
        return 200, MULTIPART, form(WORDS, packed(np.asarray(other.dataobj), other.affine))

    monkeypatch.setattr(MonaiLabel, "behave", turned)
    predictor = monai_label_predictor(parameters(server))
    assert found(predictor.predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)) == EXPECTED
    assert found(predictor.predict(volume()[1:2], Grid((1, 20, 16)), ontology)) == {"lesion": ((0, 2, 5), 21)}


def test_a_tilted_gantry_goes_out_upright_and_comes_back_voxel_by_voxel(server):
    seen = monai_label_predictor(parameters(server)).predict(volume(), Grid((6, 20, 16), None, TILTED), ontology)
    assert found(seen) == EXPECTED
    steps = nibabel.Nifti1Image.from_bytes(gzip.decompress(MonaiLabel.asked[1][1]["file"])).affine[:3, :3]
    lengths = np.linalg.norm(TILTED[:3, :3], axis=0)
    assert np.allclose(steps.T @ steps, np.diag(lengths**2), atol=1e-4), "right angles, and the spacing of the picture"
    assert np.abs(steps / lengths - TILTED[:3, :3] / lengths).max() < 0.2, "no further turned than need be"


def test_a_map_of_two_axes_is_believed_for_one_slice_alone(server, monkeypatch):
    def flat(image):
        return 200, MULTIPART, form(WORDS, packed(label_values(image)[..., 0], np.diag([-1.0, -1.0, 1.0, 1.0])))

    monkeypatch.setattr(MonaiLabel, "behave", flat)
    predictor = monai_label_predictor(parameters(server))
    for grid in (Grid((1, 20, 16), (1.0, 0.5, 0.4)), Grid((1, 20, 16), None, AFFINE)):
        assert found(predictor.predict(volume()[1:2], grid, ontology)) == {"lesion": ((0, 2, 5), 21)}
    with pytest.raises(OutboundRefused, match=r"1 x 20 x 16.*does not lie where"):
        predictor.predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)


def test_listed_labels_count_from_one_and_pass_over_the_background(server, monkeypatch):
    predictor = monai_label_predictor(parameters(server, model="listed"))
    assert found(predictor.predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)) == EXPECTED
    words = json.dumps({"label_names": ["bright", "very bright", "background"]}).encode()
    monkeypatch.setattr(MonaiLabel, "behave", lambda image: (200, MULTIPART, form(words, label_file(image, 1, 3))))
    with pytest.raises(OutboundRefused, match="holds 3, which is beyond the list"):
        predictor.predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)
    valued = monai_label_predictor(parameters(server, model="listed", classes={"1": "lesion", "3": "nucleus"}))
    assert found(valued.predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)) == EXPECTED


def test_a_server_that_works_for_another_is_waited_for_as_long_as_a_picture_may_take(server, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def busy(_image):
        begun.set()
        go_on.wait(30)
        return FAILED

    monkeypatch.setattr(MonaiLabel, "behave", busy)
    first = monai_label_predictor(parameters(server, timeout_s=0.5))
    with pytest.raises(OutboundRefused, match=r"longer than 0\.5 s"):
        first.predict(volume(), Grid((6, 20, 16)), ontology)
    assert begun.is_set()
    with pytest.raises(OutboundRefused, match=r"longer than 0\.7 s"):
        monai_label_predictor(parameters(server, timeout_s=0.7))
    with pytest.raises(OutboundRefused, match=r"longer than 0\.3 s"):
        outbound.get(f"{server}/info/", bounds=outbound.Bounds(whole_s=20.0, silence_s=0.3))
    go_on.set()
    assert monai_label_predictor(parameters(server))


@pytest.mark.parametrize("grid", [Grid((1, 20, 16)), Grid((1, 20, 16), (1.0, 0.5, 0.4))])
def test_a_picture_whose_place_is_unknown_has_one_on_the_way(server, grid):
    seen = monai_label_predictor(parameters(server)).predict(volume()[1:2], grid, ontology)
    assert found(seen) == {"lesion": ((0, 2, 5), 21)}


def test_values_may_be_named_in_place_of_labels_and_labels_may_be_a_list(server, monkeypatch):
    numbered = parameters(server, classes={"2": "lesion"})
    assert list(found(monai_label_predictor(numbered).predict(volume(), Grid((6, 20, 16)), ontology))) == ["lesion"]
    words = json.dumps({"label_names": ["dark", "bright", "a", "b", "very bright"]}).encode()
    monkeypatch.setattr(MonaiLabel, "behave", lambda image: (200, MULTIPART, form(words, label_file(image))))
    seen = monai_label_predictor(parameters(server)).predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)
    assert found(seen) == EXPECTED


def test_nothing_is_called_unless_the_owner_lists_it(server, settings):
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, model_servers=())
    with pytest.raises(OutboundRefused, match="not on the list"):
        monai_label_predictor(parameters(server))
    assert not MonaiLabel.asked


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"model": "spleen"}, "no model 'spleen'. Nothing was sent. It has: bright"),
        ({"classes": {"liver": "lesion"}}, "no label 'liver'"),
        ({"token": "x"}, "unknown: token"),
        ({"classes": {}}, "needs url"),
        ({"timeout_s": 1e9}, "timeout_s"),
        ({"timeout_s": True}, "timeout_s"),
    ],
)
def test_what_the_server_does_not_have_is_told_before_a_picture_is_sent(server, more, words):
    with pytest.raises(OutboundRefused, match=words):
        monai_label_predictor(parameters(server, **more))
    assert all(path == "/info/" for path, _ in MonaiLabel.asked)


def moved(image, by):
    affine = image.affine.copy()
    affine[0, 3] += by
    return packed(np.zeros(image.shape, np.uint8), affine)


def lying_header(image) -> bytes:
    """A file that announces terabytes and holds nothing."""
    content = bytearray(gzip.decompress(packed(np.zeros(image.shape, np.uint8), image.affine)))
    content[42:48] = np.array([30_000, 30_000, 30_000], "<i2").tobytes()
    return gzip.compress(bytes(content))


def float_map(image, value) -> bytes:
    values = np.zeros(image.shape, np.float32)
    values[1] = value
    return packed(values, image.affine)


HOSTILE = {
    "another size": (lambda i: form(WORDS, packed(np.zeros((4, 4, 4), np.uint8), i.affine)), "does not lie where"),
    "another place": (lambda i: form(WORDS, moved(i, 1.0)), "does not lie where"),
    "several volumes": (lambda i: form(WORDS, packed(np.zeros((*i.shape, 3), np.uint8), i.affine)), "several volumes"),
    "not a number": (lambda i: form(WORDS, float_map(i, np.nan)), "no whole numbers"),
    "infinity": (lambda i: form(WORDS, float_map(i, np.inf)), "no whole numbers"),
    "a fraction": (lambda i: form(WORDS, float_map(i, 1.5)), "no whole numbers"),
    "below nothing": (lambda i: form(WORDS, float_map(i, -2)), "no whole numbers"),
    "a lying header": (lambda i: form(WORDS, lying_header(i)), "could not be read"),
    "no picture": (lambda i: form(WORDS, b"\x80\x04\x95not a picture"), "could not be read"),
    "nothing": (lambda i: form(WORDS, b""), "could not be read"),
    "cut off": (lambda i: form(WORDS, label_file(i))[:-20], "cut off"),
    "a cut file": (lambda i: form(WORDS, label_file(i)[:-20]), "could not be read"),
    "another boundary": (lambda i: form(WORDS, label_file(i), boundary="other"), "cut off"),
    "no words": (lambda i: form(b"", label_file(i)), "words could not be read"),
    "words that are no JSON": (lambda i: form(b"{'a': NaN}", label_file(i)), "words could not be read"),
    "no labels": (lambda i: form(b"{}", label_file(i)), "does not say which value 'bright' has"),
    "labels without numbers": (lambda i: form(b'{"label_names":{"bright":"x"}}', label_file(i)), "which value"),
    "one value for two": (
        lambda i: form(b'{"label_names":{"bright":1,"very bright":1}}', label_file(i)), "two labels the value 1",
    ),
    "too much": (lambda i: form(WORDS, b"\0" * (8 << 20)), "more than the"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_refused_and_nothing_is_predicted(server, monkeypatch, name):
    body, words = HOSTILE[name]
    monkeypatch.setattr(MonaiLabel, "behave", lambda image: (200, MULTIPART, body(image)))
    with pytest.raises(OutboundRefused, match=words) as refusal:
        monai_label_predictor(parameters(server)).predict(volume(), Grid((6, 20, 16), None, AFFINE), ontology)
    assert "Nothing was predicted" in str(refusal.value)


def test_words_alone_failures_and_redirects_are_refused(server, monkeypatch):
    predictor = monai_label_predictor(parameters(server))
    for answer, words in (
        ((200, "application/json", b'{"prediction":[]}'), "no label map"),
        (FAILED, "status 500 and says: Internal Server Error. Its own log says why. Nothing was predicted"),
        (
            (401, "application/json", b'{"detail":"Not auth\x00enticated"}'),
            r'401 and says: .*Not auth enticated"}\. Nothing',
        ),
        ((302, "text/plain", b""), r"302\. Redirects are not followed\. Nothing"),
        ((200, "multipart/form-data", b""), "no label map"),
    ):
        monkeypatch.setattr(MonaiLabel, "behave", lambda image, answer=answer: answer)
        with pytest.raises(OutboundRefused, match=words):
            predictor.predict(volume(), Grid((6, 20, 16)), ontology)
    monkeypatch.setattr(MonaiLabel, "behave", None)
    gone = MonaiLabelPredictor(server, "gone", {"bright": "lesion"}, 5.0)
    with pytest.raises(OutboundRefused, match="status 500"):
        gone.predict(volume(), Grid((6, 20, 16)), ontology)


def test_colours_are_not_sent(server):
    predictor = monai_label_predictor(parameters(server))
    with pytest.raises(PictureDoesNotFit, match="one channel"):
        predictor.predict(np.zeros((1, 8, 8, 3), np.uint8), Grid((1, 8, 8)), ontology)
    assert len(MonaiLabel.asked) == 1


def test_an_answer_that_drips_ends_in_time_and_whoever_waits_may_stop(server, monkeypatch):
    drips = monai_label_predictor(parameters(server, timeout_s=0.6))
    waits = monai_label_predictor(parameters(server))
    assert isinstance(waits, Interruptible)
    monkeypatch.setattr(MonaiLabel, "drip_s", 0.3)
    with pytest.raises(OutboundRefused, match=r"longer than 0\.6 s"):
        drips.predict(volume(), Grid((6, 20, 16)), ontology)

    def stop() -> None:
        raise InterruptedError("stopped by somebody")

    waits.watch(stop)
    with pytest.raises(InterruptedError):
        waits.predict(volume(), Grid((6, 20, 16)), ontology)


def test_a_project_is_looked_at_from_the_terminal_by_any_worker(cast, server, tmp_path):
    assert runs_everywhere(monai_label.NAME)
    pixels = np.full((60, 60), 30, dtype=np.uint8)
    pixels[20:40, 10:40] = 150
    item = add_photograph(project=cast.project, pixels=pixels, identity=ItemIdentity())
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"name": "bright", "predictor": "monai-label", "parameters": parameters(server)}))
    call_command("predict", cast.project.slug, str(file))
    prediction = Prediction.objects.get(item=item)
    assert [int(shape.mask.voxels.sum()) for shape in reading_of(prediction).shapes] == [600]
    assert prediction.confidence is None
    file.write_text(json.dumps({"name": "x", "predictor": "monai-label", "parameters": parameters(server, model="x")}))
    with pytest.raises(CommandError, match="no model"):
        call_command("predict", cast.project.slug, str(file))
    assert ModelVersion.objects.count() == 1
