"""Bundles of strangers: what is data comes in, and nothing of sixty hostile ones is executed.

Each hostile file would leave a canary behind if any of it ran. All are tried in this process, without the walls of the
child, and those with weights again in the child.
Planted and seen to fail: ``weights_only=False``; expressions passed over where the network is described; a link followed;
references followed without end; a cancel not heard while the child computes.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import pickle  # noqa: TID251 - the hostile files are made here
import subprocess
import types
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file

from labelhub.catalog import sandbox_process
from labelhub.inference import importing, wiring
from labelhub.inference.importing import read_folder, safetensors_of, take_out
from labelhub.inference.networks import build, weights_of
from labelhub.inference.weights_child import Refused, convert
from labelhub.jobs import services as jobs
from labelhub.jobs.models import Job
from labelhub.jobs.registry import Running
from labelhub.jobs.worker import run_pending
from labelhub.predictions.architectures import read_design
from labelhub.predictions.bundles import BundleRefused, read_bundle
from labelhub.predictions.models import ModelVersion
from labelhub.projects.errors import DomainError
from labelhub.workflow.bringing_models import import_bundle, pack_folder
from tests.cast import Cast

# What a bundle holds is judged before any database is asked.
pytestmark = pytest.mark.once

NETWORK = {
    "_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [2, 4], "strides": [2],
}  # fmt: skip
METADATA = {
    "name": "Nuclei", "version": "0.1.0", "license": "CC0",
    "network_data_format": {"outputs": {"pred": {"channel_def": {"0": "background", "1": "Nucleus"}}}},
}  # fmt: skip
CONFIG = {
    "imports": ["$import glob"],
    "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
    "n": 1,
    "network_def": NETWORK | {"in_channels": "@n"},
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image"},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0], "mode": "bilinear"},
            {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -57, "a_max": 164, "b_min": 0, "b_max": 1,
             "clip": True},
            {"_target_": "CropForegroundd", "keys": "image", "select_fn": "$lambda x: x > 0"},
        ],
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "sw_batch_size": 4, "overlap": 0.5},
}  # fmt: skip


DESIGN = read_design("UNet", {key: value for key, value in NETWORK.items() if key != "_target_"})


def weights() -> dict[str, torch.Tensor]:
    return build(DESIGN, seed=1).state_dict()


def folder_of(tmp_path: Path, config=CONFIG, *, pt: bytes | None = None, metadata=METADATA) -> Path:
    folder = tmp_path / "bundle"
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs/inference.json").write_text(json.dumps(config))
    (folder / "configs/metadata.json").write_text(json.dumps(metadata))
    if pt is None:
        stream = io.BytesIO()
        torch.save(weights(), stream)
        pt = stream.getvalue()
    (folder / "models/model.pt").write_bytes(pt)
    return folder


def test_a_bundle_is_read_as_data(tmp_path):
    bundle = read_folder(folder_of(tmp_path))
    assert (bundle.name, bundle.version, bundle.licence, bundle.is_pickled) == ("Nuclei", "0.1.0", "CC0", True)
    assert (bundle.design.in_channels, bundle.outputs) == (1, ("background", "Nucleus"))
    how = bundle.preparation
    assert (how.spacing_mm, how.axes, how.patch, how.overlap) == ((2.0, 1.5, 1.5), "ras", (16, 16, 16), 0.5)
    assert (how.normalisation, how.low, how.high) == ("range", -57, 164)
    assert any("CropForegroundd" in note for note in bundle.notes)


def test_a_zip_of_a_bundle_becomes_a_model_in_a_job(cast: Cast, tmp_path):
    wiring.prepare()
    archive = pack_folder(folder_of(tmp_path), tmp_path / "bundle.zip")
    job = import_bundle(project=cast.project, archive=archive, name="", by="ada")
    assert import_bundle(project=cast.project, archive=archive, name="", by="ada") == job
    run_pending(queues=["gpu"])
    job = Job.objects.get(pk=job.pk)
    assert job.state == "done", job.error
    model = ModelVersion.objects.get(pk=job.result["model"])
    assert (model.name, model.classes, model.licence) == ("Nuclei", ["", "nucleus"], "CC0")
    assert model.checksum == job.arguments["blob"]
    assert load(bytes(model.weights.inline)).keys() == weights().keys()


def test_a_refused_bundle_says_why_in_its_job(cast: Cast, tmp_path):
    wiring.prepare()
    bad = CONFIG | {"network_def": NETWORK | {"out_channels": "$__import__('os').system('id')"}}
    job = import_bundle(
        project=cast.project, archive=pack_folder(folder_of(tmp_path, bad), tmp_path / "b.zip"), name="x", by="ada"
    )
    run_pending(queues=["gpu"])
    job.refresh_from_db()
    assert (job.state, job.attempt) == ("failed", 1)
    assert "network_def → out_channels is the expression" in job.error
    with pytest.raises(BundleRefused, match="no ZIP"):
        import_bundle(project=cast.project, archive=tmp_path / "bundle/configs/metadata.json", name="x", by="ada")


@pytest.mark.parametrize("during", ["taking it out", "reading the weights"])
def test_an_import_is_cancelled_while_its_child_computes_and_the_child_ends(cast: Cast, tmp_path, monkeypatch, during):
    wiring.prepare()
    folder = folder_of(tmp_path)
    archive = pack_folder(folder, tmp_path / "bundle.zip")
    import_bundle(project=cast.project, archive=archive, name="", by="ada")
    claimed = jobs.claim(worker="w", queues=["gpu"])
    children: list[sandbox_process.Child] = []
    stop = sandbox_process.Child.stop

    def stopped(child):
        children.append(child)
        stop(child)

    def write(name, path):
        archive_of_job(name, path)
        jobs.ask_cancel(claimed.pk)

    archive_of_job = importing.write_named
    monkeypatch.setattr(importing, "write_named", write)
    monkeypatch.setattr(sandbox_process.Child, "stop", stopped)
    # A child that says it is there and then computes for long.
    idle = "import time; print('{\"missing_walls\": []}', flush=True); time.sleep(20)"
    monkeypatch.setattr(sandbox_process, "_START", idle)
    if during != "taking it out":
        monkeypatch.setattr(importing, "take_out", lambda *_, **__: read_folder(folder))
    with pytest.raises(jobs.JobCancelled):
        importing.run_import(Running(claimed))
    assert [child._process.poll() for child in children] == [-9]
    assert not ModelVersion.objects.exists()


class Runs:
    """A pickle that calls something when it is opened."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def reductions(canary: Path):
    text, code = str(canary), f"open({str(canary)!r}, 'w').close()"
    return {
        "os.system": Runs(os.system, f"touch {text}"),
        "os.popen": Runs(os.popen, f"touch {text}"),
        "eval": Runs(eval, code),
        "exec": Runs(exec, code),
        "subprocess": Runs(subprocess.call, ["touch", text]),
        "open": Runs(builtins.open, text, "w"),
        "mkdir": Runs(os.mkdir, text),
        "import": Runs(eval, f"__import__('os').mkdir({text!r})"),
        "getattr": Runs(eval, f"getattr(__import__('os'), 'mkdir')({text!r})"),
        "path": Runs(Path.touch, canary),
        "torch.load": Runs(torch.hub.download_url_to_file, Path("/etc/hostname").as_uri(), text),
        "nested": Runs(list, Runs(map, exec, [code])),
        "map": Runs(list, Runs(map, os.mkdir, [text])),
        "type": Runs(types.SimpleNamespace),
        "looks right": Runs(eval, f"[{code}, __import__('collections').OrderedDict()][1]"),
    }  # fmt: skip


