"""What is answered to the words of Keras and scikit-learn: each setting, section, option and command in it exists."""

import re
from configparser import ConfigParser
from inspect import signature

import pytest

from xval import Experiment
from xval.base.config_file import ROOT
from xval.base.synonyms import SETTINGS
from xval.commands import command_names
from xval.settings.architectures import architecture_names, find_architecture
from xval.settings.classical import CLASSICAL
from xval.settings.schema import Settings


@pytest.fixture(scope="module")
def sections():
    parser = ConfigParser(interpolation=None)
    parser.read(ROOT / "config.ini")
    return {name: set(parser[name]) for name in parser.sections()}


@pytest.mark.parametrize("hint", sorted(set(SETTINGS.values())))
def test_what_a_hint_names_exists(hint, sections):
    options = {option for estimator in CLASSICAL.values() for option in estimator.options}
    options |= {option for name in architecture_names() for option in find_architecture(name).options}
    commands = set(command_names())
    arguments = {name for method in (Experiment.search, Experiment.grid) for name in signature(method).parameters}

    assert set(re.findall(r"(?<!=)'(\w+)'", hint)) <= set(Settings.model_fields) | options | arguments
    assert set(re.findall(r"\[(\w+)\]", hint)) <= sections.keys()
    assert set(re.findall(r"\bxval (\w[\w-]*)", hint)) <= commands


def test_the_section_of_augmentation_has_the_settings_that_the_hint_names(sections):
    hint = SETTINGS["augment"]

    (section,) = re.findall(r"\[(\w+)\]", hint)
    assert set(re.findall(r"'(\w+)'", hint)) <= sections[section]
