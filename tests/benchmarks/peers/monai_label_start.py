# mypy: ignore-errors
"""MONAI Label's own server, started without the packages of the ways that are not gone: DICOMweb, Girder, graph cuts, drawing.

They are imported by name at its start alone; here empty modules stand for them, so that they need not be installed.
"""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec

UNUSED = {"SimpleITK", "dicomweb_client", "girder_client", "google", "numpymaxflow", "pydicom_seg", "torchvision"}


class Empty(MetaPathFinder, Loader):
    """Finds a module for each of these names, and a class for each name in it."""

    def find_spec(self, name, path=None, target=None):
        return ModuleSpec(name, self, is_package=True) if name.split(".")[0] in UNUSED else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        # A name with underscores around it is asked for by the import system itself.
        module.__getattr__ = lambda name: getattr(object, name) if name.startswith("__") else type(name, (), {})


if __name__ == "__main__":
    sys.meta_path.insert(0, Empty())
    from monailabel.main import Main

    Main(actions="start_server").run()
