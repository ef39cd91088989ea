"""Files are found by their names, and their options by the signature of a function."""

from inspect import Parameter
from types import ModuleType

import pytest

from preprocessing.options.named_files import read_options
from xval.base.errors import SettingsError


@pytest.mark.parametrize("function", [lambda: None, lambda folder, speed: None, lambda folder, *more: None])
def test_options_are_keyword_only_arguments(function) -> None:
    module = ModuleType("mine")
    module.__file__ = "mine.py"
    module.run = lambda folder, *, speed=2, name: None
    assert [(option.name, option.default) for option in read_options(module, "run", n_positional=1, error=SettingsError)] == [
        ("speed", 2),
        ("name", Parameter.empty),
    ]
    module.run = function
    with pytest.raises(SettingsError, match=r"^mine\.py: run takes 1 positional arguments, and options after a '\*'"):
        read_options(module, "run", n_positional=1, error=SettingsError)
