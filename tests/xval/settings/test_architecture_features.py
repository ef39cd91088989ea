"""What an architecture says about features: those that it reads, and feature settings that its build() takes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from architectures import mlp
from preprocessing import store
from xval.base.errors import SettingsError
from xval.experiment.check_instance import check_features
from xval.models.build import build_model
from xval.settings import architectures
from xval.settings.resolve import Declaration, resolve

READS_SAMPLES = """
features = "waveform"
task_types = ("classification",)

def build(input_shape, output_shape, *, n_units: int = 3, sample_rate_hz: int = 16000): ...
"""


@pytest.fixture
def reads_samples(tmp_path, monkeypatch):
    """Return the name of an architecture that reads samples and takes their rate."""
    (tmp_path / "reads_samples.py").write_text(READS_SAMPLES)
    monkeypatch.syspath_prepend(tmp_path)
    architectures.find_architecture.cache_clear()
    yield "reads_samples.build"
    architectures.find_architecture.cache_clear()


def resolved(**parameters):
    declaration = Declaration("exp.py", "exp.py", "a test", {}, {1: parameters})
    return resolve(declaration)[0]


def check(instance, *, is_custom=False):
    index = pd.DataFrame({"duration_s": [1.0, 2.0]})
    check_features(SimpleNamespace(index=index, is_custom=is_custom, dataset="toy"), instance)


def test_a_feature_setting_that_build_takes_stays_a_feature_setting(reads_samples):
    instance = resolved(architecture=reads_samples, features="waveform", sample_rate_hz="8000")

    assert instance.options == {"n_units": 3}
    assert instance.settings.sample_rate_hz == instance.parameters["sample_rate_hz"] == 8000
    assert instance.sources["sample_rate_hz"] == "instance"
    assert resolved(architecture=reads_samples).sources["sample_rate_hz"] == "config.ini"


def test_a_wrong_feature_setting_is_one_fault(reads_samples):
    with pytest.raises(SettingsError, match="sample_rate_hz: received -1; allowed: greater than 0") as caught:
        resolved(architecture=reads_samples, features="waveform", sample_rate_hz=-1)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("wrong", [{}, {"features": "mfcc"}, {"features": "waveform", "frontend": "logmel"}])
def test_features_that_the_architecture_does_not_read_are_refused(reads_samples, wrong):
    with pytest.raises(
        SettingsError, match=r"'reads_samples\.build' needs features=waveform without a front end; received features="
    ):
        check(resolved(architecture=reads_samples, **wrong))
    check(resolved(architecture=reads_samples, features="waveform"))
    # Of what a script has made nothing is known.
    check(resolved(architecture=reads_samples), is_custom=True)


def test_the_rate_of_samples_from_a_script_may_be_set_where_it_has_an_effect(reads_samples):
    check(resolved(architecture=reads_samples, sample_rate_hz=8000), is_custom=True)
    with pytest.raises(SettingsError, match="'hop_length' is set, but the features of dataset 'toy' were made by a script"):
        check(resolved(architecture=reads_samples, hop_length=100), is_custom=True)


def test_build_receives_the_feature_setting(tmp_path, monkeypatch, make_settings):
    from architectures import sincnet

    received = {}

    def record(input_shape, output_shape, **options):
        received.update(options)
        return mlp.build(input_shape, output_shape)

    monkeypatch.setattr(sincnet, "build", record)
    predictors = {item: np.zeros((2, 3, 2), np.float32) for item in "ab"}
    small = store.write("small", predictors, {item: ["x", "y"] for item in "ab"}, data_folder=tmp_path)
    settings = make_settings(architecture="mlp", sample_rate_hz=8000, normalization="none")

    build_model(settings.model_copy(update={"architecture": "sincnet"}), {"n_units": (4,)}, small, ["a"])

    assert received == {"n_units": (4,), "sample_rate_hz": 8000}
