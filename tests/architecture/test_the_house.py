"""The picture of the packages stays true: directions, sizes, who says ``objects``, who may import torch."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db import models

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "labelhub"
MOST_LINES, MOST_FUNCTION_LINES, MOST_JS_LINES = 400, 50, 300
DELIVERY = ("web", "api", "live", "protocols")
TOP_LEVEL = {"manage.py", "pyproject.toml", "README.md", "labelhub", "templates", "static", "tests", "fixtures"}


def modules() -> list[Path]:
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "migrations" not in path.parts]


def layers() -> list[list[str]]:
    """Return the layers of the import contract, lowest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contract = next(entry for entry in settings["tool"]["importlinter"]["contracts"] if entry["type"] == "layers")
    return [[name.strip() for name in line.split("|")] for line in reversed(contract["layers"])]


def test_only_the_agreed_names_stand_at_the_top():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    names = {name.split("/")[0] for name in tracked if name and not name.startswith(".")}
    assert names <= TOP_LEVEL


def test_every_package_has_a_readme_and_a_place_in_the_order():
    known = {name for line in layers() for name in line}
    for folder in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        assert folder.name in known, f"{folder.name} stands in no layer"
        assert (folder / "README.md").exists(), f"{folder.name} has no README.md that says what lives there"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_and_stays_small(path: Path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert len(text.splitlines()) <= MOST_LINES
    if tree.body and path.name != "__main__.py":
        assert ast.get_docstring(tree), "a module opens with what it is"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert lines_of_code(node) <= MOST_FUNCTION_LINES, f"{node.name} has {lines_of_code(node)} lines"


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return a function's length without its docstring: a formula's explanation is not complexity."""
    length = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        first = function.body[0]
        length -= (first.end_lineno or 0) - first.lineno + 1
    return length


def test_javascript_modules_stay_small():
    for path in (ROOT / "static").rglob("*.js"):
        if "vendor" not in path.parts:
            assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_JS_LINES, path


def test_delivery_code_reads_through_selectors_and_writes_through_services():
    for package in DELIVERY:
        for path in (PACKAGE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_query = isinstance(node, ast.Attribute) and node.attr in {
                    "objects",
                    "_default_manager",
                    "_base_manager",
                }
                assert not is_query, (
                    f"{path.relative_to(ROOT)}:{node.lineno} queries a model; use a selector or service"
                )


def test_foreign_keys_point_upstream_and_leave_no_name_across_packages():
    height = {name: place for place, line in enumerate(layers()) for name in line}
    for model in apps.get_models():
        if not model.__module__.startswith("labelhub."):
            continue
        for field in model._meta.get_fields():
            target = field.related_model
            if not isinstance(field, models.ForeignKey | models.ManyToManyField) or isinstance(target, str):
                continue
            if target is None or not target.__module__.startswith("labelhub."):
                continue
            here, there = model._meta.app_label, target._meta.app_label
            assert height[there] <= height[here], f"{model.__name__}.{field.name} points downstream"
            if here != there:
                assert str(field.remote_field.related_name).endswith("+"), (
                    f"{model.__name__}.{field.name} leaves a name in {there}"
                )


def test_no_signals_and_no_logic_in_save():
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and path.name == "models.py":
                own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                assert not own & {"save", "delete", "clean"}, f"{path}: {node.name} hides logic in {own}"


def test_every_model_declares_who_may_see_it_or_is_known_to_be_no_ones():
    from labelhub.projects.permissions import registration_of

    # Rows that no route shows as such: infrastructure, and what is reached through its owner only.
    no_ones = {
        "User", "OneTimeLink", "ApiToken", "FailedSignIn", "Notification", "NotificationChoice", "MailDigest", "ChainHead",
        "Event", "Job", "WorkerSign", "Blob",
    }  # fmt: skip
    for model in apps.get_models():
        if model.__module__.startswith("labelhub.") and model.__name__ not in no_ones:
            assert registration_of(model) is not None, f"{model.__name__} has no declared secrecy"


def test_the_web_process_does_not_import_torch():
    code = "import sys, labelhub.config.asgi; print(sorted({'torch', 'monai'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
