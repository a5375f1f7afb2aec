"""A network behind the ``Predictor`` protocol: pixels in, shapes with confidences and doubts out, probabilities kept small.

Loaded by worker processes alone (``wiring``). Not here: which items are looked at (``workflow.predicting``), training.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from labelhub.catalog.blobs import read_named
from labelhub.formats.shapes import Grid, Shape
from labelhub.inference import windows
from labelhub.inference.compiling import CompiledMeanwhile
from labelhub.inference.networks import build, deepest_step, load_weights, ready
from labelhub.inference.preparing import Prepared, prepare, resampled
from labelhub.inference.sliding import Asking, OutOfMemory, entropy_of, slide, winners
from labelhub.predictions.architectures import Design, design_of
from labelhub.predictions.objects import shapes_in
from labelhub.predictions.predictor import Doubt, PictureTooLarge, PixelMap, Seen
from labelhub.predictions.preparation import Preparation, read_preparation
from labelhub.projects.ontology import Ontology

# Windows where the model says nothing about them.
_WINDOW: Final = {2: (512, 512), 3: (96, 96, 96)}
# Windows at once: a graphics card is filled, a CPU gains nothing in three dimensions.
_BATCH: Final = {("cpu", 2): 4, ("cpu", 3): 1, ("cuda", 2): 32, ("cuda", 3): 8}
_FULL: Final = 255
_KEPT_NETWORKS: Final = 2
# Half a minute of compiling is won back by so many windows, each a hundredth of a second faster.
PAYS_FROM_WINDOWS: Final = 3000


def network_predictor(parameters: Mapping[str, Any]) -> NetworkPredictor:
    """Return the predictor of a network's parameters, with its weights loaded. Raises what a broken description raises."""
    preparation = read_preparation(parameters["preparation"])
    design = design_of(parameters["design"])
    weights = (str(parameters["weights"]), *preparation.members)
    networks = _loaded(design.architecture, repr(sorted(design.arguments.items())), weights, _Held(design))
    return NetworkPredictor(design, networks, tuple(parameters["classes"]), preparation)


