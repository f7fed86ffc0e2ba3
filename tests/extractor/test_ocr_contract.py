"""What holds for every OCR engine and every region detector, so that a new file needs no new wiring."""

import subprocess
import sys
from dataclasses import fields, is_dataclass

import pytest
from pydantic import TypeAdapter

from extractor import components

FOLDERS = {"ocr": ("Reader", "read"), "regions": ("Detector", "detect")}
MODULES = [(folder, name) for folder in FOLDERS for name in components.names(folder)]


@pytest.mark.parametrize(("folder", "name"), MODULES)
def test_every_component_offers_settings_that_can_be_checked_and_a_class(folder, name):
    module = components.module(folder, name, key="key")
    offered, does = FOLDERS[folder]

    settings = TypeAdapter(module.Config).validate_python({})

    assert is_dataclass(settings)
    assert hash(settings) == hash(module.Config())  # a worker keeps its engine by its settings
    assert isinstance(module.Config.schema, property)
    assert callable(getattr(getattr(module, offered), does))
    assert all(field.kw_only for field in fields(settings))


def test_settings_are_read_without_loading_an_engine():
    heavy = ("rapidocr.main", "onnxruntime", "cv2", "boto3", "torch", "torchvision")
    imports = "; ".join(f"import extractor.{folder}.{name}" for folder, name in MODULES)
    script = f"import sys; {imports}; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
