"""Networks: built from a checked design, their weights as safetensors. Nothing here is unpickled or evaluated.

Which classes and arguments are allowed stands in ``predictions.architectures``, which needs no framework.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from monai.networks import nets
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors

from labelhub.predictions.architectures import MAX_PARAMETERS, ArchitectureRefused, Design
from labelhub.projects.errors import DomainError


class WeightsProblem(DomainError):
    """Weights that cannot be read, or that are another network's; nothing was loaded."""

    code = "weights-problem"
    status = 422


def build(design: Design, *, seed: int | None = None) -> Any:
    """Return the network of a design on the CPU, in training mode. With ``seed`` its first weights are always the same.

    Raises :class:`ArchitectureRefused` where the arguments do not fit together, or the network would be too large to hold.
    """
    _refuse_what_cannot_be(design)
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        return _made(design)


def ready(network: Any, device: Any, *, is_compiled: bool = False) -> Any:
    """Return the network where it will answer, in evaluation: on a card with its channels last, and compiled where asked.

    Compiling takes half a minute and pays for windows of one size by the hundred; on a CPU nothing is changed, since there
    channels last gain nothing.
    """
    network = network.to(device).eval()
    if torch.device(device).type != "cuda":
        return network
    for module in network.modules():
        if isinstance(module, torch.nn.Conv3d | torch.nn.ConvTranspose3d):
            module.to(memory_format=torch.channels_last_3d)
        elif isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            module.to(memory_format=torch.channels_last)
    return torch.compile(network) if is_compiled else network


def parameter_count(design: Design) -> int:
    """Return how many parameters a design has; no memory is taken for them. Raises :class:`ArchitectureRefused`."""
    with torch.device("meta"):
        network = _made(design)
    return sum(parameter.numel() for parameter in network.parameters())


def weights_of(network: Any, *, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a network's weights as the bytes of a safetensors file."""
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    return bytes(save_safetensors(state, metadata=dict(metadata or {})))


def load_weights(network: Any, content: bytes) -> Any:
    """Put the weights of a safetensors file into the network and return it. Raises :class:`WeightsProblem`.

    A prefix that all names share (``module.``, ``network.``) is taken off: wrappers leave one.
    """
    try:
        state = load_safetensors(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsProblem(
            f"The weights are no safetensors file, or a damaged one ({type(error).__name__}). Nothing was loaded."
        ) from error
    wanted = network.state_dict()
    state = _without_prefix(state, wanted)
    missing, odd = sorted(set(wanted) - set(state)), sorted(set(state) - set(wanted))
    wrong = [name for name in wanted if name in state and wanted[name].shape != state[name].shape]
    if missing or odd or wrong:
        named = ", ".join((*missing[:2], *odd[:2], *wrong[:2]))
        raise WeightsProblem(
            f"The weights belong to another network: {len(missing)} are missing, {len(odd)} are unknown and {len(wrong)} "
            f"have another size ({named}). Nothing was loaded. Check the architecture and its arguments."
        )
    if any(not bool(torch.isfinite(tensor).all()) for tensor in state.values() if tensor.is_floating_point()):
        raise WeightsProblem("The weights hold numbers that are not finite. Nothing was loaded. Export them again.")
    network.load_state_dict(state)
    return network


def _refuse_what_cannot_be(design: Design) -> None:
    count = parameter_count(design)
    if count > MAX_PARAMETERS:
        raise ArchitectureRefused(
            f"The network would have {count:,} parameters; at most {MAX_PARAMETERS:,} are built. Nothing was loaded."
        )


def _made(design: Design) -> Any:
    arguments = {name: _tuples(value) for name, value in design.arguments.items()}
    if not design.arguments.get("norm_name", True):
        arguments.pop("norm_name")
    try:
        return getattr(nets, design.architecture)(**arguments)
    except (
        ValueError, TypeError, KeyError, IndexError, AssertionError, NotImplementedError, RuntimeError, ArithmeticError,
    ) as error:  # fmt: skip
        raise ArchitectureRefused(
            f"The arguments of {design.architecture} do not fit together: {str(error)[:200]} Nothing was loaded."
        ) from error


def _tuples(value: Any) -> Any:
    """Lists as tuples, which some classes insist on; options of a layer stay a dictionary."""
    return tuple(_tuples(entry) for entry in value) if isinstance(value, list | tuple) else value


def _without_prefix(state: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    if set(state) & set(wanted):
        return state
    for prefix in ("module.", "network.", "model.", "net."):
        if state and all(name.startswith(prefix) for name in state):
            return {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def deepest_step(design: Design) -> tuple[int, ...]:
    """Return how many pixels one pixel of the deepest level covers, axis by axis: what a window's sides are multiples of."""
    dimensions, arguments = design.dimensions, design.arguments
    if design.architecture in {"UNet", "AttentionUnet", "DynUNet"}:
        levels = [_on_axes(stride, dimensions) for stride in arguments["strides"]]
        return tuple(math.prod(level[axis] for level in levels) for axis in range(dimensions))
    if design.architecture == "SegResNet":
        return (2 ** (len(arguments.get("blocks_down", (1, 2, 2, 4))) - 1),) * dimensions
    return (16,) * dimensions


def _on_axes(value: Any, dimensions: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (int(value),) * dimensions
