"""The job that brings a bundle in: taken out, read as data, its weights converted and tried, then registered.

Everything of a stranger's is opened in child processes behind walls; what comes back is safetensors that must fit the network
that the bundle describes. Not here: reading a bundle's words (``predictions.bundles``), who may bring one in (``web``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from labelhub.catalog.blobs import write_named
from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.sandbox_process import Child, ChildEnded, DecoderLimits
from labelhub.formats.pixels.errors import PixelError
from labelhub.formats.pixels.files import SourceFile
from labelhub.inference.networks import build, load_weights
from labelhub.jobs.registry import Running
from labelhub.jobs.services import JobRefused
from labelhub.predictions.bundles import Bundle, BundleRefused, classes_for, folder_members, read_bundle
from labelhub.predictions.models import ModelVersion
from labelhub.predictions.services import Origin, register_network
from labelhub.projects.errors import DomainError
from labelhub.projects.models import Project
from labelhub.projects.selectors import current_ontology, project_numbered

CHILD = "labelhub.inference.weights_child"
# What reading weights may take: a gigabyte of them, held twice while they are written.
WEIGHT_LIMITS = DecoderLimits(
    max_pixel_bytes=2 << 30, extra_memory_bytes=1 << 30, cpu_s=120, wall_s=300.0, file_bytes=2 << 30
)


def run_import(running: Running) -> Mapping[str, Any]:
    """Bring in the bundle of a job: the handler of ``inference.import_bundle``."""
    given = running.arguments
    project = project_numbered(int(given["project"]))
    running.progress(0, 3, "Taking the bundle out")
    try:
        with tempfile.TemporaryDirectory(prefix="labelhub-bundle-") as folder:
            archive = Path(folder) / "bundle.zip"
            write_named(given["blob"], archive)
            bundle = take_out(archive, Path(folder), between=partial(running.progress, 0, 3, "Taking the bundle out"))
            running.progress(1, 3, "Reading the weights")
            model = bring_in(
                project=project, bundle=bundle, name=given["name"] or bundle.name, by=running.job.asked_by,
                classes=given.get("classes"), checksum=given["blob"],
                between=partial(running.progress, 1, 3, "Reading the weights"),
            )  # fmt: skip
    except (DomainError, PixelError) as error:
        raise JobRefused(str(error)) from error
    return {"model": model.pk, "notes": list(bundle.notes)}


def take_out(archive: Path, folder: Path, *, between: Callable[[], None] = lambda: None) -> Bundle:
    """Read the bundle in a ZIP, its files taken out into ``folder``. Raises what a broken bundle raises.

    ``between`` is called while it is waited for, here and below; what it raises ends the child and passes.
    """
    with Decoder(scratch=folder, between=between) as decoder:
        unpacked = decoder.unpack(SourceFile(archive, "the bundle"), into=folder, keeps_archives=True)
    if unpacked.refused:
        first = unpacked.refused[0]
        raise BundleRefused(f"{first.place}: {first.message} Nothing was kept. {first.remedy}")
    return read_bundle({member.name: member.path for member in unpacked.members})


def read_folder(folder: Path) -> Bundle:
    """Read the bundle in a folder on this machine. Raises what a broken bundle raises."""
    return read_bundle(folder_members(folder))


def bring_in(
    *, project: Project, bundle: Bundle, name: str, by: str, classes: list[str] | None = None, checksum: str = "",
    between: Callable[[], None] = lambda: None,
) -> ModelVersion:  # fmt: skip
    """Convert a bundle's weights where they need it, try them in the network, and register it. Writes ``model.registered``."""
    weights = safetensors_of(bundle.weights, between=between) if bundle.is_pickled else bundle.weights.read_bytes()
    load_weights(build(bundle.design), weights)
    _, ontology = current_ontology(project)
    keys = {word.lower(): entry.key for entry in ontology.classes for word in (entry.name, entry.key)}
    chosen = tuple(classes) if classes else classes_for(bundle.outputs, keys)
    if not any(chosen) and any(bundle.outputs):
        raise BundleRefused(
            f"The bundle names its maps {', '.join(filter(None, bundle.outputs))}, and the project has no class of such a "
            "name. Nothing was kept. Say which class each map means."
        )
    preparation = bundle.preparation
    if bundle.design.out_channels == 1:
        preparation = replace(preparation, activation="sigmoid")
    return register_network(
        project=project, name=name, design=bundle.design, weights=weights, classes=chosen, preparation=preparation, by=by,
        origin=Origin(
            source=f"MONAI bundle {bundle.name} {bundle.version}".strip(), licence=bundle.licence, checksum=checksum
        ),
    )  # fmt: skip


def safetensors_of(
    path: Path, *, limits: DecoderLimits = WEIGHT_LIMITS, between: Callable[[], None] = lambda: None
) -> bytes:
    """Return the weights of a ``model.pt`` as safetensors, converted in a child process. Raises :class:`BundleRefused`."""
    with tempfile.TemporaryDirectory(prefix="labelhub-weights-") as scratch:
        child = Child(limits, Path(scratch), program=CHILD, between=between)
        try:
            out = child.folder / "model.safetensors"
            answer = child.ask({"op": "convert", "source": str(path.resolve()), "out": str(out)}, wall_s=limits.wall_s)
            if "tensors" not in answer or out.is_symlink() or not out.is_file():
                raise BundleRefused(
                    str(answer.get("refused", "The weights could not be read. Nothing was kept."))[:500]
                )
            return out.read_bytes()
        except ChildEnded as ended:
            raise BundleRefused(f"{ended.sentence} Nothing was kept. Export the weights as safetensors.") from ended
        finally:
            child.stop()
