"""Settings and options as files hold them, and back: the same values, whatever their types."""

import json
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from xval.base.errors import ResultsError
from xval.settings.parameters import from_parameters, settings_among, settings_faults, to_parameters
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import Settings
from xval.settings.space import Choice, SearchPlan

CHOSEN = {
    "features": "stft", "frontend": "stft", "crop_s": 0.5, "channel": 1, "stretch_frames": 20, "clip_length_s": 1.5,
    "embedding_model": "transformers:x", "embedding_layer": 3, "embedding_pooling": "none", "gpu_ID": "0,1", "executor": "ray",
    "train_where": "language == 'de'", "test_where": "language == 'en'", "optimizer_arguments": "beta_1=0.5",
    "schedule_arguments": "every=10",
    "augment_noise_floor_db": -20.0, "search": SearchPlan({"seed": Choice((1, 2))}, 4).to_text(), "db_reference": 0.5,
    "fold_strategy": "my_folds.split", "silence": "XV105, XV303", "item_name": "actor", "class_weights": "{\"a\": 2.0}",
}  # fmt: skip
"""Settings whose other values follow a rule."""
FURTHER = {
    "frontend": {"features": "waveform"}, "crop_s": {"features": "waveform"}, "padding": {"features": "waveform"},
    "embedding_model": {"features": "embedding"},
    "embedding_layer": {"features": "embedding", "embedding_model": "x:y"},
    "embedding_pooling": {"features": "embedding", "embedding_model": "x:y"},
}  # fmt: skip
PATH = Path("settings.json")
OPTIONS = {"n_units": (8, 4), "dropout": 0.25, "activation": "relu", "bias": True, "names": ("a", "b"), "empty": ()}


@pytest.fixture
def settings():
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a test", {"dataset": "toy"}, {1: {"architecture": "mlp"}}))
    return instance.settings


def other_value(name, value):
    """Return another value of the type of a setting."""
    if name in CHOSEN:
        return CHOSEN[name]
    annotation = Settings.model_fields[name].annotation
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2
    if value is None:
        return 0.5 if any(kind in str(annotation) for kind in ("float", "int")) else "some text"
    return next((allowed for allowed in get_args(annotation) if isinstance(allowed, str) and allowed != value), f"{value}_2")


def written(settings, options=OPTIONS):
    return json.loads(json.dumps(to_parameters(settings, options)))


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_each_setting_is_read_back_as_it_was_written(settings, name):
    other = other_value(name, getattr(settings, name))
    expected = Settings.model_validate({**dict(settings), **FURTHER.get(name, {}), name: other})

    read, options = from_parameters(written(expected), OPTIONS)

    assert (read, options) == (expected, OPTIONS)
    assert type(getattr(read, name)) is type(getattr(expected, name))
    assert settings_among(written(expected), PATH) == expected


def test_without_names_the_options_are_what_is_no_setting(settings):
    assert from_parameters(written(settings)) == (settings, OPTIONS)


def test_what_is_no_setting_and_no_option_is_refused(settings):
    with pytest.raises(ValidationError, match=r"(?s)learning_ratte.*Extra inputs"):
        from_parameters(written(settings) | {"learning_ratte": 1.0}, OPTIONS)


def test_a_missing_option_is_refused(settings):
    with pytest.raises(KeyError, match="depth"):
        from_parameters(written(settings), [*OPTIONS, "depth"])


def test_settings_are_checked_together_where_that_is_asked(settings):
    parameters = written(settings) | {"frozen_layers": 2}

    assert from_parameters(parameters)[0].frozen_layers == 2
    with pytest.raises(ValidationError, match=r"would freeze random weights\. Set"):
        from_parameters(parameters, together=True)


def test_of_damaged_settings_the_others_are_there_and_what_is_missing_is_named(settings):
    parameters = written(settings)
    del parameters["n_mels"], parameters["num_folds"]

    read = settings_among(parameters | {"batch_size": "many"}, PATH)

    assert (read.batch_size, read.seed, read.task) == ("many", settings.seed, settings.task)
    for ask, name in ((lambda: read.n_mels, "n_mels"), (read.feature_settings, "n_mels"), (read.fold_settings, "num_folds")):
        with pytest.raises(ResultsError, match=rf"settings\.json: damaged, '{name}' is missing\. Move its folder away"):
            ask()


def test_impossible_values_of_a_part_are_named_when_it_is_needed(settings):
    read = settings_among(written(settings) | {"hop_length": -1, "label_frame_s": "x"}, PATH)

    with pytest.raises(ResultsError, match=r"settings\.json: damaged, it has hop_length=-1\. Move"):
        read.feature_settings()
    with pytest.raises(ResultsError, match=r"settings\.json: damaged, it has label_frame_s='x'\. Move"):
        read.frame_settings()


def test_values_of_a_wrong_type_are_named_and_rules_are_not_checked(settings):
    parameters = written(settings)

    assert settings_faults(parameters | {"batch_size": 0, "of_a_later_version": 1, "learning_rate": None}) == ""
    assert settings_faults(parameters | {"batch_size": [], "seed": "x"}) == "seed='x', batch_size=[]"
