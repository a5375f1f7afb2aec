"""Sliding windows against MONAI's inferer: the same network, the same windows, in turn, each run in a process of its own.

    python -m tests.benchmarks.bench_inference [--rounds 3] [--shrink 1] [--window 96] [--compile] [--json FILE]

Prints seconds (median over rounds), the peak of resident memory (and of the card's, where there is one), and how far the
labels are apart. Goals on two cores: a volume of 256 x 256 x 160 in 25 s and 1.5 GiB, never slower and never larger than
MONAI's; a picture of 512 x 512 in 0.5 s. On a card the share of its measured bf16 rate is told as well: the rate of the
network's convolutions against that of a large product of matrices.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

GOALS = {"volume": 25.0, "picture": 0.5}
WHO = ("ours", "MONAI")
# A picture takes a tenth of a second: the median of so many.
PICTURES = 15
VOLUME = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [16, 32, 64, 128], "strides": [2, 2, 2],
    "num_res_units": 2, "norm": "instance",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    parser.add_argument("--window", type=int, default=96)
    parser.add_argument("--compile", action="store_true", help="compile the network, on a card, for both")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=WHO, help=argparse.SUPPRESS)
    parser.add_argument("--what", choices=tuple(GOALS), default="volume", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_child(options)))
        return
    found: dict[str, Any] = {}
    for what in GOALS:
        found[what] = compare(what, options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def compare(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both in turn, as often as asked; the order changes from round to round."""
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in WHO}
    with tempfile.TemporaryDirectory() as folder:
        labels = {who: Path(folder) / f"{who}.npy" for who in WHO}
        for number in range(options.rounds):
            for who in WHO if number % 2 == 0 else WHO[::-1]:
                command = [
                    sys.executable, "-m", "tests.benchmarks.bench_inference", "--child", who, "--what", what, "--out",
                    str(labels[who]), "--shrink", str(options.shrink), "--window", str(options.window),
                    *(["--compile"] if options.compile else []),
                ]  # fmt: skip
                # How threads wait is read when torch is loaded, and is the same for both: as in a worker.
                environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
                done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
                runs[who].append(json.loads(done.stdout.splitlines()[-1]))
        apart = float((np.load(labels["ours"]) != np.load(labels["MONAI"])).mean())
    found: dict[str, Any] = {"apart": apart}
    print(f"\n{what}: {runs['ours'][0]['facts']}; labels differ in {apart:.1e} of the pixels; goal {GOALS[what]:g} s")
    for who in WHO:
        middle = {
            key: statistics.median(run[key] for run in runs[who]) for key in ("s", "cpu_s", "peak_mib", "card_mib")
        }
        found[who] = middle | {"rounds": [run["s"] for run in runs[who]], "share": runs[who][-1].get("share")}
        share = "" if found[who]["share"] is None else f", {found[who]['share']:.0%} of the card's bf16 rate"
        print(
            f"  {who:<6} {middle['s']:8.3f} s  (CPU {middle['cpu_s']:.1f} s)  peak {middle['peak_mib']:6.0f} MiB"
            f"  on the card {middle['card_mib']:6.0f} MiB{share}"
        )
    ours, theirs = found["ours"], found["MONAI"]
    print(f"  time ratio {ours['s'] / theirs['s']:.2f}, memory ratio {ours['peak_mib'] / theirs['peak_mib']:.2f}")
    return found


def run_child(options: argparse.Namespace) -> dict[str, Any]:
    """One run in this process: the second of two where a card must be warmed up, else the first."""
    import torch

    from labelhub.inference.networks import build, parameter_count, ready
    from labelhub.predictions.architectures import read_design

    device = "cuda" if torch.cuda.is_available() else "cpu"
    is_volume = options.what == "volume"
    size = [160, 256, 256] if is_volume else [1, 512, 512]
    size = [max(1, side // options.shrink) for side in size]
    design = read_design("UNet", VOLUME if is_volume else VOLUME | {"spatial_dims": 2, "channels": [24, 48, 96, 192]})
    network = ready(build(design, seed=1), device, is_compiled=options.compile)
    image = np.random.default_rng(0).standard_normal((1, *size), dtype=np.float32)
    side = min(options.window, size[1])
    window = (min(side, size[0]), side, side) if is_volume else (1, *size[1:])
    run = ours if options.child == "ours" else monai
    # One small run first, so that no one-time work is counted: kernels are chosen, memory is mapped.
    run(network, image[:, : window[0], : window[1], : window[2]], window, device)
    if device == "cuda":
        run(network, image, window, device)
        torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
    seconds, begun_cpu = [], time.process_time()
    for _ in range(repeats := 1 if is_volume else PICTURES):
        begun = time.perf_counter()
        labels = run(network, image, window, device)
        seconds.append(time.perf_counter() - begun)
    took = statistics.median(seconds)
    np.save(options.out, labels)
    return {
        "s": took, "cpu_s": (time.process_time() - begun_cpu) / repeats,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "card_mib": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0,
        "share": _share_of_ceiling(network, image, window, took) if device == "cuda" and is_volume else None,
        "facts": f"{parameter_count(design):,} parameters, {' x '.join(map(str, size))} in windows of "
        f"{' x '.join(map(str, window))} on {device}, {torch.get_num_threads()} threads",
    }  # fmt: skip


def ours(network: Any, image: np.ndarray, window: tuple[int, int, int], device: str) -> np.ndarray:
    """The package's own way."""
    from labelhub.inference.sliding import Asking, slide, winners

    labels = np.zeros(image.shape[1:], dtype=np.uint8)

    def receive(first: int, means: Any, _entropy: Any) -> None:
        labels[first : first + means.shape[1]] = winners(means).cpu().numpy()

    slide([network], image, Asking(window, batch=8 if device == "cuda" else 1), receive, device=device)
    return labels


def monai(network: Any, image: np.ndarray, window: tuple[int, int, int], device: str) -> np.ndarray:
    """MONAI's way, at its best: the same windows, the same precision, and our quick way from maps to labels."""
    import torch
    from monai.inferers import sliding_window_inference

    from labelhub.inference.sliding import winners

    is_flat = window[0] == 1
    given = torch.from_numpy(image[:, 0] if is_flat else image)[None].to(device)
    with torch.inference_mode(), torch.autocast("cuda", dtype=torch.bfloat16, enabled=device == "cuda"):
        out = sliding_window_inference(
            given,
            window[1:] if is_flat else window,
            8 if device == "cuda" else 1,
            network,
            overlap=0.25,
            mode="gaussian",
        )
        labels = winners(out[0]).cpu().numpy()
    return labels[None] if is_flat else labels


def _share_of_ceiling(network: Any, image: np.ndarray, window: tuple[int, int, int], took: float) -> float:
    """The rate of the network's work over the run against that of one large product of matrices in bf16."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from labelhub.inference.windows import layers

    n_windows = sum(len(here) for _, here in layers(image.shape[1:], window, 0.25))
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros((1, 1, *window), device="cuda"))
    a = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    for _ in range(3):
        a @ a
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(20):
        a @ a
    torch.cuda.synchronize()
    ceiling = 20 * 2 * 8192**3 / (time.perf_counter() - begun)
    return counter.get_total_flops() * n_windows / took / ceiling


if __name__ == "__main__":
    main()
