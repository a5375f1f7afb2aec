"""What a worker of networks loads before its first job, by the dotted path in the settings: predictors and handlers.

No process that serves pages imports this.
"""

from __future__ import annotations

import os

import torch

from labelhub.inference import remote
from labelhub.inference.accelerated.surfaces import compare_placed
from labelhub.inference.deepedit import click_network
from labelhub.inference.importing import run_import
from labelhub.inference.predictor import network_predictor
from labelhub.inference.training.running import run_training
from labelhub.jobs.registry import register as register_job
from labelhub.jobs.selectors import ON_ACCELERATOR
from labelhub.predictions.interactive import CLICK_NETWORK, register_interactive
from labelhub.predictions.plugins import register_plugins
from labelhub.predictions.predictor import register_predictor
from labelhub.predictions.services import NETWORK
from labelhub.scoring.accelerators import register_accelerator
from labelhub.workflow.bringing_models import IMPORT_KIND
from labelhub.workflow.training_models import TRAINING_KIND

register_predictor(NETWORK, network_predictor)
register_interactive(CLICK_NETWORK, click_network)
register_predictor(remote.NAME, remote.remote_predictor)
register_plugins()
register_job(IMPORT_KIND, run_import)
register_job(TRAINING_KIND, run_training)


def prepare() -> str:
    """Return the name of what networks run on here, after making it ready."""
    if torch.cuda.is_available():
        torch.backends.cudnn.benchmark = True
        register_accelerator(compare_placed)
        return f"{ON_ACCELERATOR}{torch.cuda.get_device_name(0)}"
    return f"CPU, {os.cpu_count() or 1} cores"
