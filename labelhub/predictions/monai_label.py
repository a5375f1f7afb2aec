"""A model on a MONAI Label server, behind the ``Predictor`` protocol: the picture goes out as NIfTI, a label map comes back.

``GET /info/`` says which models the server has and what its labels are called, ``POST /infer/MODEL`` takes the picture and
answers with multipart: ``params`` (JSON, with the number of each label) and ``image`` (a NIfTI file). Off unless the site's
owner lists the server (``outbound``), since pictures leave the machine. The server is a stranger: what it sends is bounded,
its file is opened in the decoder's process alone, and a label map that does not lie where the picture lies is refused. It
needs no framework here, so any worker can ask. Not here: MONAI Label's sign-in (Keycloak), its sessions and its own store of
images.

What the server does beside its documentation, as seen with 0.8.5: while it infers it answers nobody, not even ``/info/``; it
writes maps through ITK, whose NIfTI files know right angles alone, so a tilted gantry goes out upright, voxel by voxel; a map
of two axes goes without its place; a failure of any kind is status 500 without a reason.

Reference: MONAI Label 0.8, REST API (Infer, App); https://docs.monai.io/projects/label
"""

from __future__ import annotations

import gzip
import json
import secrets
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from labelhub.catalog.sandbox import Decoder
from labelhub.catalog.sandbox_process import DecoderLimits
from labelhub.formats import pixel_blob
from labelhub.formats.pixels.files import SourceFile
from labelhub.formats.pixels.geometry import canonical_volume, same_grid
from labelhub.formats.pixels.medium import NOT_FINITE
from labelhub.formats.shapes import FormatError, Grid, Shape
from labelhub.formats.strict_json import as_mapping, load_json
from labelhub.predictions.objects import shapes_in
from labelhub.predictions.outbound import Bounds, OutboundRefused, get, post
from labelhub.predictions.predictor import PictureDoesNotFit, Seen
from labelhub.projects.ontology import Ontology

NAME: Final = "monai-label"
USUAL_S: Final = 600.0
MOST_S: Final = 3600.0
# What a server may say about itself, and beside its label map.
_MOST_WORDS: Final = 4 << 20
# A label map takes at most eight bytes a voxel, packed or not; the header and the words come on top.
_MOST_BYTES_A_VOXEL: Final = 8
_KNOWN: Final = frozenset({"url", "model", "classes", "timeout_s"})
_MOST_PARTS: Final = 8
_MOST_VALUE: Final = 65_535
_BACKGROUND: Final = "background"
# Where ITK says that a map of two axes lies: it was told no place.
_NOWHERE: Final = np.diag([-1.0, -1.0, 1.0, 1.0])
_KEPT: Final = "Nothing was predicted."


def monai_label_predictor(parameters: Mapping[str, Any]) -> MonaiLabelPredictor:
    """Return a predictor that asks the model ``model`` of the server at ``url``, after asking whether it has such a model.

    ``classes`` says for each of the server's labels (its name, or its number in the map) which class of the project it means;
    ``timeout_s`` is how long one picture may take. Raises :class:`OutboundRefused` where the server is not allowed, cannot be
    reached, or has no such model or label.
    """
    unknown = sorted(str(name)[:40] for name in set(parameters) - _KNOWN)
    classes, model = parameters.get("classes"), parameters.get("model")
    timeout_s = parameters.get("timeout_s", USUAL_S)
    is_time = isinstance(timeout_s, int | float) and not isinstance(timeout_s, bool) and 0 < timeout_s <= MOST_S
    if (
        unknown
        or not (isinstance(model, str) and model)
        or not (isinstance(classes, Mapping) and classes)
        or not is_time
    ):
        raise OutboundRefused(
            "A model of a MONAI Label server needs url, model and classes (the server's label → the class here), and at most "
            f"timeout_s up to {MOST_S:g}{'; unknown: ' + ', '.join(unknown) if unknown else ''}. Nothing was sent.",
            status=422,
        )
    url = str(parameters.get("url", "")).rstrip("/")
    meanings = {str(name): str(key) for name, key in classes.items()}
    _require_model(url, model, meanings, float(timeout_s))
    return MonaiLabelPredictor(url, model, meanings, float(timeout_s))


