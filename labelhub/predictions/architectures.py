"""Which networks a model may be: an allow-list of classes of ``monai.networks.nets``, and which literal arguments each takes.

Data alone: a web process checks a description here without any framework; ``inference.networks`` builds what passed. An
argument that is not on the list is refused by name, so that nothing in a description can reach code. Not here: weights, how
large a network should be (``sizing``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from labelhub.projects.errors import DomainError

MAX_LEVELS: Final = 9
MAX_CHANNELS: Final = 4096
MAX_CLASSES: Final = 1024
MAX_KERNEL: Final = 31
# Above this a network is not built: float32 weights of 1 GiB.
MAX_PARAMETERS: Final = 1 << 28

_LAYERS: Final = {
    "act": frozenset({"relu", "leakyrelu", "prelu", "elu", "gelu", "mish", "swish", "selu", "softplus"}),
    "norm": frozenset({"batch", "instance", "group"}),
}
_LAYER_OPTIONS: Final = frozenset(
    {"inplace", "negative_slope", "affine", "num_groups", "eps", "alpha", "num_parameters", "init", "momentum"}
)


class ArchitectureRefused(DomainError):
    """A network's description names a class or an argument that is not on the list; nothing was built."""

    code = "architecture-refused"
    status = 422


Kind = Literal["count", "counts", "share", "flag", "act", "norm", "name"]


@dataclass(frozen=True, slots=True)
class Argument:
    """What one argument may be: a ``count`` lies from ``least`` to ``most``; ``counts`` are a list of them, or of lists."""

    kind: Kind
    least: int = 1
    most: int = MAX_CHANNELS
    names: tuple[str, ...] = ()
    required: bool = False


def _count(most: int = MAX_CHANNELS, least: int = 1, *, required: bool = False) -> Argument:
    return Argument("count", least, most, required=required)


def _counts(most: int = MAX_CHANNELS, least: int = 1, *, required: bool = False) -> Argument:
    return Argument("counts", least, most, required=required)


_FLAG, _SHARE, _ACT, _NORM = Argument("flag"), Argument("share"), Argument("act"), Argument("norm")
_ENDS: Final = {
    "spatial_dims": _count(3, 2, required=True),
    "in_channels": _count(64, required=True),
    "out_channels": _count(MAX_CLASSES, required=True),
}
_STEPS: Final = {
    "channels": _counts(required=True), "strides": _counts(8, required=True), "kernel_size": _counts(MAX_KERNEL),
    "up_kernel_size": _counts(MAX_KERNEL), "dropout": _SHARE,
}  # fmt: skip
_BASIC: Final = {
    "features": _counts(), "act": _ACT, "norm": _NORM, "bias": _FLAG, "dropout": _SHARE,
    "upsample": Argument("name", names=("deconv", "pixelshuffle", "nontrainable")),
}  # fmt: skip

# By the name of the class in ``monai.networks.nets``. Left out are classes that load weights by
# themselves or take types, and transformers, which need a package more and are of no use on a CPU.
ARCHITECTURES: Final[Mapping[str, Mapping[str, Argument]]] = {
    "UNet": _ENDS | _STEPS | {
        "num_res_units": _count(16, 0), "act": _ACT, "norm": _NORM, "bias": _FLAG,
        "adn_ordering": Argument("name", names=("NDA", "NAD", "DNA", "NA", "A", "N", "AND", "ADN", "DAN")),
    },
    "AttentionUnet": _ENDS | _STEPS,
    "BasicUNet": _ENDS | _BASIC,
    "BasicUNetPlusPlus": _ENDS | _BASIC,
    "SegResNet": _ENDS | {
        "init_filters": _count(512), "dropout_prob": _SHARE, "act": _ACT, "norm": _NORM, "norm_name": Argument("norm"),
        "num_groups": _count(64), "use_conv_final": _FLAG, "blocks_down": _counts(16), "blocks_up": _counts(16),
        "upsample_mode": Argument("name", names=("nontrainable", "deconv", "pixelshuffle")),
    },
    "DynUNet": _ENDS | {
        "kernel_size": _counts(MAX_KERNEL, required=True), "strides": _counts(8, required=True),
        "upsample_kernel_size": _counts(8, required=True), "filters": _counts(), "dropout": _SHARE, "norm_name": _NORM,
        "act_name": _ACT, "deep_supervision": _FLAG, "deep_supr_num": _count(8, 0), "res_block": _FLAG, "trans_bias": _FLAG,
    },
    "VNet": _ENDS | {
        "act": _ACT, "bias": _FLAG, "dropout_prob": _SHARE, "dropout_prob_down": _SHARE, "dropout_dim": _count(3),
    },
}  # fmt: skip
# What these classes suppose where a description leaves it out: a network's ends are always stated, so that they can be checked.
_SUPPOSED: Final = {"spatial_dims": 3}


