# mypy: ignore-errors
"""HD, HD95, mean of the two mean distances and NSD of two masks with panoptica, in one evaluation of a matched pair."""

from __future__ import annotations

import sys
import warnings

import numpy as np
from answering import answer
from panoptica import InputType, Metric, Panoptica_Evaluator, disable_citation_reminder

warnings.filterwarnings("ignore")
disable_citation_reminder()
first, second = (np.load(name).astype(np.uint8) for name in sys.argv[1:3])
spacing = tuple(np.load(sys.argv[3]).tolist())
evaluator = Panoptica_Evaluator(
    expected_input=InputType.MATCHED_INSTANCE, instance_metrics=[Metric.HD, Metric.HD95, Metric.ASSD, Metric.NSD]
)


def work():
    found = evaluator.evaluate(first, second, voxelspacing=spacing, verbose=False)["ungrouped"]
    return {"hd": float(found.sq_hd), "masd": float(found.sq_assd)}


answer(work)