class MonaiLabelPredictor:
    """Looks like a predictor and asks a server."""

    def __init__(self, url: str, model: str, meanings: Mapping[str, str], timeout_s: float) -> None:
        self.url, self.model, self.meanings, self.timeout_s = url, model, dict(meanings), timeout_s
        self._between: Callable[[], None] = lambda: None

    def watch(self, between: Callable[[], None]) -> None:
        """Call ``between`` while the server works; what it raises ends the exchange."""
        self._between = between

    def predict(self, pixels: NDArray[Any], grid: Grid, ontology: Ontology) -> Seen:
        """Say where each class is that the server's labels mean; of classes that the ontology lacks nothing is said.

        Raises :class:`PictureDoesNotFit` for colours, and :class:`OutboundRefused`.
        """
        if pixels.ndim != 3:
            raise PictureDoesNotFit("models of MONAI Label take one channel and the picture has colours")
        sent = _placed(grid)
        content, headers = _form(nifti_of(pixels, sent))
        bounds = Bounds(
            whole_s=self.timeout_s, silence_s=self.timeout_s,
            most_bytes=_MOST_BYTES_A_VOXEL * pixels.size + _MOST_WORDS,
        )  # fmt: skip
        answered, answer = post(
            f"{self.url}/infer/{self.model}", content, headers, query={"image": "", "output": "all"}, bounds=bounds,
            between=self._between,
        )  # fmt: skip
        words, file = read_answer(answered, answer)
        labels = label_map(file, sent)
        numbers = _numbers(self.meanings, words.get("label_names"), highest=int(labels.max()))
        return _seen(labels, numbers, ontology)


def nifti_of(pixels: NDArray[Any], grid: Grid) -> bytes:
    """Return ``pixels[z, y, x]`` as a gzipped NIfTI-1 file in its own type, placed by the grid's affine."""
    # Reading its standards takes a third of a second that a process that serves pages need not pay.
    import nibabel

    kept = pixels if pixels.dtype.name in {"uint8", "int16", "uint16", "float32"} else pixels.astype(np.float32)
    image = nibabel.Nifti1Image(np.ascontiguousarray(kept.T), grid.affine)
    image.set_sform(grid.affine, 1)
    image.set_qform(grid.affine, 1)
    image.header.set_xyzt_units("mm")
    return gzip.compress(image.to_bytes(), compresslevel=1, mtime=0)


def read_answer(headers: Mapping[str, str], content: bytes) -> tuple[Mapping[str, Any], bytes]:
    """Return the ``params`` and the file of a multipart answer. Raises :class:`OutboundRefused`."""
    boundary = _boundary(headers.get("content-type", ""))
    if boundary is None:
        raise OutboundRefused(
            f"The model gave no label map: it says what it saw in words alone, or not at all. {_KEPT}"
        )
    parts = _parts(content, boundary)
    words, files = [body for name, body in parts if name == "params"], [body for name, body in parts if name == "image"]
    if len(files) != 1 or len(words) != 1 or len(words[0]) > _MOST_WORDS:
        raise OutboundRefused(f"The server's answer does not hold one label map and its words. {_KEPT}")
    try:
        return as_mapping(load_json(words[0], "the server's answer")), files[0]
    except FormatError as error:
        raise OutboundRefused(f"The server's words could not be read. {_KEPT}") from error


def label_map(file: bytes, grid: Grid) -> NDArray[np.uint16]:
    """Return the label map ``[z, y, x]`` of a NIfTI file on the voxels of ``grid``, read in the decoder's process.

    Axes that the server swapped or reversed are led back; another grid, several volumes, and values that are no whole numbers
    from 0 are refused with :class:`OutboundRefused`.
    """
    voxels = int(np.prod(grid.size))
    limits = DecoderLimits(
        max_pixel_bytes=4 * voxels + (1 << 20), cpu_s=120, wall_s=180.0, file_bytes=8 * voxels + (64 << 20)
    )
    with (
        tempfile.TemporaryDirectory(prefix="labelhub-answer-") as folder,
        Decoder(limits, scratch=Path(folder)) as decoder,
    ):
        path = Path(folder) / ("answer.nii.gz" if file[:2] == b"\x1f\x8b" else "answer.nii")
        path.write_bytes(file)
        outcome = decoder.decode([SourceFile(path, "the server's label map")], into=Path(folder))
        if outcome.refused or len(outcome.media) != 1:
            said = f" {outcome.refused[0].refusal.message}" if outcome.refused else " It holds several volumes."
            raise OutboundRefused(f"The server's label map could not be read.{said} {_KEPT}")
        medium = outcome.media[0]
        values = pixel_blob.read_pixels(medium.path)
    if any(NOT_FINITE in told for told in medium.warnings) or not _are_labels(values):
        raise OutboundRefused(
            f"The server's label map holds values that are no whole numbers from 0 to {_MOST_VALUE}. {_KEPT}"
        )
    return _led_back(values.astype(np.uint16), medium.grid, grid)


