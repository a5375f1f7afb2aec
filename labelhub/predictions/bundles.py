"""MONAI bundles read as data: which network, which weights, how pixels are prepared. No expression in them is ever evaluated.

A bundle is a folder or ZIP with ``configs/inference.json``, ``configs/metadata.json`` and ``models/model.safetensors`` or
``models/model.pt`` (MONAI Bundle Specification). Of its configuration only literals are read: a ``$`` expression or a
``_target_`` that is not on the list of networks is refused where the network is described, and passed over and noted where
it says how pixels are prepared. Not here: opening weights (``inference``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from labelhub.formats.shapes import FormatError
from labelhub.formats.strict_json import as_list, as_mapping, load_json
from labelhub.predictions.architectures import Design, read_design
from labelhub.predictions.preparation import Preparation, read_preparation
from labelhub.projects.errors import DomainError

CONFIG, METADATA = "configs/inference.json", "configs/metadata.json"
# In the order in which they are taken; the second is converted once, in a process of its own.
WEIGHTS: Final = ("models/model.safetensors", "model.safetensors", "models/model.pt", "model.pt")
MAX_CONFIG_BYTES: Final = 4 << 20
MAX_FILES: Final = 5_000
_TARGET = re.compile(r"(?:monai\.networks\.nets\.(?:[a-z_0-9]+\.)?)?([A-Za-z]+)")
_MAX_REFERENCES: Final = 16
# Values that are read of a file in all. A reference to a list of references multiplies, so that a short file means billions.
_MAX_VALUES: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Source:
    """The configuration that references lead into, and how many values may still be read of it: one is taken for each."""

    document: Mapping[str, Any]
    left: Iterator[int]


class BundleRefused(DomainError):
    """A bundle holds what is not data, or lacks what a network needs; nothing of it was kept."""

    code = "bundle-refused"
    status = 422


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says, and where its weights lie. ``outputs`` names each map that comes out; ``notes`` what was not read."""

    name: str
    version: str
    design: Design
    preparation: Preparation
    outputs: tuple[str, ...]
    licence: str
    weights: Path
    is_pickled: bool
    notes: tuple[str, ...] = ()


def folder_members(folder: Path) -> dict[str, Path]:
    """Return the files of a bundle's folder by their path inside. Links are refused: they may lead anywhere."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder).as_posix()
        if path.is_symlink():
            raise BundleRefused(f"{place[:200]}: this is a link, not a file. Nothing was kept. Copy the file itself.")
        if path.is_file():
            found[place] = path
        if len(found) > MAX_FILES:
            raise BundleRefused(f"The folder holds more than {MAX_FILES} files and is no bundle. Nothing was kept.")
    return found


def read_bundle(members: Mapping[str, Path]) -> Bundle:
    """Return what a bundle's files say. Raises :class:`BundleRefused` or ``ArchitectureRefused``, naming the place."""
    files = _without_top_folder(members)
    config, metadata = _json(files, CONFIG), _json(files, METADATA, is_needed=False)
    source = _Source(config, iter(range(_MAX_VALUES)))
    design = _design(source)
    weights = next((name for name in WEIGHTS if name in files), None)
    if weights is None:
        scripted = next(
            (name for name in files if name.endswith((".ts", ".onnx", ".pth", ".pkl", ".bin", ".ckpt"))), ""
        )
        found = f" {scripted[:120]} cannot be read without running it." if scripted else ""
        raise BundleRefused(
            f"The bundle has none of {', '.join(WEIGHTS)}.{found} Nothing was kept. Export the weights as safetensors."
        )
    preparation, notes = _preparation(source, design)
    return Bundle(
        name=str(metadata.get("name") or "bundle")[:120], version=str(metadata.get("version") or "")[:40], design=design,
        preparation=preparation, outputs=_outputs(metadata, design.out_channels),
        licence=str(metadata.get("license") or metadata.get("copyright") or "")[:200], weights=files[weights],
        is_pickled=weights.endswith(".pt"), notes=notes,
    )  # fmt: skip


