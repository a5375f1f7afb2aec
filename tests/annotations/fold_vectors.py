"""Makes the vectors that hold the two folds to one result: base, operations, and what they must say.

Run as ``python -m tests.annotations.fold_vectors`` to write ``fixtures/fold/`` anew after a change that is meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from labelhub.annotations.fold import Act, fold, state_to_document
from labelhub.annotations.layers import layer_digest, layer_source, paint_layers

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "fold"
SIZES = {0: (1, 60, 80), 1: (5, 24, 30)}
LABELS = ("lesion", "vessel ü")
AUTHORS = ("a", "b")
KINDS = (
    "shape.add", "shape.geometry", "shape.label", "shape.attribute", "shape.delete", "shape.restore",
    "stroke.add", "stroke.add", "stroke.add", "patch.add", "stroke.undo", "stroke.redo", "answer.set",
)  # fmt: skip
MASK = np.array([[[1, 0, 1], [0, 1, 1]], [[1, 1, 1], [0, 0, 0]]], dtype=np.uint8)


def random_log(rng: np.random.Generator, length: int) -> tuple[dict[str, Any], list[Act]]:
    """Return a base and a log by two authors, with operations that do not fit among them."""
    base = {
        "shapes": [
            {"shape_id": "base", "medium": 0, "label": "x", "regions": [{"kind": "points", "points": [[1, 2]]}],
             "source": "model", "attributes": {"q": 1}},
        ],
        "layers": [
            {"medium": 1, "label": LABELS[0], "mask": "m", "origin": [2, 3, 4], "size": [2, 2, 3],
             "attributes": {"edge": "sharp"}},
        ],
        "answers": {"old": True},
    }  # fmt: skip
    acts = [
        Act(seq, f"op{seq}", str(rng.choice(AUTHORS)), kind, _payload(rng, kind, seq))
        for seq, kind in enumerate(rng.choice(KINDS, size=length), start=1)
    ]
    return base, acts


def vector(base: dict[str, Any], acts: list[Act], sizes: dict[int, tuple[int, int, int]]) -> dict[str, Any]:
    """Return everything the other side needs to reach the same result, and that result."""
    state = fold(base, acts)
    layers = paint_layers(state, sizes, {"m": MASK})
    return {
        "sizes": {str(medium): list(size) for medium, size in sizes.items()},
        "masks": {"m": {"size": list(MASK.shape), "bits": np.packbits(MASK).tolist()}},
        "base": base,
        "acts": [
            {"seq": act.seq, "op_id": act.op_id, "author": act.author, "kind": act.kind, "payload": act.payload}
            for act in acts
        ],
        "state": state_to_document(state),
        "layers": [
            {
                "medium": medium, "label": label, "sha256": layer_digest(layer), "voxels": int(layer.voxels.sum()),
                "source": layer_source(state, medium, label),
            }
            for (medium, label), layer in sorted(layers.items())
        ],
    }  # fmt: skip


def _payload(rng: np.random.Generator, kind: str, seq: int) -> dict[str, Any]:
    shape = str(rng.choice(["base", *(f"s{n}" for n in range(1, seq + 1))]))
    if kind == "shape.add":
        return {"shape_id": f"s{int(rng.integers(1, seq + 1))}", "medium": 0, "label": "x", "regions": _regions(rng)}
    if kind == "shape.geometry":
        return {"shape_id": shape, "base_version": int(rng.integers(1, 4)), "regions": _regions(rng)}
    if kind == "shape.label":
        return {"shape_id": shape, "label": "y"}
    if kind == "shape.attribute":
        target: dict[str, Any] = {"shape_id": shape}
        if rng.random() < 0.5:
            target = {"layer": {"medium": 1, "label": str(rng.choice(LABELS))}}
        return {**target, "attribute": "q", "value": [None, 2, ["a", "b"]][int(rng.integers(3))]}
    if kind == "stroke.add":
        return _stroke(rng, seq)
    if kind == "patch.add":
        origin = [int(rng.integers(0, 4)), int(rng.integers(0, 23)), int(rng.integers(0, 28))]
        return {
            "stroke_id": f"k{seq}", "medium": 1, "label": str(rng.choice(LABELS)), "mask": "m", "origin": origin,
            "size": [2, 2, 3], "mode": str(rng.choice(["add", "erase"])),
            **[{}, {"source": "tool"}, {"source": "model"}][int(rng.integers(3))],
        }  # fmt: skip
    if kind in {"stroke.undo", "stroke.redo"}:
        return {"stroke_id": f"k{int(rng.integers(1, seq + 1))}"}
    if kind == "answer.set":
        return {"question": str(rng.choice(["old", "new"])), "value": [None, "text", 1.5][int(rng.integers(3))]}
    return {"shape_id": shape}


def _regions(rng: np.random.Generator) -> list[dict[str, Any]]:
    return [{"kind": "polygon", "points": np.round(rng.random((3, 2)) * 50, 2).tolist()}]


def _stroke(rng: np.random.Generator, seq: int) -> dict[str, Any]:
    medium = int(rng.integers(2))
    depth, rows, columns = SIZES[medium]
    plane = "axial" if medium == 0 else str(rng.choice(["axial", "axial", "coronal", "sagittal"]))
    across, down, deep = {
        "axial": (columns, rows, depth), "coronal": (columns, depth, rows), "sagittal": (rows, depth, columns),
    }[plane]  # fmt: skip
    count = int(rng.integers(1, 6))
    points = np.stack([rng.integers(0, 4 * across + 1, count), rng.integers(0, 4 * down + 1, count)], axis=1)
    return {
        "stroke_id": f"k{seq}", "medium": medium, "plane": plane, "index": int(rng.integers(deep)),
        "label": str(rng.choice(LABELS)), "mode": str(rng.choice(["add", "add", "erase"])),
        "tip": str(rng.choice(["round", "square"])), "radius": int(rng.integers(3, 40)),
        "points": points.ravel().tolist(),
    }  # fmt: skip


def _sources() -> dict[str, Any]:
    """Layers of every source: a hand's, a tool's, a model's, a model's that was gone over, one whose hand was taken back."""

    def patch(number: int, label: str, source: str) -> Act:
        payload = {"stroke_id": f"k{number}", "medium": 1, "label": label, "mask": "m", "origin": [0, number, 0],
                   "size": [2, 2, 3], "mode": "add", **({} if source == "drawn" else {"source": source})}  # fmt: skip
        return Act(number, f"op{number}", "a", "patch.add", payload)

    plan = [
        ("hand", "drawn"), ("tool", "tool"), ("tool", "tool"), ("model", "model"), ("both", "tool"), ("both", "drawn"),
        ("gone over", "model"), ("gone over", "tool"), ("taken back", "model"), ("taken back", "drawn"), ("base", "drawn"),
    ]  # fmt: skip
    acts = [patch(number, label, source) for number, (label, source) in enumerate(plan, start=1)]
    acts.append(Act(len(acts) + 1, "undo", "a", "stroke.undo", {"stroke_id": "k10"}))
    layers = [
        {"medium": 1, "label": label, "mask": "m", "origin": [1, 2, 3], "size": [2, 2, 3], "source": source}
        for label, source in (("base", "model"), ("brought", "imported"), ("kept", "model-edited"))
    ]
    return vector({"layers": layers}, acts, SIZES)


def _large() -> dict[str, Any]:
    """Strokes across a picture so wide that a naive product would not be exact."""
    acts = [
        Act(1, "op1", "a", "stroke.add", {
            "stroke_id": "k1", "medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "add", "tip": tip,
            "radius": radius, "points": points,
        })
        for tip, radius, points in [("round", 37, [3, 1, 159_997, 259, 81_231, 17])]
    ]  # fmt: skip
    acts.append(
        Act(2, "op2", "a", "stroke.add", {
            "stroke_id": "k2", "medium": 0, "plane": "axial", "index": 0, "label": "lesion", "mode": "erase",
            "tip": "square", "radius": 2048, "points": [100_000, 100, 120_001, 101],
        })
    )  # fmt: skip
    return vector({}, acts, {0: (1, 65, 40_000)})


def _ties() -> dict[str, Any]:
    """Strokes whose edge runs exactly through pixel centres: whether those belong to it must not depend on the language."""
    paths = [[10, 42, 150, 42], [90, 10, 90, 200], [12, 100, 112, 200], [200, 60, 200, 60], [150, 150, 30, 195]]
    acts = [
        Act(number, f"op{number}", "a", "stroke.add", {
            "stroke_id": f"k{number}", "medium": 0, "plane": "axial", "index": 0, "label": f"{tip} {number}", "mode": "add",
            "tip": tip, "radius": radius, "points": points,
        })
        for number, (points, tip, radius) in enumerate(
            ((points, tip, radius) for points in paths for tip in ("round", "square") for radius in (8, 20)), start=1
        )
    ]  # fmt: skip
    return vector({}, acts, {0: (1, 60, 80)})


def write() -> None:
    """Write all vectors."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    for number, length in enumerate((0, 8, 40, 40, 120), start=1):
        base, acts = random_log(rng, length)
        name = f"log-{number}-of-{length}.json"
        (FOLDER / name).write_bytes(orjson.dumps(vector(base, acts, SIZES), option=orjson.OPT_APPEND_NEWLINE))
    (FOLDER / "edges-through-centres.json").write_bytes(orjson.dumps(_ties(), option=orjson.OPT_APPEND_NEWLINE))
    (FOLDER / "sources.json").write_bytes(orjson.dumps(_sources(), option=orjson.OPT_APPEND_NEWLINE))
    (FOLDER / "wide-strokes.json").write_bytes(orjson.dumps(_large(), option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    write()
