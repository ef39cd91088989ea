"""The probe of this folder as a module."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def probe():
    spec = importlib.util.spec_from_file_location("search_probe", Path(__file__).with_name("search_probe.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
