"""What a setting is that a file lacks; and settings come back from every form that they are written in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from xval.base.config_file import read_defaults
from xval.base.setting_fields import later_values, read_written
from xval.settings import schema
from xval.settings.parameters import from_parameters, hash_parameters
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import NEUTRAL, Settings


def declare(**parameters):
    return Declaration("exp.py", "exp.py", "a test", parameters, {1: {}})


def test_a_setting_that_config_ini_lacks_has_the_default_of_its_field(monkeypatch):
    whole = resolve(declare())[0]
    monkeypatch.setattr(schema, "read_defaults", lambda: {"training": {"num_epochs": "3"}})

    (instance,) = resolve(declare())

    assert instance.settings == whole.settings.model_copy(update={"num_epochs": 3})
    assert instance.sources == whole.sources


@pytest.mark.parametrize("name", sorted({*Settings.model_fields} - {*later_values(Settings)}))
def test_a_setting_that_a_file_of_results_lacks_is_an_error_unless_it_is_later_than_the_file(name):
    parameters = resolve(declare())[0].parameters
    less = {key: value for key, value in parameters.items() if key != name}

    with pytest.raises(ValidationError) as refused:
        read_written(Settings, {key: value for key, value in less.items() if key in Settings.model_fields})

    assert [(fault["type"], fault["loc"]) for fault in refused.value.errors()] == [("missing", (name,))]


def test_files_of_results_lack_later_settings():
    settings = resolve(declare())[0].settings
    later = later_values(Settings)
    values = {name: value for name, value in settings.model_dump().items() if name not in later}

    read = read_written(Settings, values)

    assert type(read) is Settings
    assert read == settings.model_copy(update=later)
    assert (read.fold_repeats, settings.fold_repeats) == (1, 1)


MEANT_BY_OLD_RESULTS = {
    "padding": "auto",
    "f0_min_hz": 65.0,
    "f0_max_hz": 600.0,
    "feature_deltas": 0,
    "vad": "none",
    "embedding_model": None,
    "encoder": None,
    "embedding_layer": "last",
    "embedding_pooling": "mean",
    "train_fraction": 1.0,
    "train_where": None,
    "test_where": None,
    "enrolment_s": None,
    "target_scaling": "none",
    "initial_model_match": "all",
    "unfreeze_every": 0,
    "layer_learning_rate_decay": 1.0,
    "optimizer_arguments": None,
    "schedule_arguments": None,
    "schedule_unit": "epoch",
    "weight_column": None,
    "sampling": "none",
    "weight_average": None,
    "warmup_epochs": 0,
    "label_smoothing": 0.0,
    "min_delta": 0.0,
    "start_from_epoch": 0,
    "restore_best_weights": True,
    "callbacks": None,
    "positive_class": None,
    "item_decision": "none",
    "calibration": "none",
    "augment_mixstyle": 0.0,
    "augment_mixstyle_alpha": 0.3,
    "augment_vocal_tract": 0.0,
    "augment_speed": 0.0,
    "augment_response_db": 0.0,
    "augment_noise_floor_db": None,
    "search": None,
}
"""Written out, because the hashes of results that lack these settings have been made with these values.

A new default of such a setting needs ``Later(VALUE)``, with the value that stands here."""


def test_what_results_that_lack_a_setting_were_made_with_stays():
    assert dict(NEUTRAL) == MEANT_BY_OLD_RESULTS
    assert later_values(Settings)["rank_by"] == "auto"


VALUES = {
    "dataset": st.from_regex(r"[a-zäß=][\w=+ é-]{0,8}[a-z]", fullmatch=True),
    "num_experiment": st.integers(0, 10**6),
    "num_folds": st.integers(2, 50),
    "validation_fraction": st.floats(1e-6, 0.999),
    "num_epochs": st.integers(1, 10**6),
    "batch_size": st.integers(1, 10**4),
    "learning_rate": st.floats(1e-12, 10),
    "seed": st.integers(0, 2**31),
    "early_stopping": st.booleans(),
    "overwrite_results": st.booleans(),
    "backend": st.sampled_from(["tensorflow", "torch", "jax"]),
    "gpu_ID": st.sampled_from(["cpu", "0", "0,1"]),
    "slurm_partition": st.none() | st.sampled_from(["long", "gpu=1 %(x)s"]),
    "comment_1": st.from_regex(r"[=#%\w][\w %;#=+é±-]{0,10}[\w%]", fullmatch=True),
    "n_units": st.lists(st.integers(1, 999), min_size=1, max_size=3).map(tuple),
    "dropout": st.floats(0, 0.99),
}


def as_text(value):
    """Return a value as it is written in config.ini."""
    if value is None:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


@settings(max_examples=20)
@given(st.fixed_dictionaries({}, optional=VALUES))
def test_settings_are_the_same_from_values_text_and_json(tmp_path_factory, values):
    (instance,) = resolve(declare(architecture="mlp", **values))
    path = tmp_path_factory.mktemp("config") / "config.ini"
    path.write_text("[a]\n" + "".join(f"{key} = {as_text(value)}\n" for key, value in values.items()), encoding="utf-8")
    (from_text,) = resolve(declare(architecture="mlp", **read_defaults(path)["a"]))
    written = json.loads(json.dumps(instance.parameters))
    read, options = from_parameters(written, instance.options)

    assert {name: getattr(instance.settings, name, instance.options.get(name)) for name in values} == values
    assert (from_text.settings, from_text.options) == (instance.settings, instance.options)
    assert (read, options) == (instance.settings, instance.options)
    assert hash_parameters(written) == from_text.settings_hash == instance.settings_hash