def _led_back(values: NDArray[np.uint16], given: Grid, wanted: Grid) -> NDArray[np.uint16]:
    """The map in the picture's own order of voxels, where both lie in the same place."""
    if given.affine is None or wanted.affine is None:
        raise OutboundRefused(f"The server's label map does not say where it lies. {_KEPT}")
    if given.size == wanted.size and given.size[0] == 1 and np.array_equal(given.affine, _NOWHERE):
        return np.ascontiguousarray(values)
    turned, found, _ = canonical_volume(values, given.affine)
    _, own, way = canonical_volume(np.broadcast_to(np.uint16(0), wanted.size), wanted.affine)
    if not same_grid(found, own):
        size = " x ".join(str(side) for side in given.size)
        raise OutboundRefused(f"The server's label map ({size}) does not lie where the picture lies. {_KEPT}")
    return np.ascontiguousarray(way.to_source(turned))


def _are_labels(values: NDArray[Any]) -> bool:
    if values.ndim != 3:
        return False
    low, high = float(values.min()), float(values.max())
    return low >= 0 and high <= _MOST_VALUE and (values.dtype.kind in "ui" or bool((values == np.rint(values)).all()))


def _seen(labels: NDArray[np.uint16], numbers: Mapping[int, str], ontology: Ontology) -> Seen:
    known = [entry for key in dict.fromkeys(numbers.values()) if (entry := ontology.label_class(key))]
    shapes = []
    for entry in known:
        mask = np.isin(labels, [number for number, key in numbers.items() if key == entry.key])
        # The server tells no probabilities, so none are claimed.
        for place, (shape, _, _, _) in enumerate(shapes_in(mask, entry, lambda _box, _own: 0.0), start=1):
            shapes.append(Shape(f"{entry.key[:40]}-{place}", entry.key, shape.regions, shape.mask, source="model"))
    return Seen(tuple(shapes), asked_labels=tuple(entry.key for entry in known))


def _numbers(meanings: Mapping[str, str], names: Any, *, highest: int) -> dict[int, str]:
    """What each value of the map means: by the numbers that the answer gives its labels, or by the value itself."""
    told = _numbered(names)
    if isinstance(names, list) and told and highest > max(told.values()) and not all(map(_is_number, meanings)):
        raise OutboundRefused(
            f"The server lists labels without their values, and its map holds {highest}, which is beyond the list. {_KEPT} "
            "Name the values themselves in classes."
        )
    found: dict[int, str] = {}
    for name, key in meanings.items():
        value = told.get(name, int(name) if _is_number(name) else None)
        if value is None:
            raise OutboundRefused(
                f"The server's answer does not say which value {name[:60]!r} has. {_KEPT} Name the value itself in classes."
            )
        if found.setdefault(value, key) != key:
            raise OutboundRefused(f"The server gives two labels the value {value}. {_KEPT}")
    return found


def _numbered(names: Any) -> dict[str, int]:
    """Labels by their values, as MONAI Label tells them: an object of name and value, or a list.

    A list tells no values: its clients count from 1 and pass over the background, wherever it stands.
    """
    if isinstance(names, list):
        counted = [str(name) for name in names if str(name) != _BACKGROUND]
        background = {_BACKGROUND: 0} if _BACKGROUND in names else {}
        return background | {name: number for number, name in enumerate(counted, start=1)}
    return {
        str(name): value
        for name, value in as_mapping(names).items()
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_VALUE
    }


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and int(name[:9]) <= _MOST_VALUE and len(name) < 9