class NetworkPredictor:
    """Networks of one design that answer together: one, or an ensemble."""

    def __init__(
        self, design: Design, networks: Sequence[Any], classes: Sequence[str], preparation: Preparation
    ) -> None:
        self.design, self.networks, self.classes, self.preparation = (
            design,
            tuple(networks),
            tuple(classes),
            preparation,
        )
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # A card alone gains by it. With dropout, chance would be drawn otherwise.
        self.can_compile = self.device.type == "cuda" and not preparation.dropout_passes
        self._expected = 0
        self._note: Callable[[str], None] = _unheard
        self._between: Callable[[], None] = lambda: None
        for network in self.networks:
            ready(network, self.device)
            if preparation.dropout_passes:
                _keep_dropping(network)

    def watch(self, between: Callable[[], None]) -> None:
        """Call ``between`` after each window from now on; what it raises stops the work."""
        self._between = between

    def expect(self, pictures: int, note: Callable[[str], None]) -> None:
        """So many pictures come: where their windows are worth it, the networks are compiled while the first are looked at."""
        self._expected, self._note = pictures, note

    def predict(self, pixels: NDArray[Any], grid: Grid, ontology: Ontology) -> Seen:
        """Say where each class of the network is; of classes that the ontology lacks nothing is said."""
        maps = self.look(pixels, grid)
        known = [entry for key in dict.fromkeys(self.classes) if key and (entry := ontology.label_class(key))]
        shapes: list[Shape] = []
        confidences: dict[str, float] = {}
        doubts: dict[str, Doubt] = {}
        for entry in known:
            mask, probability = maps.of_class(self.classes, entry.key)
            sureness = _mean_of(probability)
            found = shapes_in(mask, entry, sureness, min_size=self.preparation.least_pixels)
            for number, (shape, confidence, box, own) in enumerate(found, start=1):
                name = f"{entry.key[:40]}-{number}"
                shapes.append(Shape(name, entry.key, shape.regions, shape.mask, source="model"))
                confidences[name] = confidence
                if maps.epistemic is not None and maps.aleatoric is not None:
                    doubts[name] = Doubt(
                        maps.most_doubt * _mean_of(maps.epistemic)(box, own),
                        maps.most_doubt * _mean_of(maps.aleatoric)(box, own),
                    )
        kept = [PixelMap("probability", maps.of_class(self.classes, entry.key)[1], entry.key) for entry in known]
        kept += [
            PixelMap(kind, values, most=maps.most_doubt)
            for kind, values in (("epistemic", maps.epistemic), ("aleatoric", maps.aleatoric))
            if values is not None
        ]
        asked = tuple(entry.key for entry in known)
        return Seen(tuple(shapes), confidences, asked_labels=asked, doubts=doubts, maps=tuple(kept))

    def look(self, pixels: NDArray[Any], grid: Grid) -> Maps:
        """Return the network's maps on the picture's own pixels: labels, probabilities and doubts.

        Raises :class:`PictureTooLarge` where even the smallest windows do not fit into memory.
        """
        try:
            return self._looked(pixels, grid)
        except (OutOfMemory, MemoryError) as error:
            raise PictureTooLarge("the picture does not fit into memory, even in the smallest windows") from error

    def _looked(self, pixels: NDArray[Any], grid: Grid) -> Maps:
        is_flat = self.design.dimensions == 2
        prepared = prepare(pixels, grid, self.preparation, channels=self.design.in_channels, is_flat=is_flat)
        gathered = _Gathered(
            prepared.image.shape[1:], self.design.out_channels, is_sigmoid=self.preparation.activation == "sigmoid"
        )
        asking = self.asking(prepared)
        self._compile_where_it_pays(prepared.image.shape[1:], asking)
        is_random = self.preparation.dropout_passes > 0
        with torch.random.fork_rng() if is_random else nullcontext():
            if is_random:
                # The same pixels give the same answer, also where chance is asked.
                torch.manual_seed(0)
            slide(self.networks, prepared.image, asking, gathered, device=self.device, between=self._between)
        return gathered.maps(prepared)

    def _compile_where_it_pays(self, size: Sequence[int], asking: Asking) -> None:
        """Judge by the first picture of many whether compiling pays for all of them; the others are taken to be alike."""
        pictures, self._expected = self._expected, 0
        if not self.can_compile or not pictures:
            return
        extent = [max(side, least) for side, least in zip(size, asking.window, strict=True)]
        windows_each = sum(len(here) for _, here in windows.layers(extent, asking.window, asking.overlap))
        if windows_each * pictures >= PAYS_FROM_WINDOWS:
            self.networks = tuple(CompiledMeanwhile(network, self._note) for network in self.networks)

    def asking(self, prepared: Prepared) -> Asking:
        """How the network is asked about this picture."""
        dimensions, how = self.design.dimensions, self.preparation
        step = deepest_step(self.design)
        patch = how.patch if len(how.patch) == dimensions else _WINDOW[dimensions]
        extent = prepared.image.shape[4 - dimensions :]
        sides = [min(side, -(-size // by) * by) for side, size, by in zip(patch, extent, step, strict=True)]
        lead = [1] * (3 - dimensions)
        window, steps = [*lead, *sides], [*lead, *step]
        return Asking(
            window=(window[0], window[1], window[2]), overlap=how.overlap, batch=_BATCH[self.device.type, dimensions],
            flips=how.flips, dropout_passes=how.dropout_passes, is_sigmoid=how.activation == "sigmoid",
            step=(steps[0], steps[1], steps[2]),
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """What a network says of each pixel ``[z, y, x]``: labels (or, of independent maps, none), probabilities as uint8.

    ``epistemic`` and ``aleatoric`` run from 0 to ``most_doubt`` bits and are None where the network was asked once.
    """

    labels: NDArray[np.uint16] | None
    probabilities: NDArray[np.uint8]
    epistemic: NDArray[np.uint8] | None
    aleatoric: NDArray[np.uint8] | None
    most_doubt: float

    def of_class(self, classes: Sequence[str], key: str) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
        """Return the mask of a class and its probability; several maps may mean one class."""
        numbers = [number for number, name in enumerate(classes) if name == key]
        if self.labels is None:
            probability = self.probabilities[numbers].max(axis=0)
            return probability > _FULL // 2, probability
        summed = self.probabilities[numbers].sum(axis=0, dtype=np.uint16)
        return np.isin(self.labels, numbers), np.minimum(summed, _FULL).astype(np.uint8)


class _Gathered:
    """Receives finished planes and keeps of them one byte a map and pixel."""

    def __init__(self, size: Sequence[int], maps: int, *, is_sigmoid: bool) -> None:
        self.is_sigmoid = is_sigmoid
        self.most_doubt = 1.0 if is_sigmoid else float(np.log2(max(maps, 2)))
        self.labels = None if is_sigmoid else np.zeros(tuple(size), dtype=np.uint16)
        self.probabilities = np.zeros((maps, *size), dtype=np.uint8)
        self.epistemic: NDArray[np.uint8] | None = None
        self.aleatoric: NDArray[np.uint8] | None = None

    def __call__(self, first: int, means: Any, entropy: Any) -> None:
        planes = slice(first, first + means.shape[1])
        if self.labels is not None:
            self.labels[planes] = winners(means).cpu().numpy()
        if entropy is None:
            means = torch.sigmoid(means) if self.is_sigmoid else torch.softmax(means, dim=0)
        self.probabilities[:, planes] = _as_bytes(means)
        if entropy is not None:
            self._doubt(planes, means, entropy)

    def _doubt(self, planes: slice, means: Any, entropy: Any) -> None:
        if self.epistemic is None or self.aleatoric is None:
            shape = self.probabilities.shape[1:]
            self.epistemic, self.aleatoric = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
        total = entropy_of(means[None], is_sigmoid=self.is_sigmoid)[0]
        aleatoric = torch.minimum(entropy, total)
        self.epistemic[planes] = _as_bytes((total - aleatoric) / self.most_doubt)
        self.aleatoric[planes] = _as_bytes(aleatoric / self.most_doubt)

    def maps(self, prepared: Prepared) -> Maps:
        """Return what was gathered on the stored pixels."""
        if not prepared.is_resampled:
            labels = None if self.labels is None else prepared.back(self.labels)
            probabilities = prepared.back(self.probabilities)
        else:
            probabilities = prepared.back(_stretched(self.probabilities, prepared.size))
            labels = None if self.labels is None else probabilities.argmax(axis=0).astype(np.uint16)
        doubts = [
            None if found is None else prepared.back(_stretched(found[None], prepared.size)[0])
            for found in (self.epistemic, self.aleatoric)
        ]
        return Maps(labels, probabilities, doubts[0], doubts[1], self.most_doubt)


@dataclass(frozen=True, slots=True)
class _Held:
    """A design beside the key of the cache: equal to every other, because the key says it all."""

    design: Design = field(compare=False, hash=False)


@lru_cache(maxsize=_KEPT_NETWORKS)
def _loaded(architecture: str, arguments: str, weights: tuple[str, ...], held: _Held) -> tuple[Any, ...]:
    """Networks that were used lately stay in memory: a job asks for the same one item after item."""
    del architecture, arguments
    return tuple(load_weights(build(held.design), read_named(name)) for name in weights)


def _unheard(_sentence: str) -> None:
    """Nobody asked."""


def _keep_dropping(network: Any) -> None:
    for module in network.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.train()


def _mean_of(values: NDArray[np.uint8]) -> Callable[[tuple[slice, ...], NDArray[np.bool_]], float]:
    """The mean of a map, from 0 to 1, over pixels."""
    return lambda box, own: float(values[box][own].mean()) / _FULL


def _as_bytes(values: Any) -> NDArray[np.uint8]:
    return np.asarray((values.clamp(0, 1) * _FULL + 0.5).to(torch.uint8).cpu().numpy())


def _stretched(values: NDArray[np.uint8], size: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Maps on other pixels, one map in floating point at a time."""
    if values.shape[1:] == size:
        return values
    out = np.empty((values.shape[0], *size), dtype=np.uint8)
    for number, entry in enumerate(values):
        out[number] = np.rint(resampled(entry[None].astype(np.float32), size)[0])
    return out
