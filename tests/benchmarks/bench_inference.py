"""Sliding windows against MONAI's inferer: the same network, the same windows, in turn, each run in a process of its own.

    python -m tests.benchmarks.bench_inference [volume picture pairs batch] [--rounds 3] [--shrink 1] [--window 96]
        [--pairs 100] [--volumes 8] [--compile] [--json FILE]

`volume` and `picture` print seconds (median over rounds), the peak of resident memory (and of the card's, where there is one),
and how far the labels are apart. Goals on two cores: a volume of 256 x 256 x 160 in 25 s and 1.5 GiB, never slower and never
larger than MONAI's; a picture of 512 x 512 in 0.5 s. On a card the share of its measured bf16 rate is told as well: the rate
of the network's convolutions against that of a large product of matrices.

`pairs` asks whether a picture is ever slower than with MONAI: both by turns in one process, many times, so that what else the
machine does meets both. Told is the median of the ratios, ours over MONAI's, with its interval over blocks of ten pairs, and in
how many pairs ours was slower; "slower" is said only where the whole interval lies above 1.

`batch` is pre-labeling as a worker does it, volume after volume: volumes a second from pixels to shapes (preparation, windows,
labels, probabilities kept, shapes cut out), beside MONAI's inferer from pixels to labels alone, which does less.
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
PARTS = (*GOALS, "pairs", "batch")
BLOCK = 10
# The first pairs choose kernels and map memory.
WARM_UP = 3
WHO = ("ours", "MONAI")
# A picture takes a tenth of a second: the median of so many.
PICTURES = 15
VOLUME = {
    "spatial_dims": 3, "in_channels": 1, "out_channels": 3, "channels": [16, 32, 64, 128], "strides": [2, 2, 2],
    "num_res_units": 2, "norm": "instance",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=list(PARTS), metavar="PART", help=f"of {', '.join(PARTS)}; all unless told"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=100, help="pairs a process, of `pairs`")
    parser.add_argument("--volumes", type=int, default=8, help="volumes a run, of `batch`")
    parser.add_argument("--shrink", type=int, default=1, help="divide every length, for a trial")
    parser.add_argument("--window", type=int, default=96)
    parser.add_argument("--compile", action="store_true", help="compile the network, on a card, for both")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--child", choices=WHO, help=argparse.SUPPRESS)
    parser.add_argument("--what", choices=PARTS, default="volume", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child = {"pairs": run_pairs, "batch": run_batch}.get(options.what, run_child)
        print(json.dumps(child(options)))
        return
    found: dict[str, Any] = {}
    for what in (part for part in PARTS if part in options.parts):
        found[what] = {"pairs": compare_pairs, "batch": compare_batches}.get(what, compare)(what, options)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


def compare(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both in turn, as often as asked; the order changes from round to round."""
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in WHO}
    with tempfile.TemporaryDirectory() as folder:
        labels = {who: Path(folder) / f"{who}.npy" for who in WHO}
        for number in range(options.rounds):
            for who in WHO if number % 2 == 0 else WHO[::-1]:
                runs[who].append(in_a_process(who, what, options, labels[who]))
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