def _require_model(url: str, model: str, meanings: Mapping[str, str], timeout_s: float) -> None:
    # As long as a picture may take: the server answers nobody while it works for another.
    bounds = Bounds(whole_s=timeout_s, silence_s=timeout_s, most_bytes=_MOST_WORDS)
    _, content = get(f"{url}/info/", bounds=bounds)
    try:
        known = as_mapping(as_mapping(load_json(content, "the server's list of models")).get("models"))
    except FormatError as error:
        raise OutboundRefused(
            "The server did not say which models it has. Nothing was sent. Is it MONAI Label?"
        ) from error
    if model not in known:
        listed = ", ".join(sorted(str(name)[:60] for name in known)[:20]) or "none"
        raise OutboundRefused(
            f"The server has no model {model[:60]!r}. Nothing was sent. It has: {listed}.", status=422
        )
    labels = _numbered(as_mapping(known[model]).get("labels"))
    missing = [name for name in meanings if labels and name not in labels and not _is_number(name)]
    if missing:
        raise OutboundRefused(
            f"The model has no label {missing[0][:60]!r}. Nothing was sent. It has: "
            f"{', '.join(sorted(name[:60] for name in labels)[:40])}.",
            status=422,
        )


def _placed(grid: Grid) -> Grid:
    """The grid of the picture on the way out and back: of the nearest right angles, and some place where it has none."""
    if grid.affine is None:
        z, y, x = grid.spacing_mm or (1.0, 1.0, 1.0)
        return Grid(grid.size, grid.spacing_mm, np.diag([-x, -y, z, 1.0]))
    steps = np.linalg.norm(grid.affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(grid.affine[:3, :3] / steps)
    upright = grid.affine.copy()
    upright[:3, :3] = (left @ right) * steps
    return Grid(grid.size, grid.spacing_mm, upright)


def _form(file: bytes) -> tuple[bytes, dict[str, str]]:
    boundary = f"labelhub-{secrets.token_hex(16)}"
    params = json.dumps({"result_extension": ".nii.gz", "result_dtype": "uint16"})
    lines = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n\r\n{params}\r\n'.encode(),
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="picture.nii.gz"\r\n'
        f"Content-Type: application/octet-stream\r\n\r\n".encode(),
        file, f"\r\n--{boundary}--\r\n".encode(),
    ]  # fmt: skip
    return b"".join(lines), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def _boundary(content_type: str) -> bytes | None:
    kind, _, rest = content_type.partition(";")
    named = [entry.strip() for entry in rest.split(";") if entry.strip().lower().startswith("boundary=")]
    if not kind.strip().lower().startswith("multipart/") or len(named) != 1:
        return None
    boundary = named[0][len("boundary=") :].strip('"')
    return boundary.encode() if 0 < len(boundary) <= 70 and boundary.isascii() and boundary.isprintable() else None


def _parts(content: bytes, boundary: bytes) -> list[tuple[str, bytes]]:
    """The parts of a multipart body (RFC 7578) by name, as they came. Raises :class:`OutboundRefused`."""
    pieces = (b"\r\n" + content).split(b"\r\n--" + boundary)
    if len(pieces) < 2 or len(pieces) > _MOST_PARTS + 2 or not pieces[-1].startswith(b"--"):
        raise OutboundRefused(f"The server's answer was cut off, or is in no parts. {_KEPT}")
    found = []
    for piece in pieces[1:-1]:
        head, gap, body = piece.partition(b"\r\n\r\n")
        name = _name_of(head)
        if not gap or name is None:
            raise OutboundRefused(f"A part of the server's answer has no name. {_KEPT}")
        found.append((name, body))
    return found


def _name_of(head: bytes) -> str | None:
    for line in head[:4096].decode("latin-1").split("\r\n"):
        title, _, value = line.partition(":")
        if title.strip().lower() == "content-disposition":
            fields = [entry.strip() for entry in value.split(";")]
            named = [entry[len("name=") :].strip('"') for entry in fields if entry.lower().startswith("name=")]
            return named[0] if len(named) == 1 else None
    return None