def classes_for(outputs: tuple[str, ...], keys: Mapping[str, str]) -> tuple[str, ...]:
    """Return, for each map, the class that bears its name, or nothing; ``keys`` leads from lower-case names to keys."""
    return tuple(keys.get(name.strip().lower(), "") for name in outputs)


def _without_top_folder(members: Mapping[str, Path]) -> dict[str, Path]:
    """A ZIP of a folder has everything one level down."""
    if CONFIG in members:
        return dict(members)
    tops = {name.split("/", 1)[0] for name in members if "/" in name}
    for top in sorted(tops):
        if f"{top}/{CONFIG}" in members:
            return {name.removeprefix(f"{top}/"): path for name, path in members.items()}
    return dict(members)


def _json(files: Mapping[str, Path], name: str, *, is_needed: bool = True) -> dict[str, Any]:
    path = files.get(name)
    if path is None:
        if not is_needed:
            return {}
        other = next((key for key in files if key.startswith("configs/inference.")), "")
        advice = f" {other} is not read: write it as JSON." if other else ""
        raise BundleRefused(f"The bundle has no {name}.{advice} Nothing was kept.")
    if path.is_symlink() or path.stat().st_size > MAX_CONFIG_BYTES:
        raise BundleRefused(f"{name} is a link or larger than {MAX_CONFIG_BYTES >> 20} MiB. Nothing was kept.")
    try:
        document = load_json(path.read_bytes(), name)
    except FormatError as error:
        raise BundleRefused(f"{error} Nothing was kept.") from error
    if not isinstance(document, dict):
        raise BundleRefused(f"{name} is not an object. Nothing was kept.")
    return document


def _design(source: _Source) -> Design:
    place = f"{CONFIG}: network_def"
    described = source.document.get("network_def")
    if not isinstance(described, dict):
        raise BundleRefused(f"{place} is not an object that names a network. Nothing was kept.")
    target = described.get("_target_")
    match = _TARGET.fullmatch(target) if isinstance(target, str) else None
    if match is None:
        raise BundleRefused(
            f"{place}: _target_ is {str(target)[:80]!r}, which is no class of monai.networks.nets. Nothing was kept."
        )
    arguments = {}
    for key, value in described.items():
        if key in {"_target_", "_desc_"}:
            continue
        if key.startswith("_"):
            raise BundleRefused(f"{place}: {key[:40]} asks for code to be run and is refused. Nothing was kept.")
        arguments[key] = _literal(value, source, f"{place} → {key[:60]}")
    return read_design(match.group(1), arguments, place=place)


def _literal(value: Any, source: _Source, place: str, references: int = 0) -> Any:
    """The value with references to literals of the same file put in. Raises :class:`BundleRefused` for anything else."""
    if next(source.left, None) is None:
        raise BundleRefused(f"{place}: the file means more than {_MAX_VALUES} values. Nothing was kept.")
    if isinstance(value, str):
        if value.startswith("@"):
            return _referred(value, source, place, references)
        if value.lstrip().startswith(("$", "%")):
            raise BundleRefused(
                f"{place} is the expression {value[:60]!r}. Expressions are never evaluated. Nothing was kept. "
                "Write the value itself."
            )
        return value
    if isinstance(value, list):
        return [_literal(entry, source, f"{place}[{number}]", references) for number, entry in enumerate(value)]
    if isinstance(value, dict):
        hidden = next((key for key in value if key.startswith("_")), None)
        if hidden is not None:
            raise BundleRefused(f"{place} → {hidden[:40]} asks for code to be run and is refused. Nothing was kept.")
        return {key: _literal(entry, source, f"{place} → {key[:60]}", references) for key, entry in value.items()}
    return value