@dataclass(frozen=True, slots=True)
class Design:
    """A network by its class and checked arguments. Made by :func:`read_design` alone."""

    architecture: str
    arguments: Mapping[str, Any]

    @property
    def dimensions(self) -> int:
        """2 for pictures, 3 for volumes."""
        return int(self.arguments["spatial_dims"])

    @property
    def in_channels(self) -> int:
        """How many channels go in."""
        return int(self.arguments["in_channels"])

    @property
    def out_channels(self) -> int:
        """How many maps come out."""
        return int(self.arguments["out_channels"])

    def to_document(self) -> dict[str, Any]:
        """Return the design as a JSON-ready dictionary, which :func:`design_of` reads back."""
        return {"architecture": self.architecture, "arguments": dict(self.arguments)}


def read_design(architecture: str, arguments: Mapping[str, Any], *, place: str = "The network") -> Design:
    """Return the checked design; ``place`` opens the sentence of the :class:`ArchitectureRefused` that names what is wrong."""
    allowed = ARCHITECTURES.get(architecture)
    if allowed is None:
        raise ArchitectureRefused(
            f"{place}: {str(architecture)[:80]!r} is not a network that may be built. Nothing was loaded. "
            f"Allowed: {', '.join(ARCHITECTURES)}."
        )
    given = _SUPPOSED | {str(key): value for key, value in arguments.items()}
    for name, value in given.items():
        rule = allowed.get(name)
        if rule is None:
            raise ArchitectureRefused(
                f"{place}: {architecture} takes no argument {name[:60]!r} here. Nothing was loaded. "
                f"Allowed: {', '.join(allowed)}."
            )
        if not _is_allowed(value, rule):
            raise ArchitectureRefused(
                f"{place}: {name} of {architecture} is {str(value)[:60]!r}; {_words(rule)}. Nothing was loaded."
            )
    missing = [name for name, rule in allowed.items() if rule.required and name not in given]
    if missing:
        raise ArchitectureRefused(f"{place}: {architecture} needs {', '.join(missing)}. Nothing was loaded.")
    return Design(architecture, given)


def design_of(document: Mapping[str, Any], *, place: str = "The network") -> Design:
    """Return the design in a document with ``architecture`` and ``arguments``. Raises :class:`ArchitectureRefused`."""
    arguments = document.get("arguments")
    if not isinstance(arguments, Mapping):
        raise ArchitectureRefused(f"{place}: its arguments are not an object. Nothing was loaded.")
    return read_design(str(document.get("architecture", "")), arguments, place=place)


def _is_allowed(value: Any, rule: Argument) -> bool:
    if rule.kind == "flag":
        return isinstance(value, bool)
    if rule.kind == "share":
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return value is None or (is_number and 0 <= value < 1)
    if rule.kind == "name":
        return value in rule.names if isinstance(value, str) else False
    if rule.kind in {"act", "norm"}:
        return _is_layer(value, _LAYERS[rule.kind])
    if rule.kind == "counts" and isinstance(value, list | tuple):
        return 1 <= len(value) <= MAX_LEVELS and all(_is_step(entry, rule) for entry in value)
    return _is_count(value, rule)


def _is_step(value: Any, rule: Argument) -> bool:
    if isinstance(value, list | tuple):
        return 1 <= len(value) <= 3 and all(_is_count(entry, rule) for entry in value)
    return _is_count(value, rule)


def _is_count(value: Any, rule: Argument) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and rule.least <= value <= rule.most


def _is_layer(value: Any, names: frozenset[str]) -> bool:
    """A layer's name, or a pair of its name and plain options."""
    if isinstance(value, str):
        return value.lower() in names
    if not isinstance(value, list | tuple) or len(value) != 2 or not isinstance(value[1], Mapping):
        return False
    options = value[1].items()
    are_plain = all(key in _LAYER_OPTIONS and isinstance(option, bool | int | float) for key, option in options)
    return isinstance(value[0], str) and value[0].lower() in names and are_plain


def _words(rule: Argument) -> str:
    if rule.kind == "flag":
        return "it is true or false"
    if rule.kind == "share":
        return "it is a number from 0 to below 1"
    if rule.kind == "name":
        return f"it is one of {', '.join(rule.names)}"
    if rule.kind in {"act", "norm"}:
        return f"it is one of {', '.join(sorted(_LAYERS[rule.kind]))}, or such a name with plain options"
    many = f", or up to {MAX_LEVELS} of them" if rule.kind == "counts" else ""
    return f"it is a whole number from {rule.least} to {rule.most}{many}"
