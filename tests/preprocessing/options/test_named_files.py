"""Files are found by their names, and their options by the signature of a function."""

from inspect import Parameter
from types import ModuleType

import pytest

from augmentation import transforms
from preprocessing.options.named_files import file_names, load_file, read_options
from xval.base.errors import SettingsError


def test_files_that_begin_with_an_underscore_do_not_count() -> None:
    names = file_names(transforms.__name__)
    assert "gain" in names
    assert list(names) == sorted(names)
    assert not any(name.startswith("_") for name in names)


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("gian", "draw", r"Unknown transform 'gian'\. .*Did you mean 'gain'"),
        ("gain", "paint", r"gain\.py has no 'paint'; a transform needs paint\."),
    ],
)
def test_a_file_that_is_missing_or_lacks_a_part_is_named(name: str, wanted: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_file(transforms.__name__, name, kind="transform", wanted=[wanted], error=SettingsError)


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
