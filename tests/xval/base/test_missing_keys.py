"""A config.ini that lacks a key: one line that names it; and settings come back from every form that they are written in."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.options.settings_section import read_settings_section
from xval.base import config_file
from xval.base.config_file import APART, CONFIG_PATH, read_default, read_defaults
from xval.base.errors import SettingsError
from xval.settings import resolve as resolving
from xval.settings.parameters import from_parameters, hash_parameters
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import Settings

PLACES = {key: section for section, values in read_defaults().items() if section not in APART for key in values}
NEEDED = [key for key in PLACES if key in Settings.model_fields and Settings.model_fields[key].is_required()]


def declare(**parameters):
    return Declaration("exp.py", "exp.py", "a test", parameters, {1: {}})


@pytest.mark.parametrize("key", NEEDED[:: len(NEEDED) // 25])
def test_a_key_that_config_ini_lacks_is_named_with_its_section_and_file_alone(monkeypatch, key):
    less = {
        section: {name: text for name, text in values.items() if name != key} for section, values in read_defaults().items()
    }
    monkeypatch.setattr(resolving, "read_defaults", lambda: less)

    with pytest.raises(SettingsError) as refused:
        resolve(declare())

    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"{CONFIG_PATH}: '{key}' is missing from ")
    assert f"[{PLACES[key]}]" in line
    assert len(line) < len(str(CONFIG_PATH)) + 200


def test_a_key_that_an_experiment_sets_may_be_missing(monkeypatch):
    less = read_defaults()
    del less["training"]["num_epochs"]
    monkeypatch.setattr(resolving, "read_defaults", lambda: less)

    assert resolve(declare(num_epochs=3))[0].settings.num_epochs == 3


def test_what_the_commands_read_of_it_is_named_too(tmp_path, monkeypatch):
    path = tmp_path / "config.ini"
    path.write_text("[experiment]\ndataset = demo\n[features]\nn_mels = 3\n")

    with pytest.raises(SettingsError, match=r"config\.ini: 'data_folder' is missing from \[experiment\]\. Add it again"):
        read_default("experiment", "data_folder", path)
    with pytest.raises(SettingsError, match=r"config\.ini: 'features' is missing from \[features\]\. Add it again"):
        read_settings_section(FeatureSettings, "features", config_path=path)
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config_file, "find_study", lambda: tmp_path)
    monkeypatch.setattr(config_file, "_read", lambda _: {"experiment": {}})
    assert read_defaults() == {"experiment": {}}


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