def _referred(value: str, source: _Source, place: str, references: int) -> Any:
    found: Any = source.document
    for part in re.split(r"::|#", value[1:]):
        if isinstance(found, dict) and part in found:
            found = found[part]
        elif isinstance(found, list) and part.isdigit() and int(part) < len(found):
            found = found[int(part)]
        else:
            raise BundleRefused(f"{place} refers to {value[:60]!r}, which is not in the file. Nothing was kept.")
    if references >= _MAX_REFERENCES:
        raise BundleRefused(f"{place} refers to itself. Nothing was kept.")
    return _literal(found, source, place, references + 1)


def _outputs(metadata: Mapping[str, Any], count: int) -> tuple[str, ...]:
    outputs = as_mapping(as_mapping(metadata.get("network_data_format")).get("outputs"))
    named = as_mapping(as_mapping(outputs.get("pred")).get("channel_def"))
    return tuple(str(named.get(str(number), ""))[:120] for number in range(count))


def _preparation(source: _Source, design: Design) -> tuple[Preparation, tuple[str, ...]]:
    """How pixels are prepared, as far as it is written in literals that mean something here; the rest is noted."""
    values: dict[str, Any] = {"axes": "ras" if design.dimensions == 3 else "zyx", "normalisation": "none"}
    config = source.document
    notes: list[str] = []
    for step in _steps(config.get("preprocessing")):
        target = str(step.get("_target_", ""))
        name = target.rsplit(".", 1)[-1]
        try:
            literal = {
                key: _literal(value, source, f"preprocessing → {name[:40]} → {key[:40]}")
                for key, value in step.items()
                if not key.startswith("_") and key != "keys"
            }
        except BundleRefused as refusal:
            notes.append(str(refusal).split(". ")[0])
            continue
        taken = _understood(name, literal)
        if taken is None:
            notes.append(f"{name[:60]} is not carried out here")
        values |= taken or {}
    values |= _inferer(source, design)
    if any(step.get("sigmoid") is True for step in _steps(config.get("postprocessing"))) or design.out_channels == 1:
        values["activation"] = "sigmoid"
    return read_preparation(values), tuple(dict.fromkeys(notes))


def _steps(section: Any) -> Iterator[dict[str, Any]]:
    for step in as_list(as_mapping(section).get("transforms")):
        if isinstance(step, dict):
            yield step


def _understood(name: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a transform of MONAI means here; None where it means nothing."""
    if name in {"LoadImaged", "EnsureChannelFirstd", "EnsureTyped", "Orientationd", "CastToTyped", "ToTensord"}:
        is_ras = given.get("axcodes", "RAS") == "RAS"
        return {} if is_ras else None
    pixdim = given.get("pixdim")
    if name == "Spacingd" and isinstance(pixdim, list) and len(pixdim) == 3:
        return {"spacing_mm": list(reversed(pixdim))}
    if name == "NormalizeIntensityd" and not given.get("subtrahend") and not given.get("divisor"):
        return {"normalisation": "z-score-nonzero" if given.get("nonzero") else "z-score"}
    if name == "ScaleIntensityRanged":
        bounds = {key: given.get(end) for key, end in (("low", "a_min"), ("high", "a_max"))}
        to = {key: given.get(end) for key, end in (("to_low", "b_min"), ("to_high", "b_max"))}
        return {"normalisation": "range", **bounds, **{key: value for key, value in to.items() if value is not None}}
    return None


def _inferer(source: _Source, design: Design) -> dict[str, Any]:
    """The window and its overlap, where they are literals."""
    inferer = as_mapping(source.document.get("inferer"))
    found: dict[str, Any] = {}
    for key, name in (("roi_size", "patch"), ("overlap", "overlap")):
        try:
            value = _literal(inferer.get(key), source, f"inferer → {key}")
        except BundleRefused:
            continue
        if name == "patch" and isinstance(value, list) and len(value) == design.dimensions:
            found[name] = value
        if name == "overlap" and isinstance(value, int | float):
            found[name] = float(value)
    return found