def placements(bad):
    """The same pickle in the places where a loader would meet it."""
    ordinary = weights()

    def saved(given, **more) -> bytes:
        stream = io.BytesIO()
        torch.save(given, stream, **more)
        return stream.getvalue()

    plain = pickle.dumps(bad)
    hidden = io.BytesIO(saved(ordinary))
    with zipfile.ZipFile(hidden) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    swapped = io.BytesIO()
    with zipfile.ZipFile(swapped, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, plain if name.endswith("data.pkl") else content)
    return {
        "alone": saved(bad),
        "beside weights": saved(ordinary | {"extra": bad}),
        "swapped in": swapped.getvalue(),
        "old format": saved({"state_dict": [bad]}, _use_new_zipfile_serialization=False),
    }


def hostile_weights(canary: Path):
    """Sixty files of weights: fifteen calls in four places each."""
    for how, bad in reductions(canary).items():
        for where, content in placements(bad).items():
            yield f"{how}, {where}", content


@pytest.fixture(scope="module")
def sixty(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    canary = folder / "canary"
    files = []
    for number, (name, content) in enumerate(hostile_weights(canary)):
        path = folder / f"{number}.pt"
        path.write_bytes(content)
        files.append((name, path))
    return canary, files


def test_none_of_sixty_hostile_weights_is_executed(sixty, tmp_path):
    canary, files = sixty
    assert len(files) == 60
    came_in = []
    for name, path in files:
        try:
            convert(path, tmp_path / "out.safetensors")
            came_in.append(name)
        except Refused:
            pass
        assert not canary.exists(), f"{name} was executed"
    assert came_in == []


def test_the_child_refuses_them_too_and_converts_what_is_sound(sixty, tmp_path):
    canary, files = sixty
    for name, path in files[::19]:
        with pytest.raises(BundleRefused, match=r"more than tensors|no weights of PyTorch"):
            safetensors_of(path)
        assert not canary.exists(), name
    path = tmp_path / "model.pt"
    torch.save({"state_dict": weights()}, path)
    assert load(safetensors_of(path)).keys() == weights().keys()


def test_programs_and_what_is_no_dictionary_of_tensors_are_refused(tmp_path):
    scripted = tmp_path / "model.ts"
    torch.jit.script(torch.nn.ReLU()).save(str(scripted))
    with pytest.raises(Refused, match="program"):
        convert(scripted, tmp_path / "out")
    for number, bad in enumerate((3, [torch.zeros(2)], {}, {"a": 1}, {"a": torch.zeros(2).to_sparse()})):
        path = tmp_path / f"{number}.pt"
        torch.save(bad, path)
        with pytest.raises(Refused, match=r"no dictionary|sparse"):
            convert(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


RUN = "$__import__('os').mkdir('canary')"


@pytest.mark.parametrize(
    "network",
    [
        {"_target_": "os.system", "command": "mkdir canary"},
        {"_target_": "monai.networks.nets.UNet.__init__"},
        {"_target_": "monai.bundle.scripts.run"},
        {"_target_": "labelhub.inference.networks.build"},
        {"_target_": "torch.load"},
        {"_target_": "SomethingElse"},
        {"_target_": ["UNet"]},
        NETWORK | {"_requires_": RUN},
        NETWORK | {"_disabled_": RUN},
        NETWORK | {"_mode_": "callable"},
        NETWORK | {"out_channels": RUN},
        NETWORK | {"out_channels": " " + RUN},
        NETWORK | {"channels": [2, RUN]},
        NETWORK | {"act": ["relu", {"inplace": RUN}]},
        NETWORK | {"act": {"_target_": "os.mkdir", "path": "canary"}},
        NETWORK | {"norm": ["batch", {"_target_": "os.mkdir"}]},
        NETWORK | {"channels": "@evil"},
        NETWORK | {"channels": "@loop"},
        NETWORK | {"channels": "@nowhere::0"},
        NETWORK | {"channels": "%configs/other.json::x"},
        "@network",
        RUN,
        [NETWORK],
        None,
    ],
)  # fmt: skip
def test_expressions_and_other_classes_are_refused_by_place(network, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = CONFIG | {"network_def": network, "evil": RUN, "loop": "@loop"}
    with pytest.raises(DomainError, match="network_def"):
        read_folder(folder_of(tmp_path, config))
    assert not (tmp_path / "canary").exists()


def test_references_that_multiply_are_refused_and_not_followed(tmp_path):
    # Sixteen lists of ten, each of the one before: a few hundred bytes that mean 10^16 values.
    config = CONFIG | {"a0": [1] * 10} | {f"a{n}": [f"@a{n - 1}"] * 10 for n in range(1, 16)}
    with pytest.raises(BundleRefused, match=r"network_def → channels.*more than 20000 values"):
        read_folder(folder_of(tmp_path / "network", config | {"network_def": NETWORK | {"channels": "@a15"}}))
    steps = {"transforms": [{"_target_": "Spacingd", "pixdim": "@a15"}]}
    bundle = read_folder(folder_of(tmp_path / "pixels", config | {"preprocessing": steps}))
    assert any("more than 20000 values" in note for note in bundle.notes)


def test_hostile_archives_give_nothing(tmp_path):
    hostile = {
        "up": ("../../canary", b"x", 0), "absolute": ("/tmp/canary-of-labelhub", b"x", 0),
        "link": ("bundle/configs/inference.json", b"/etc/passwd", 0o120777 << 16), "device": ("con", b"x", 0),
    }  # fmt: skip
    for name, (member, content, attributes) in hostile.items():
        archive = tmp_path / f"{name}.zip"
        with zipfile.ZipFile(archive, "w") as written:
            entry = zipfile.ZipInfo(member)
            entry.external_attr = attributes
            written.writestr(entry, content)
        (tmp_path / name).mkdir()
        with pytest.raises(BundleRefused):
            take_out(archive, tmp_path / name)
    assert not (tmp_path.parent / "canary").exists()
    assert not Path("/tmp/canary-of-labelhub").exists()


def test_links_missing_parts_and_other_weights_are_named(tmp_path):
    folder = folder_of(tmp_path)
    (folder / "models/link.txt").symlink_to("/etc/passwd")
    with pytest.raises(BundleRefused, match=r"models/link\.txt: this is a link"):
        read_folder(folder)
    (folder / "models/link.txt").unlink()
    (folder / "models/model.pt").rename(folder / "models/model.ts")
    with pytest.raises(BundleRefused, match=r"model\.ts cannot be read"):
        read_folder(folder)
    (folder / "models/model.safetensors").write_bytes(weights_of(build(DESIGN)))
    assert not read_folder(folder).is_pickled
    assert load_file(folder / "models/model.safetensors")
    (folder / "configs/inference.json").rename(folder / "configs/inference.yaml")
    with pytest.raises(BundleRefused, match=r"inference\.yaml is not read"):
        read_folder(folder)
    with pytest.raises(BundleRefused, match="no configs/inference"):
        read_bundle({})