def compare_pairs(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Pictures by turns within a process, in several processes: the ratio of each pair, on the clock and of the processors."""
    runs = [in_a_process("ours", what, options) for _ in range(options.rounds)]
    blocks = np.concatenate(
        [number * 10_000 + np.arange(len(run["s"]["ours"])) // BLOCK for number, run in enumerate(runs)]
    )
    print(f"\npairs: {runs[0]['facts']}; {len(blocks)} pairs in {options.rounds} processes")
    found = {}
    for kind, words in (("s", "on the clock"), ("cpu_s", "of the processors")):
        mine, theirs = (np.concatenate([run[kind][who] for run in runs]) for who in WHO)
        found[kind] = ratio_of(mine, theirs, blocks)
        one = found[kind]
        print(
            f"  {words}: ours {np.median(mine):.4f} s, MONAI {np.median(theirs):.4f} s (medians); ours over MONAI "
            f"{one['mean']:.3f} [{one['low']:.3f}-{one['high']:.3f}] (geometric mean over {one['blocks']} blocks), median "
            f"{one['median']:.3f}; slower in {one['slower_share']:.0%} of the pairs: {one['verdict']}"
        )
    return found


def ratio_of(mine: np.ndarray, theirs: np.ndarray, blocks: np.ndarray) -> dict[str, Any]:
    """The ratio of paired times with its interval over blocks.

    Medians do not add up over blocks, so what is resampled is the mean of the logarithms: the geometric mean of the ratios.
    """
    from labelhub.numerics.bootstrap import Resampling, bootstrap_interval

    logs = np.log(mine / theirs)
    interval = bootstrap_interval(
        np.column_stack([logs, np.ones_like(logs)]), lambda sums: sums[:, 0] / sums[:, 1],
        Resampling(np.random.default_rng(0), groups=blocks, group_unit="blocks of pairs"),
    )  # fmt: skip
    low, high = float(np.exp(interval.low)), float(np.exp(interval.high))
    return {
        "median": float(np.median(mine / theirs)), "mean": float(np.exp(logs.mean())), "low": low, "high": high,
        "slower_share": float((mine > theirs).mean()), "pairs": len(logs), "blocks": len(np.unique(blocks)),
        "verdict": "slower" if low > 1 else "quicker" if high < 1 else "no difference shown",
    }  # fmt: skip


def compare_batches(what: str, options: argparse.Namespace) -> dict[str, Any]:
    """Volume after volume, each way in processes of its own by turns: volumes a second."""
    runs: dict[str, list[dict[str, Any]]] = {who: [] for who in WHO}
    for number in range(options.rounds):
        for who in WHO if number % 2 == 0 else WHO[::-1]:
            runs[who].append(in_a_process(who, what, options))
    print(f"\nbatch: {options.volumes} volumes, {runs['ours'][0]['facts']}")
    found = {}
    for who in WHO:
        rates = [options.volumes / run["s"] for run in runs[who]]
        cpu = statistics.median(run["cpu_s"] for run in runs[who]) / options.volumes
        found[who] = {"volumes_a_second": statistics.median(rates), "rounds": rates, "cpu_s_a_volume": cpu}
        each = ", ".join(f"{rate:.3f}" for rate in rates)
        print(f"  {who:<6} {statistics.median(rates):.3f} volumes a second (rounds {each}), CPU {cpu:.1f} s a volume")
    return found


def in_a_process(who: str, what: str, options: argparse.Namespace, out: Path | None = None) -> dict[str, Any]:
    """One run in a process of its own, and what it found."""
    command = [
        sys.executable, "-m", "tests.benchmarks.bench_inference", "--child", who, "--what", what, "--out",
        str(out or os.devnull), "--shrink", str(options.shrink), "--window", str(options.window),
        "--pairs", str(options.pairs), "--volumes", str(options.volumes), *(["--compile"] if options.compile else []),
    ]  # fmt: skip
    # How threads wait is read when torch is loaded, and is the same for both: as in a worker.
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


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


def run_pairs(options: argparse.Namespace) -> dict[str, Any]:
    """Pictures by turns in this process; which comes first changes from pair to pair."""
    import torch

    from labelhub.inference.networks import build, ready
    from labelhub.predictions.architectures import read_design

    device = "cuda" if torch.cuda.is_available() else "cpu"
    side = max(1, 512 // options.shrink)
    design = read_design("UNet", VOLUME | {"spatial_dims": 2, "channels": [24, 48, 96, 192]})
    network = ready(build(design, seed=1), device, is_compiled=options.compile)
    image = np.random.default_rng(0).standard_normal((1, 1, side, side), dtype=np.float32)
    window = (1, side, side)
    seconds: dict[str, list[float]] = {who: [] for who in WHO}
    processors: dict[str, list[float]] = {who: [] for who in WHO}
    for number in range(options.pairs + WARM_UP):
        for who in WHO if number % 2 == 0 else WHO[::-1]:
            begun, begun_cpu = time.perf_counter(), time.process_time()
            (ours if who == "ours" else monai)(network, image, window, device)
            if number >= WARM_UP:
                seconds[who].append(time.perf_counter() - begun)
                processors[who].append(time.process_time() - begun_cpu)
    facts = f"a picture of {side} x {side} in one window on {device}, {torch.get_num_threads()} threads"
    return {"s": seconds, "cpu_s": processors, "facts": facts}


def run_batch(options: argparse.Namespace) -> dict[str, Any]:
    """Volumes one after the other in this process: with ours from pixels to shapes, with MONAI's from pixels to labels."""
    import torch

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labelhub.config.settings")
    import django

    django.setup()
    from labelhub.formats.shapes import Grid
    from labelhub.inference.networks import build, ready
    from labelhub.inference.predictor import NetworkPredictor
    from labelhub.inference.preparing import normalised
    from labelhub.predictions.architectures import read_design
    from labelhub.predictions.preparation import Preparation
    from labelhub.projects.ontology import read_ontology

    device = "cuda" if torch.cuda.is_available() else "cpu"
    size = tuple(max(1, side // options.shrink) for side in (160, 256, 256))
    side = min(options.window, size[1])
    window = (min(side, size[0]), side, side)
    design, preparation = read_design("UNet", VOLUME), Preparation(patch=window, least_pixels=30)
    network = ready(build(design, seed=1), device, is_compiled=options.compile)
    classes = [{"key": key, "name": key, "colour": "#e4572e", "tool": "brush"} for key in ("a", "b")]
    ontology = read_ontology({"classes": classes, "questions": []})
    predictor = NetworkPredictor(design, (network,), ("", "a", "b"), preparation)
    rng = np.random.default_rng(0)
    # Smooth enough that shapes are few and large, as those of organs are.
    volumes = [_smooth(rng, size) for _ in range(options.volumes)]

    def one(pixels: np.ndarray) -> None:
        if options.child == "ours":
            predictor.predict(pixels, Grid(pixels.shape), ontology)
        else:
            monai(network, normalised(pixels[None].astype(np.float32), preparation), window, device)

    one(volumes[0][:, : window[1], : window[2]] if device == "cpu" else volumes[0])
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for pixels in volumes:
        one(pixels)
    sides = f"{' x '.join(map(str, size))} in windows of {' x '.join(map(str, window))}"
    facts = f"{sides} on {device}, {torch.get_num_threads()} threads"
    return {"s": time.perf_counter() - begun, "cpu_s": time.process_time() - begun_cpu, "facts": facts}


def _smooth(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Noise that changes slowly, as int16."""
    from scipy import ndimage

    coarse = rng.normal(0, 300, [max(2, side // 16) for side in size])
    return ndimage.zoom(coarse, [n / m for n, m in zip(size, coarse.shape, strict=True)], order=1).astype(np.int16)


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
